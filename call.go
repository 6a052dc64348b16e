package clerk

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/timing"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A callMeta describes the last request of a call.
type callMeta struct {
	ResponseMeta

	class         transport.Class // of the last attempt
	sent          time.Time       // when the last attempt began; zero if there was none
	longest       time.Duration   // of an attempt
	isDevelopment bool            // the key belongs to a development instance
	total         int             // of a list; -1 if it is not known
}

// A call is one call of a public method. It may make several requests, which share its
// deadline.
type call struct {
	callConfig

	client    *clientConfig
	operation Operation
	method    string // in its errors, instead of the operation; empty for none
	started   time.Time
	deadline  time.Time // by MaxElapsedTime; zero for none
	perPage   bool      // each page of a list may take all of the call's time
	isLookup  bool      // its requests look up what a write did
	id        uint64    // in log records; 0 without a logger
	pass      int       // lookups of what its write did, so far
	origin    *call     // the call itself, in parts of it
	lookups   int       // that failed so far, of origin

	last     callMeta       // of the last request; of a write, the last that was no lookup
	sent     decide.History // of the write
	attempts int            // of all requests so far
	answered bool           // a response came that is not a 5xx
}

// newCall starts a call, without options.
func newCall(client *clientConfig, op Operation) *call {
	c := &call{client: client, operation: op}
	if client.logger != nil {
		c.id = client.calls.Add(1)
	}
	c.origin = c
	c.callConfig = c.client.callConfig
	c.restart()
	return c
}

// part returns a call for some of c's requests, within c's time. c counts them afterwards.
func (c *call) part() *call {
	return &call{
		callConfig: c.callConfig, client: c.client, operation: c.operation,
		started: c.started, deadline: c.deadline, isLookup: c.isLookup,
		id: c.id, pass: c.pass, origin: c.origin,
	}
}

// anew returns a call like c that has made no request and may take all of c's time.
func (c *call) anew() *call {
	next := c.part()
	next.origin, next.pass = next, 0
	next.restart()
	return next
}

// restart gives the call all of its time again.
func (c *call) restart() {
	c.started, c.deadline = time.Now(), time.Time{}
	if c.retry.Strategy != RetryNone {
		c.deadline = c.started.Add(c.retry.Backoff.MaxElapsedTime)
	}
}

// withDeadline returns a context that ends with the call.
func (c *call) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, c.deadline)
}

// configure applies the caller's options to a call.
func configure[O comparable](c *call, opts []O, apply func(O, *callConfig) error) error {
	if len(opts) == 0 {
		return nil
	}
	err := applyAll(opts, func(o O) error { return apply(o, &c.callConfig) })
	return c.configured(err)
}

// A method describes a public method that is called.
type method struct {
	operation Operation
	name      string // in errors, if it is not one of Clerk's operations
	input     error  // what is wrong with its arguments; nil for nothing
}

// runCall starts a call with the caller's options, makes its requests with f, and ends it.
func runCall[T any](client *clientConfig, m method, opts []CallOption, f func(*call) (T, error)) (result T, err error) {
	c := newCall(client, m.operation)
	err = configure(c, opts, CallOption.applyToCall)
	if err == nil {
		c.method, err = m.name, m.input
	}
	if err == nil {
		result, err = f(c)
	}
	return result, c.finish(err)
}

// configured finishes the configuration after options have changed it, or failed to.
func (c *call) configured(err error) error {
	c.restart()
	return cmp.Or(err, c.checkBaseURL())
}

// finish ends the call: its error and the caller's meta cover all of its requests.
func (c *call) finish(err error) error {
	if err == nil && c.response == nil {
		return nil
	}
	if err != nil && metaOf(err) == nil { // an InputError
		err = invalid(c.operation, err)
	}
	m := &c.last.ResponseMeta
	m.Operation, m.Attempts, m.Duration = c.operation, c.attempts, time.Since(c.started)
	if own := metaOf(err); own != nil {
		own.Operation, own.Attempts, own.Duration, own.method = m.Operation, m.Attempts, m.Duration, c.method
		if own.StatusCode != 0 { // otherwise the last response found nothing, and was no failure
			m = own
		}
	}
	if c.response != nil {
		*c.response = *m
	}
	return err
}

