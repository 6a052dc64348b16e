package transport

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/clerk-invitations/clerk-go/internal/outage"
)

// A Config configures a Client. Only Logger is optional.
type Config struct {
	// HTTP provides the Transport and the cookie jar. Its other fields are ignored.
	HTTP *http.Client
	// MaxBytes is the largest response body that is accepted, in bytes.
	MaxBytes int64
	// Refusal reads the body of a response whose status is 400 or higher. It returns the
	// error in the body, nil if there is none, and a trace ID, which may be empty.
	Refusal func(body []byte) (traceID string, refusal error)
	// IsDocumented reports whether the API documents a status for an operation.
	IsDocumented func(operation string, status int) bool
	// Logger gets a record of each attempt; nil turns logging off.
	Logger *slog.Logger
}

// A Client sends requests. It is immutable and safe for concurrent use.
type Client struct {
	Config

	retrying *retryablehttp.Client
}

// A Request says what to send, and how to read the response.
type Request struct {
	// Operation names the request in log records.
	Operation string
	// Path is the path below the base URL, with its parameters named, not filled in.
	Path string
	// Method, URL, Header and Body are sent, with the cookies from the jar. Any method
	// other than GET is a write. Header is not modified.
	Method, URL string
	Header      http.Header
	Body        []byte
	// Decode decodes the body of a successful response. It must not retain the bytes.
	Decode func(body []byte) (any, error)
	// Policy limits the attempts.
	Policy Policy
	// Gate holds back attempts in an outage; nil means no gate.
	Gate *outage.Gate
	// Call identifies the call that makes the request. It must be comparable. CallID
	// identifies it in log records.
	Call   any
	CallID uint64
	// Pass counts the lookups of what the call's write did. It is 0 before the first failure.
	Pass int
}

// IsWrite reports whether the request may change something.
func (r *Request) IsWrite() bool { return r.Method != http.MethodGet }

// Route returns the method and the path, such as "POST /invitations".
func (r *Request) Route() string { return r.Method + " " + r.Path }

// A Policy says how long the attempts of a request may take, and when to retry.
type Policy struct {
	// Retry turns retries on. Without it, there is one attempt.
	Retry bool
	// RetryConnectionErrors allows a retry after an attempt without a complete response.
	RetryConnectionErrors bool
	// RetryRateLimits allows a retry of a write after status 429. Reads are retried in any
	// case.
	RetryRateLimits bool
	// LeaveTime limits an attempt to two thirds of the time until the context's deadline,
	// and LeaveCallTime to two thirds of the time until Deadline. The rest is left for
	// looking up what a write did.
	LeaveTime, LeaveCallTime bool
	// Backoff says how long to wait after an attempt.
	Backoff Backoff
	// AttemptTimeout limits each attempt.
	AttemptTimeout time.Duration
	// Deadline limits all attempts together; zero means no limit.
	Deadline time.Time
}

// A Backoff returns how long to wait after an attempt, counted from 1. asked is the wait that
// the response asks for, or 0.
type Backoff interface {
	Backoff(attempt int, asked time.Duration) time.Duration
}

// An Attempt is the result of one HTTP request.
type Attempt struct {
	// Began is its start. In a Loop, a write's earlier attempts had no effect.
	Began time.Time
	// Class says what the result means for the operation.
	Class    Class
	unusable bool // a complete response arrived, and a retry would get the same one

	// Status and Header are from the response; 0 and nil if there was none.
	Status int
	Header http.Header
	// Body is the beginning of a body that was not decoded, at most 64 KiB.
	Body []byte
	// Refusal is the error that Config.Refusal found in Body; nil if there is none.
	Refusal error
	// TraceID identifies the request to Clerk's support. It comes from the header
	// x-clerk-trace-id, from Body or from the header cf-ray, and may be empty.
	TraceID string
	// RetryAfter is the wait that an error response asked for; 0 if it did not ask.
	RetryAfter time.Duration
	// Err is the reason that there is no complete, usable response; nil if there is one.
	Err error

	size int // of the body as read, in bytes
}

func (a *Attempt) contentType() string {
	mediaType, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return mediaType
}

// timedOut reports whether the attempt ended without a response because time was up.
func (a *Attempt) timedOut() bool {
	return a.Status == 0 && (errors.Is(a.Err, context.DeadlineExceeded) || errors.Is(a.Err, context.Canceled))
}

// A Loop makes the attempts of one request. When it has ended, the embedded Attempt is the
// last one or, if that only timed out and is not ambiguous, the last one that did not only
// time out.
type Loop struct {
	Attempt
	// Value is the result of Decode.
	Value any
	// Attempts is the number of attempts made.
	Attempts int
	// Longest is the duration of the longest attempt.
	Longest time.Duration
	// Stopped is the error of the context or the deadline that prevented another attempt;
	// nil otherwise.
	Stopped error

	client  *Client
	request Request
	earlier *Attempt      // the latest earlier attempt that did not only time out; nil if there is none
	wait    time.Duration // before the next attempt
	again   bool          // another attempt is planned
	held    error         // why the last attempt was not made: an *outage.Error
}

type loopKey struct{}

func loopFrom(ctx context.Context) *Loop {
	l, _ := ctx.Value(loopKey{}).(*Loop)
	return l
}

// Unsent returns the Loop of a request that cannot be sent because of err.
func Unsent(r Request, err error) *Loop {
	return &Loop{request: r, Attempt: Attempt{Err: err, Class: NotSent}}
}

// FromContext returns the request that is being sent with ctx, and the number of its
// current attempt, from 1. It returns nil for a context that is not from this package.
func FromContext(ctx context.Context) (r *Request, attempt int) {
	if l := loopFrom(ctx); l != nil {
		return &l.request, l.Attempts
	}
	return nil, 0
}

// keep stores a as the latest attempt.
func (l *Loop) keep(a Attempt) {
	l.Longest, l.again = max(l.Longest, time.Since(a.Began)), false
	if !l.Began.IsZero() && !l.timedOut() {
		l.earlier = new(l.Attempt)
	}
	l.Attempt = a
}

// If the last attempt only timed out, recall restores the latest one that did not, as it says
// more about the failure. Whether the last one was sent still counts.
func (l *Loop) recall() {
	if !l.timedOut() || l.Class == Ambiguous || l.earlier == nil {
		return
	}
	stopped, class := cmp.Or(l.Stopped, l.Err), l.Class
	l.Attempt, l.Stopped = *l.earlier, stopped
	if l.Class == NotSent {
		l.Class = class
	}
}
