package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/clerk-invitations/clerk-go/internal/async"
)

// A ResponseMeta describes the response to a call. Both error types embed it; see
// [MetaFromError] and [WithResponse].
type ResponseMeta struct {
	// Operation is the operation that was called.
	Operation Operation
	// StatusCode is the HTTP status of the last response; 0 if there was none.
	StatusCode int
	// Header is the header of that response; nil if there was none.
	Header http.Header `json:"-"`
	// TraceID identifies the request for Clerk's support. It comes from the header
	// x-clerk-trace-id (as observed), or from the error's body; it may be empty.
	TraceID string
	// Attempts counts all requests of the call, including lookups.
	Attempts int
	// RetryAfter is how long the last response asked to wait, from its Retry-After
	// header; 0 if it did not ask.
	RetryAfter time.Duration
	// Duration is how long the call took, including its waits.
	Duration time.Duration
}

// Format writes m without its headers for every verb.
func (m ResponseMeta) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerk.ResponseMeta{%s status=%d trace=%s attempts=%d retry_after=%s duration=%s}",
		m.Operation, m.StatusCode, m.TraceID, m.Attempts, m.RetryAfter, m.Duration)
}

// A request is what an operation sends.
type request struct {
	operation Operation
	method    string
	path      string     // below the base URL, escaped
	template  string     // the path with its parameters named; empty if it has none
	query     url.Values // nil for none
	body      []byte     // nil for none
	err       error      // why it cannot be sent
}

func (r *request) isWrite() bool { return r.method != http.MethodGet }

// route is the method and the path without its parameters' values.
func (r *request) route() string { return r.method + " " + cmp.Or(r.template, r.path) }

// A callMeta is what do returns beside its result.
type callMeta struct {
	ResponseMeta

	class   class         // of the last attempt
	longest time.Duration // attempt
}

// A call is one call of a public method. It may make several requests, which share its
// deadline.
type call struct {
	callConfig

	client    *clientConfig
	operation Operation
	started   time.Time
	deadline  time.Time // by MaxElapsedTime; zero for none
	attempts  int       // of all requests so far
	lookup    bool      // its requests look up what a write did
	reached   bool      // a response came that is not a 5xx
	pageBound bool      // each page of a list has all of the call's time
}

// begin starts a call, without options.
func (s *InvitationsService) begin(op Operation) *call {
	c := &call{client: s.config(), operation: op}
	c.callConfig = c.client.callConfig
	c.restart()
	return c
}

// restart gives the call all of its time again.
func (c *call) restart() {
	c.started, c.deadline = time.Now(), time.Time{}
	if c.retry.Strategy != RetryNone {
		c.deadline = c.started.Add(c.retry.Backoff.MaxElapsedTime)
	}
}

// beginCall starts a call with the caller's options.
func (s *InvitationsService) beginCall(op Operation, opts []CallOption) (*call, error) {
	c := s.begin(op)
	if len(opts) == 0 {
		return c, nil
	}
	err := applyAll(opts, func(o CallOption) error { return o.applyToCall(&c.callConfig) })
	if err != nil {
		return c, invalid(op, err)
	}
	return c, c.configured()
}

// runCall starts a call with the caller's options, makes its requests with f, and ends it.
func runCall[T any](s *InvitationsService, op Operation, opts []CallOption, f func(*call) (T, callMeta, error)) (T, error) {
	c, err := s.beginCall(op, opts)
	if err != nil {
		return *new(T), c.finish(callMeta{}, err)
	}
	result, meta, err := f(c)
	return result, c.finish(meta, err)
}

// configured is called when options have changed the call's configuration.
func (c *call) configured() error {
	c.restart()
	if err := c.checkBaseURL(); err != nil {
		return invalid(c.operation, err)
	}
	return nil
}

// finish ends the call: its error and the caller's meta cover all of its requests.
func (c *call) finish(meta callMeta, err error) error {
	if err == nil && c.response == nil {
		return nil
	}
	m := &meta.ResponseMeta
	if own := metaOf(err); own != nil {
		m = own
	}
	m.Operation, m.Attempts, m.Duration = c.operation, c.attempts, time.Since(c.started)
	if c.response != nil {
		*c.response = *m
	}
	return err
}

// key returns the current secret key. It does not wait for a provider that ignores its
// context.
func (c *call) key(ctx context.Context) (string, error) {
	if c.client.keyProvider == nil {
		return c.client.staticKey, nil
	}
	limit := c.deadline
	if limit.IsZero() {
		limit = time.Now().Add(c.attemptLimit(false))
	}
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	type answer struct {
		key string
		err error
	}
	select {
	case done := <-async.Go(func() (a answer) {
		a.key, a.err = c.client.keyProvider(ctx)
		return a
	}):
		a, err := done.Get()
		if err != nil {
			return "", fmt.Errorf("the secret key function: %w", err)
		}
		return a.key, a.err
	case <-ctx.Done():
		return "", fmt.Errorf("the secret key function: %w", ctx.Err())
	}
}

// do sends a request, retries it as the configuration says, and decodes the response.
func do[T any](ctx context.Context, c *call, r request, decode func([]byte) (T, error)) (T, callMeta, error) {
	l := &requestLoop{call: c, request: r, decode: func(body []byte) (any, error) { return decode(body) }}
	if r.err != nil {
		return *new(T), l.meta(), invalid(r.operation, r.err)
	}
	l.run(ctx)
	c.attempts += l.attempts
	c.reached = c.reached || l.last.status > 0 && l.last.status < 500
	if l.last.class != classSucceeded {
		return *new(T), l.meta(), l.failure()
	}
	result, _ := l.result.(T)
	return result, l.meta(), nil
}

