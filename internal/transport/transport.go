// Package transport makes the HTTP requests of package clerk. It makes attempts, says
// what each of them means, and retries. It knows nothing of operations and invitations.
package transport

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// A Config says how a Client sends requests and reads responses.
type Config struct {
	// HTTP has the transport and the cookie jar.
	HTTP *http.Client
	// MaxBytes is how much of a response is read.
	MaxBytes int64
	// Refusal reads the body of a response with a status from 400. It returns the error
	// in it, nil if there is none, and a trace id.
	Refusal func(body []byte) (traceID string, refusal error)
	// IsDocumented reports whether a refusal with a status is an answer of the operation,
	// not a failure.
	IsDocumented func(operation string, status int) bool
	// Logger gets a record of each attempt; nil for none.
	Logger *slog.Logger
}

// A Client makes requests. It is immutable and safe for concurrent use.
type Client struct {
	Config

	retrying *retryablehttp.Client
}

// New returns a client.
func New(config Config) *Client {
	c := &Client{Config: config}
	c.retrying = &retryablehttp.Client{ // its hooks find the loop in the request's context
		HTTPClient: &http.Client{Transport: attempts{}, Jar: c.HTTP.Jar},
		RetryMax:   math.MaxInt, // the policy ends it
		CheckRetry: func(ctx context.Context, _ *http.Response, err error) (bool, error) {
			l := loopFrom(ctx)
			return err == nil && l.Class != Succeeded && l.plan(ctx), nil
		},
		Backoff: func(_, _ time.Duration, _ int, resp *http.Response) time.Duration {
			return loopFrom(resp.Request.Context()).wait
		},
		PrepareRetry: func(req *http.Request) error { // http.Client has added cookies
			loopFrom(req.Context()).resetHeader(req)
			return nil
		},
	}
	if c.Logger != nil {
		c.retrying.ResponseLogHook = func(_ retryablehttp.Logger, resp *http.Response) {
			ctx := resp.Request.Context()
			loopFrom(ctx).log(ctx, c.Logger)
		}
	}
	return c
}

// A Request is what to send, and what to do with the responses.
type Request struct {
	// Operation names the request in log records.
	Operation string
	// Path is the path below the base URL, without the values of its parameters.
	Path string
	// Method, URL, Header and Body are sent. Any method but GET makes it a write. The
	// header is not changed. Cookies of the jar are added.
	Method, URL string
	Header      http.Header
	Body        []byte
	// Decode reads the body of a success. It must not keep the bytes.
	Decode func(body []byte) (any, error)
	// Err is why the request cannot be sent. Do does not try then.
	Err    error
	Policy Policy
}

// Route is the method and the path.
func (r *Request) Route() string { return r.Method + " " + r.Path }

// A Policy says how long the attempts of a request may take, and when they are retried.
type Policy struct {
	// Retry says whether there is more than one attempt.
	Retry bool
	// RetryConnectionErrors says whether an attempt without a response is retried.
	RetryConnectionErrors bool
	// RetryRateLimits says whether a write with status 429 is retried.
	RetryRateLimits bool
	// LeaveTime has an attempt use at most two thirds of the time until the deadline of
	// the context, and LeaveCallTime of the time until Deadline.
	LeaveTime, LeaveCallTime bool
	// Backoff returns how long to wait after an attempt, counted from 1.
	Backoff func(attempt int) time.Duration
	// AttemptTimeout limits an attempt.
	AttemptTimeout time.Duration
	// Deadline is the end of the last attempt; zero for none.
	Deadline time.Time
}

// A Loop makes the attempts of one request. When it has ended, the embedded Attempt is
// the last one.
type Loop struct {
	Attempt
	// Value is what Decode returned.
	Value any
	// Attempts counts the attempts.
	Attempts int
	// Longest is the time that the longest one took.
	Longest time.Duration
	// Stopped is why there was no further attempt, if the policy wanted one.
	Stopped error

	client   *Client
	request  Request
	answered *Attempt      // the last one before it that has a response; nil without one
	wait     time.Duration // before the next attempt
	again    bool          // the policy wants another attempt
}

type loopKey struct{}

func loopFrom(ctx context.Context) *Loop {
	l, _ := ctx.Value(loopKey{}).(*Loop)
	return l
}

// FromContext returns the request that is sent with a context, and the number of its
// attempt; nil if the context is of another request.
func FromContext(ctx context.Context) (r *Request, attempt int) {
	if l := loopFrom(ctx); l != nil {
		return &l.request, l.Attempts
	}
	return nil, 0
}

// Do sends the request, and retries it as its policy says.
//
// go-retryablehttp drives the loop: attempts.RoundTrip sets the attempt, CheckRetry calls
// plan, which sets l.again and l.wait, Backoff returns l.wait, and PrepareRetry resets the
// cookies.
func (c *Client) Do(ctx context.Context, r Request) *Loop {
	l := &Loop{client: c, request: r}
	req, err := l.newRequest(ctx)
	if err == nil {
		var resp *http.Response
		if resp, err = c.retrying.Do(req); resp != nil {
			_ = resp.Body.Close() // the attempt has read it
		}
	}
	switch {
	case l.Attempts == 0:
		l.Attempt = Attempt{Err: err, Class: NotSent}
	case l.again: // the context ended during the wait
		l.Stopped = err
	}
	if l.Class != Succeeded {
		l.recall()
	}
	return l
}

func (l *Loop) newRequest(ctx context.Context) (*retryablehttp.Request, error) {
	if err := cmp.Or(l.request.Err, ctx.Err()); err != nil {
		return nil, err
	}
	var body any // a typed nil would count as a body
	if l.request.Body != nil {
		body = l.request.Body
	}
	req, err := retryablehttp.NewRequestWithContext(context.WithValue(ctx, loopKey{}, l), l.request.Method, l.request.URL, body)
	if err == nil {
		l.resetHeader(req.Request)
		req.Host = "" // http.Client would copy the URL; the attempt sets it
	}
	return req, err
}

// resetHeader removes cookies of http.Client's jar. Its header has only cookies; the
// others are set by the attempt.
func (l *Loop) resetHeader(req *http.Request) {
	clear(req.Header)
	if own := l.request.Header.Get("Cookie"); own != "" {
		req.Header.Set("Cookie", own)
	}
}

// keep makes a the last attempt.
func (l *Loop) keep(a Attempt) {
	l.Longest, l.again = max(l.Longest, time.Since(a.began)), false
	if l.Status != 0 {
		l.answered = new(l.Attempt)
	}
	l.Attempt = a
}

// recall returns to the last response if the attempt after it timed out: it says more.
func (l *Loop) recall() {
	timedOut := errors.Is(l.Err, context.DeadlineExceeded) || errors.Is(l.Err, context.Canceled)
	if timedOut && l.Status == 0 && l.Class != Ambiguous && l.answered != nil {
		l.Stopped = cmp.Or(l.Stopped, l.Err)
		l.Attempt = *l.answered
	}
}

// These find a dead HTTP/2 connection, whose peer has vanished without closing it,
// within 10 seconds, so that the next attempt uses a new one.
const (
	pingAfter   = 5 * time.Second // without a frame from the server
	pingTimeout = 5 * time.Second
)

// Default returns a transport with the standard library's default settings, all idle
// connections available to one host, and HTTP/2 health checks.
func Default() http.RoundTripper {
	std, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // the program has replaced it
		return http.DefaultTransport
	}
	own := std.Clone()
	own.MaxIdleConnsPerHost = own.MaxIdleConns
	own.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: pingTimeout}
	return own
}
