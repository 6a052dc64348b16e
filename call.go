package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

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

func (r *request) url(base string) string {
	if len(r.query) == 0 {
		return base + r.path
	}
	return base + r.path + "?" + r.query.Encode()
}

// A callMeta is what do returns beside its result.
type callMeta struct {
	ResponseMeta

	class         transport.Class // of the last attempt
	longest       time.Duration   // attempt
	isDevelopment bool            // the key is one of a development instance
}

// A call is one call of a public method. It may make several requests, which share its
// deadline.
type call struct {
	callConfig

	client    *clientConfig
	operation Operation
	started   time.Time
	deadline  time.Time // by MaxElapsedTime; zero for none or, in pages, for one each
	attempts  int       // of all requests so far
	isLookup  bool      // its requests look up what a write did
	answered  bool      // a response came that is not a 5xx
}

// newCall starts a call, without options.
func newCall(client *clientConfig, op Operation) *call {
	c := &call{client: client, operation: op}
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

// configure applies the caller's options to a call.
func configure[O comparable](c *call, opts []O, apply func(O, *callConfig) error) error {
	if len(opts) == 0 {
		return nil
	}
	err := applyAll(opts, func(o O) error { return apply(o, &c.callConfig) })
	return c.configured(err)
}

// runCall starts a call with the caller's options, makes its requests with f, and ends it.
func runCall[T any](client *clientConfig, op Operation, opts []CallOption, f func(*call) (T, callMeta, error)) (T, error) {
	c := newCall(client, op)
	if err := configure(c, opts, CallOption.applyToCall); err != nil {
		return *new(T), c.finish(callMeta{}, err)
	}
	result, meta, err := f(c)
	return result, c.finish(meta, err)
}

// configured is called when options have changed the call's configuration, or failed to.
func (c *call) configured(err error) error {
	c.restart()
	return cmp.Or(err, c.checkBaseURL())
}

// finish ends the call: its error and the caller's meta cover all of its requests.
func (c *call) finish(meta callMeta, err error) error {
	if err == nil && c.response == nil {
		return nil
	}
	if err != nil && metaOf(err) == nil { // an InputError
		err = invalid(c.operation, err)
	}
	m := &meta.ResponseMeta
	m.Operation, m.Attempts, m.Duration = c.operation, c.attempts, time.Since(c.started)
	if own := metaOf(err); own != nil {
		own.Operation, own.Attempts, own.Duration = m.Operation, m.Attempts, m.Duration
		if own.StatusCode != 0 { // otherwise the last response found nothing, and was no failure
			m = own
		}
	}
	if c.response != nil {
		*c.response = *m
	}
	return err
}

var errUnusableKey = errors.New("the secret key function returned an unusable key")

// key asks the key provider. It does not wait for one that ignores its context.
func (c *call) key(ctx context.Context) (string, error) {
	limit := c.deadline
	if limit.IsZero() {
		limit = time.Now().Add(c.attemptLimit(false))
	}
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	key, err := async.Wait(ctx, func() (string, error) { return c.client.keyProvider(ctx) })
	if err != nil {
		return "", fmt.Errorf("the secret key function failed: %w", err)
	}
	if problem := check.SecretKey(key); problem != "" { // no InputError: the request is valid
		return "", fmt.Errorf("%w: secret key %s", errUnusableKey, problem)
	}
	return key, nil
}

// do sends a request, retries it as the configuration says, and decodes the response.
func do[T any](ctx context.Context, c *call, r request, decode func([]byte) (T, error)) (T, callMeta, error) {
	if r.err != nil {
		return *new(T), callMeta{ResponseMeta: ResponseMeta{Operation: r.operation}}, invalid(r.operation, r.err)
	}
	header, err := c.requestHeader(ctx, r.isWrite())
	l := c.client.transport.Do(ctx, transport.Request{
		Operation: string(r.operation), Path: cmp.Or(r.template, r.path),
		Method: r.method, URL: r.url(c.baseURL), Header: header, Body: r.body,
		Decode: func(body []byte) (any, error) { return decode(body) },
		Err:    err, // the class is NotSent then
		Policy: c.policy(r.isWrite()),
	})
	meta := callMeta{ResponseMeta: ResponseMeta{
		Operation: r.operation, StatusCode: l.Status, Header: l.Header, TraceID: l.TraceID,
		Attempts: l.Attempts, RetryAfter: l.RetryAfter, Duration: time.Since(c.started),
	}, class: l.Class, longest: l.Longest, isDevelopment: strings.HasPrefix(header.Get("Authorization"), "Bearer sk_test_")}
	c.count(meta)
	if l.Class != transport.Succeeded {
		return *new(T), meta, c.failure(meta, l)
	}
	value, _ := l.Value.(T)
	return value, meta, nil
}

// attemptLimit is how long an attempt may take.
func (c *call) attemptLimit(isWrite bool) time.Duration {
	limit := cmp.Or(c.attemptTimeout, defaultAttemptTimeout)
	if c.attemptTimeout == 0 && isWrite && c.retry.Strategy != RetryNone {
		limit = defaultWriteTimeout
	}
	if c.isLookup {
		limit = min(limit, lookupTimeout)
	}
	if t := c.client.http.Timeout; t > 0 {
		limit = min(limit, t)
	}
	return limit
}

// policy says how the requests of the call are retried. A write that is looked up
// afterwards uses at most two thirds of the time until the caller's deadline and, unless
// WithAttemptTimeout is given, until MaxElapsedTime.
func (c *call) policy(isWrite bool) transport.Policy {
	retry := c.retry.Strategy != RetryNone
	return transport.Policy{
		Retry:                 retry,
		RetryConnectionErrors: *c.retry.RetryConnectionErrors,
		RetryRateLimits:       !c.keepLimits,
		LeaveTime:             retry && isWrite,
		LeaveCallTime:         retry && isWrite && c.attemptTimeout == 0,
		Backoff:               c.backoff,
		AttemptTimeout:        c.attemptLimit(isWrite),
		Deadline:              c.deadline,
	}
}

// count adds a request to those of the call.
func (c *call) count(m callMeta) {
	c.attempts += m.Attempts
	c.answered = c.answered || m.StatusCode > 0 && m.StatusCode < 500
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
		key, err := c.key(ctx)
		if err != nil {
			return nil, err
		}
		header["Authorization"] = []string{"Bearer " + key}
	}
	return header, nil
}

// failure is the error of a request that did not succeed.
func (c *call) failure(meta callMeta, l *transport.Loop) error {
	refused, isRefusal := errors.AsType[*ClerkErrors](l.Refusal)
	err, summary := l.Err, ""
	if isRefusal {
		refused.ResponseMeta, refused.class, refused.Body = meta.ResponseMeta, l.Class, l.Body
		if l.IsDocumented() {
			return refused
		}
		err, summary = refused, refused.summary()
	}
	if l.Stopped != nil {
		err = errors.Join(err, l.Stopped)
	}
	return &SDKError{ResponseMeta: meta.ResponseMeta, Message: l.Describe(summary, c.retry.Backoff.MaxElapsedTime), Err: err, Body: l.Body, class: l.Class}
}
