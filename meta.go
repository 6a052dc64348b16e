package clerk

import (
	"fmt"
	"net/http"
	"time"
)

// A ResponseMeta describes the response to a call. Both error types embed it; see
// [MetaFromError] and [WithResponse].
type ResponseMeta struct {
	// Operation is the operation that was called: OperationList for Get and FindPending,
	// OperationCreate for Resend.
	Operation Operation
	// StatusCode is the HTTP status of the last response; 0 if there was none.
	StatusCode int
	// Header is the header of that response; nil if there was none.
	Header http.Header `json:"-"`
	// TraceID identifies the request for Clerk's support. It comes from the header
	// x-clerk-trace-id (as observed), from the error's body or, as in Clerk's JavaScript
	// SDK, from the header cf-ray; it may be empty.
	TraceID string
	// Attempts counts all requests of the call, including lookups. For All, it counts those of
	// a page.
	Attempts int
	// RetryAfter is the wait that the last response asked for in its Retry-After header; 0
	// if it did not ask.
	RetryAfter time.Duration
	// Duration is the time that the call took, including its waits.
	Duration time.Duration

	method string // that was called, if it is not one of Clerk's operations
}

// Format writes m without its headers for every verb.
func (m ResponseMeta) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerk.ResponseMeta{%s status=%d trace=%s attempts=%d retry_after=%s duration=%s}",
		m.Operation, m.StatusCode, m.TraceID, m.Attempts, m.RetryAfter, m.Duration)
}
