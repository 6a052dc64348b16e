package clerktest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A Fault is something that goes wrong with a request. If its name ends in After, the request
// is performed first; otherwise it is not performed.
type Fault string

// The faults.
const (
	// FaultRefuse refuses the connection. Over HTTP it resets the connection, which
	// has been accepted by then.
	FaultRefuse Fault = "refuse"
	// FaultDropBefore breaks the connection.
	FaultDropBefore Fault = "drop before"
	// FaultDropAfter breaks the connection before the response. A client looks up what the
	// request did: its outcome is unknown only with [clerk.RetryNone], or if
	// [clerk.OperationList] fails as well, for example by [Fake.SetFaults].
	FaultDropAfter Fault = "drop after"
	// FaultErrorBefore responds with 500 internal_clerk_error.
	FaultErrorBefore Fault = "error before"
	// FaultErrorAfter responds with 500 internal_clerk_error.
	FaultErrorAfter Fault = "error after"
	// FaultBadGatewayAfter responds with 502 and HTML, as a proxy may.
	FaultBadGatewayAfter Fault = "bad gateway after"
	// FaultTruncateAfter breaks the connection in the middle of the response.
	FaultTruncateAfter Fault = "truncate after"
	// FaultSlowAfter delays the response by 20 seconds, longer than a client waits by
	// default, or by what [WithSlowDelay] sets.
	FaultSlowAfter Fault = "slow after"
	// FaultRateLimit responds with 429 and a Retry-After of one second, so that a client tries
	// again if its deadline permits. To make the call fail, use [Fake.Respond] with a longer
	// RetryAfter.
	FaultRateLimit Fault = "rate limit"
	// FaultHideAfter breaks the connection before the response, and for two seconds lists show
	// the state before the request.
	FaultHideAfter Fault = "hide after"

	// FaultResponse is a [Response], in the log of requests. [Fake.Respond] sets it.
	FaultResponse Fault = "response"
)

const (
	defaultSlowness = 20 * time.Second
	hiding          = 2 * time.Second
)

// AllFaults returns the faults that [Fake.Fail] and [WithFaults] accept.
func AllFaults() []Fault {
	return []Fault{
		FaultRefuse, FaultDropBefore, FaultDropAfter, FaultErrorBefore, FaultErrorAfter, FaultBadGatewayAfter,
		FaultTruncateAfter, FaultSlowAfter, FaultRateLimit, FaultHideAfter,
	}
}

// Operations returns the operations that the fake supports.
func Operations() []clerk.Operation {
	return []clerk.Operation{
		clerk.OperationCreate, clerk.OperationList, clerk.OperationBulkCreate, clerk.OperationRevoke, clerk.OperationDelete,
	}
}

// A Response replaces the response to a request.
type Response struct {
	// Status is the HTTP status, 200 to 599. 0 means the status of Code in Clerk's error
	// catalogue or, if Code is empty as well, the request's own response.
	Status int
	// Code is the error's code. If it is one of [Codes], the error has the catalogue's texts;
	// otherwise the code is its text. Empty means no error envelope.
	Code clerk.ErrorCode
	// ContentType and Body replace the response's own when Body is not empty.
	ContentType, Body string
	// EmptyBody sends no body, even if Code is set.
	EmptyBody bool
	// Header is added to the response's own header, and replaces fields of the same names. A
	// field without values is omitted.
	Header http.Header
	// RetryAfter sets the Retry-After header, rounded up to seconds.
	RetryAfter time.Duration
	// Delay is the wait before responding.
	Delay time.Duration
	// After performs the request first. A response with neither Status, Code nor Body
	// always does.
	After bool
}

// Validate returns an error if r has a status outside 200 to 599, an unknown code without a
// status, or a negative duration.
func (r Response) Validate() error {
	switch {
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return fmt.Errorf("clerktest: status %d is not between 200 and 599", r.Status)
	case r.Status == 0 && r.Code != "" && known(r.Code) == nil:
		return fmt.Errorf("clerktest: code %q is not in Clerk's catalogue and needs a status", r.Code)
	case r.RetryAfter < 0 || r.Delay < 0:
		return errors.New("clerktest: a response has a negative duration")
	}
	return nil
}

// keeps reports whether the request's own response is only delayed.
func (r Response) keeps() bool { return r.Status == 0 && r.Code == "" && r.Body == "" }

// A FaultMix makes a share of the requests fail.
type FaultMix struct {
	// Share is the share of the requests that fail, from 0 to 1.
	Share float64
	// Seed makes the choice repeatable for requests in the same order.
	Seed uint64
	// Faults and Responses happen to these requests, each with the same probability.
	// If both are empty, every fault of [AllFaults] does.
	Faults    []Fault
	Responses []Response
	// Operations are the operations that fail; all if empty.
	Operations []clerk.Operation
	// Addresses are the email addresses whose requests fail; all if empty. A request
	// concerns the addresses that it creates invitations for, that it lists with the
	// parameter query, or whose invitation it revokes or deletes.
	Addresses []string
}

// listed returns a text that lists names.
func listed[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}

// Validate returns an error if m has a share that is not between 0 and 1, an unknown
// fault or operation, or an invalid response.
func (m FaultMix) Validate() error {
	if inRange := m.Share >= 0 && m.Share <= 1; !inRange { // including NaN
		return fmt.Errorf("clerktest: share %v is not between 0 and 1", m.Share)
	}
	for _, fault := range m.Faults {
		if !slices.Contains(AllFaults(), fault) {
			return fmt.Errorf("clerktest: unknown fault %q: the faults are %s", string(fault), listed(AllFaults()))
		}
	}
	for _, op := range m.Operations {
		if !slices.Contains(Operations(), op) {
			return fmt.Errorf("clerktest: unknown operation %q: the operations are %s", op, listed(Operations()))
		}
	}
	for _, response := range m.Responses {
		if err := response.Validate(); err != nil {
			return err
		}
	}
	return nil
}

func mustBeValid(err error) {
	if err != nil {
		panic(err)
	}
}