// A requestLoop makes the attempts of one request.
type requestLoop struct {
	*call
	request

	decode   func([]byte) (any, error)
	result   any         // of decode
	header   http.Header // of each attempt
	attempts int         // begun so far
	longest  time.Duration
	last     attempt
	answered *attempt      // the last one before it that has a response; nil without one
	again    bool          // the policy wants another attempt
	wait     time.Duration // before it
	stopped  error         // why there was no further attempt: the context's error
}

type loopKey struct{}

func loopFrom(ctx context.Context) *requestLoop {
	l, _ := ctx.Value(loopKey{}).(*requestLoop)
	return l
}

// newRetryingClient returns the go-retryablehttp client that runs the request loops of a
// client. Its hooks find their loop in the request's context.
func newRetryingClient(jar http.CookieJar, logger *slog.Logger) *retryablehttp.Client {
	client := &retryablehttp.Client{
		HTTPClient: &http.Client{Transport: attempts{}, Jar: jar},
		RetryMax:   math.MaxInt, // MaxElapsedTime ends it
		CheckRetry: func(ctx context.Context, _ *http.Response, err error) (bool, error) {
			l := loopFrom(ctx)
			return err == nil && l.last.class != classSucceeded && l.plan(ctx), nil
		},
		Backoff: func(_, _ time.Duration, _ int, resp *http.Response) time.Duration {
			return loopFrom(resp.Request.Context()).wait
		},
		PrepareRetry: func(req *http.Request) error { // http.Client adds cookies to it
			req.Header = loopFrom(req.Context()).ownCookies()
			return nil
		},
	}
	if logger != nil {
		client.ResponseLogHook = func(_ retryablehttp.Logger, resp *http.Response) {
			ctx := resp.Request.Context()
			loopFrom(ctx).log(ctx, logger)
		}
	}
	return client
}

// run makes the attempts. go-retryablehttp drives the loop: attempts.RoundTrip sets
// l.last, CheckRetry calls plan, which sets l.again and l.wait, Backoff returns l.wait,
// and PrepareRetry resets the cookies.
func (l *requestLoop) run(ctx context.Context) {
	req, err := l.newRequest(ctx)
	if err != nil {
		l.last = attempt{err: err, class: classNotSent}
		return
	}
	resp, err := l.client.retrying.Do(req) // the body was read and closed by the attempt
	if resp != nil {
		_ = resp.Body.Close()
	}
	switch {
	case l.attempts == 0:
		l.last = attempt{err: err, class: classNotSent}
	case l.again: // the context ended during the wait
		l.stopped = err
	}
	if l.last.class != classSucceeded {
		l.recall()
	}
}

func (l *requestLoop) newRequest(ctx context.Context) (*retryablehttp.Request, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := l.key(ctx)
	if err != nil {
		return nil, err
	}
	l.header = maps.Clone(l.callConfig.header)
	if l.client.keyProvider != nil {
		l.header["Authorization"] = []string{"Bearer " + key}
	}
	if l.isWrite() {
		l.header["Content-Type"] = l.header["Accept"]
	}
	target := l.baseURL + l.path
	if len(l.query) > 0 {
		target += "?" + l.query.Encode()
	}
	var body any // a typed nil would count as a body
	if l.body != nil {
		body = l.body
	}
	req, err := retryablehttp.NewRequestWithContext(context.WithValue(ctx, loopKey{}, l), l.method, target, body)
	if err == nil {
		req.Header = l.ownCookies()
		req.Host = "" // http.Client would copy the URL; the attempt sets it
	}
	return req, err
}

// ownCookies is the header that http.Client adds its jar's cookies to; the others are
// set by the attempt.
func (l *requestLoop) ownCookies() http.Header {
	header := http.Header{}
	if own := l.header.Get("Cookie"); own != "" {
		header.Set("Cookie", own)
	}
	return header
}

// keep makes a the last attempt.
func (l *requestLoop) keep(a attempt) {
	l.longest, l.again = max(l.longest, time.Since(a.began)), false
	if l.last.status != 0 {
		l.answered = new(l.last)
	}
	l.last = a
}

// recall returns to the last response if the attempt after it timed out: it says more.
func (l *requestLoop) recall() {
	timedOut := errors.Is(l.last.err, context.DeadlineExceeded) || errors.Is(l.last.err, context.Canceled)
	if timedOut && l.last.status == 0 && l.last.class != classAmbiguous && l.answered != nil {
		l.stopped = cmp.Or(l.stopped, l.last.err)
		l.last = *l.answered
	}
}

// meta describes the last attempt.
func (l *requestLoop) meta() callMeta {
	return callMeta{ResponseMeta{
		Operation:  l.request.operation,
		StatusCode: l.last.status,
		Header:     l.last.header,
		TraceID:    l.last.traceID,
		Attempts:   l.attempts,
		RetryAfter: l.last.retryAfter,
		Duration:   time.Since(l.started),
	}, l.last.class, l.longest}
}

// A RequestInfo says which call a request belongs to.
type RequestInfo struct {
	// Operation is the request's operation. A lookup after a failed write is an
	// OperationList.
	Operation Operation
	// Route is the method and the path below the base URL, without the values of its
	// parameters, such as "POST /invitations/{invitation_id}/revoke".
	Route string
	// Attempt counts the attempts of the request, from 1.
	Attempt int
}

// RequestInfoFromContext returns the information about a request of this package from
// its context. It is for transports, for example to name spans without the request's
// URL, whose query may contain an address. The second result is false for other
// requests.
func RequestInfoFromContext(ctx context.Context) (RequestInfo, bool) {
	l := loopFrom(ctx)
	if l == nil {
		return RequestInfo{}, false
	}
	return RequestInfo{Operation: l.request.operation, Route: l.route(), Attempt: l.attempts}, true
}