// do sends a request, retries it as the configuration says, and decodes the response. The
// request's URL is relative to the base URL, and may be empty if it is the path.
func do[T any](ctx context.Context, c *call, r transport.Request, decode func([]byte) (T, error)) (T, error) {
	r.URL = c.baseURL + cmp.Or(r.URL, r.Path)
	r.Decode = func(body []byte) (any, error) { return decode(body) }
	r.Policy, r.Gate = c.policy(r.IsWrite()), c.client.gates.For(c.baseURL, c.client.random)
	r.Call, r.CallID, r.Pass = c.origin, c.id, c.pass
	var l *transport.Loop
	var err error
	if r.Header, err = c.requestHeader(ctx, r.IsWrite()); err != nil {
		l = transport.Unsent(r, err)
	} else {
		l = c.client.transport.Do(ctx, r)
	}
	c.last = callMeta{ResponseMeta: ResponseMeta{
		Operation: Operation(r.Operation), StatusCode: l.Status, Header: l.Header, TraceID: l.TraceID,
		Attempts: l.Attempts, RetryAfter: l.RetryAfter, Duration: time.Since(c.started),
	}, class: l.Class, sent: l.Began, longest: l.Longest, isDevelopment: strings.HasPrefix(r.Header.Get("Authorization"), "Bearer sk_test_")}
	c.attempts += l.Attempts
	c.answered = c.answered || l.Status > 0 && l.Status < 500
	if l.Class != transport.Succeeded {
		return *new(T), c.failure(l)
	}
	value, _ := l.Value.(T)
	return value, nil
}

// timing returns the timing of the call's requests.
func (c *call) timing() timing.Timing {
	return timing.Timing{
		Retries: c.retry.Strategy != RetryNone, Timeout: c.attemptTimeout, Longest: c.client.http.Timeout,
		Backoff: c.retry.Backoff.waits(), Random: c.client.random, IsLookup: c.isLookup, FailedLookups: &c.origin.lookups,
	}
}

// policy says how the requests of the call are retried.
func (c *call) policy(isWrite bool) transport.Policy {
	p := c.timing().Policy(isWrite)
	p.RetryConnectionErrors, p.RetryRateLimits = *c.retry.RetryConnectionErrors, !c.keepLimits
	p.Backoff, p.Deadline = c, c.deadline
	return p
}

// Backoff returns how long to wait after an attempt of a request, counted from 1. asked is
// the wait that Clerk asked for; 0 if it did not ask.
func (c *call) Backoff(attempt int, asked time.Duration) time.Duration {
	return c.timing().Wait(attempt, asked)
}

// pause waits after a lookup of what the call's write did, before the next step.
func (c *call) pause(ctx context.Context, next string, wait time.Duration) error {
	if logger := c.client.logger; logger != nil && c.pass > 0 {
		logger.LogAttrs(ctx, slog.LevelWarn, "clerk write looked up", slog.String("operation", string(c.operation)),
			slog.Uint64("call", c.id), slog.Int("pass", c.pass), slog.String("next", next), slog.Duration("wait", wait))
	}
	return clock.Sleep(ctx, wait)
}

// count adds the requests of a part to those of the call.
func (c *call) count(part *call) {
	c.attempts += part.attempts
	c.answered = c.answered || part.answered
}

// requestHeader returns the header of a request. The key provider may fail.
func (c *call) requestHeader(ctx context.Context, isWrite bool) (http.Header, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	header := maps.Clone(c.header)
	if isWrite {
		header["Content-Type"] = header["Accept"]
	}
	if c.client.keyProvider != nil {
		until := c.deadline
		if until.IsZero() {
			until = time.Now().Add(c.timing().AttemptLimit(false))
		}
		key, err := transport.Key(ctx, until, c.client.keyProvider)
		if err != nil {
			return nil, err
		}
		header["Authorization"] = []string{"Bearer " + key}
	}
	return header, nil
}

// measureSkew measures the clock skew with a write that has just succeeded. Clerk carried it
// out at the given time by its own clock. isNew means that the invitation cannot be older than
// the request.
func (c *call) measureSkew(at UnixMilli, isNew bool) {
	if at != 0 {
		c.client.skew.Measure(c.last.Header, at.Time(), c.last.longest, isNew)
	}
}

// failure returns the error of a request that did not succeed.
func (c *call) failure(l *transport.Loop) error {
	refused, isRefusal := errors.AsType[*ClerkErrors](l.Refusal)
	err, summary := l.Err, ""
	if isRefusal {
		refused.ResponseMeta, refused.class, refused.Body = c.last.ResponseMeta, l.Class, l.Body
		if l.IsDocumented() {
			return refused
		}
		err, summary = refused, refused.summary()
	}
	if l.Stopped != nil {
		err = errors.Join(err, l.Stopped)
	}
	message := l.Describe(summary, c.retry.Backoff.MaxElapsedTime)
	if l.Status == http.StatusNotFound && !isRefusal && !strings.Contains(c.baseURL+"/", "/v1/") {
		message += "; the base URL has no /v1, as Clerk's has"
	}
	return &SDKError{ResponseMeta: c.last.ResponseMeta, Message: message, Err: err, Body: l.Body, class: l.Class}
}
