package transport

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// maxErrorBody limits the bytes of a body that an Attempt keeps.
const maxErrorBody = 64 << 10

// ErrCutOff means that the body of an error response ended early.
var ErrCutOff = errors.New("the response was cut off")

var (
	errNotJSON    = errors.New("the response is not JSON")
	errNoStatus   = errors.New("the response has no valid status")
	errNoResponse = errors.New("the transport returned no response")
)

// attempts is the http.RoundTripper below go-retryablehttp. It makes one attempt of the
// Loop in the request's context, stores the result there, and returns a response without
// a body. It hides the caller's transport, whose idle connections go-retryablehttp would
// close although others may use them.
type attempts struct{}

func (attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	l := loopFrom(req.Context())
	ticket, err := l.enter(req.Context())
	if err != nil {
		l.held = err
		closeBody(req)
		return withoutBody(nil, req), nil
	}
	l.Attempts++
	a := Attempt{Began: time.Now()}
	ctx, cancel := context.WithDeadline(req.Context(), l.attemptDeadline(req.Context()))
	defer cancel()
	conn := newConnection(ctx)
	resp, err := l.send(conn, req) //nolint:contextcheck // a connection is a context
	sent := conn.delivery(err)
	if err == nil {
		l.Value = a.read(ctx, resp, l)
	} else {
		a.Err = ownError(ctx, err)
	}
	a.Class = a.classify(l.request.IsWrite(), sent)
	if a.Class != NotSent && errors.Is(a.Err, ErrNotSent) { // the transport claims it, but the request was sent
		a.Err = errors.New(a.Err.Error())
	}
	l.leave(ticket, &a)
	l.keep(a)
	return withoutBody(resp, req), nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// send passes the request to the transport, with its header and the cookies that
// http.Client has added.
func (l *Loop) send(conn *connection, req *http.Request) (*http.Response, error) {
	if err := conn.Err(); err != nil {
		closeBody(req)
		return nil, err
	}
	cookies := req.Header
	req = req.WithContext(conn)
	req.Header, req.Host = l.request.Header, req.URL.Host
	if len(cookies) > 0 {
		req.Header = req.Header.Clone()
		maps.Copy(req.Header, cookies)
	}
	if l.request.IsWrite() { // otherwise net/http would retry it over HTTP/2 by itself
		req.GetBody = nil
	}
	conn.entered = true
	resp, err := cmp.Or(l.client.HTTP.Transport, http.DefaultTransport).RoundTrip(req)
	if err == nil && resp == nil {
		err = errNoResponse
	}
	return resp, err
}

// withoutBody returns the response that http.Client sees: without a body, and with only the
// cookies for its jar as header. Without a Location, http.Client follows no redirect.
func withoutBody(resp *http.Response, req *http.Request) *http.Response {
	if resp == nil {
		return &http.Response{Body: http.NoBody, Request: req}
	}
	cookies := resp.Header["Set-Cookie"]
	resp.Body, resp.Request, resp.Header = http.NoBody, req, nil
	if cookies != nil {
		resp.Header = http.Header{"Set-Cookie": cookies}
	}
	return resp
}

// read reads the body of the response up to its limit, closes it, and decodes it. It
// returns the value of a successful response.
func (a *Attempt) read(ctx context.Context, resp *http.Response, l *Loop) (value any) {
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 100 {
		a.Err = errNoStatus
		return nil
	}
	a.Status, a.Header = resp.StatusCode, resp.Header
	buf := newBodyBuffer()
	defer releaseBodyBuffer(buf)
	switch {
	case isSuccess(a.Status):
		err := readBody(buf, resp, l.client.MaxBytes)
		a.unusable = err == nil || errors.Is(err, errTooLarge) // unless it can be decoded
		if a.Err = ownError(ctx, err); err == nil {
			value, a.Err = l.request.Decode(buf.Bytes())
		}
		if err == nil && a.Err != nil && !a.claimsJSON() && !json.Valid(buf.Bytes()) {
			a.Err = errNotJSON
		}
	case a.Status >= 300: // the body of a 101 is the connection, which may never end
		err := readBody(buf, resp, min(maxErrorBody, l.client.MaxBytes))
		if err != nil && !errors.Is(err, errTooLarge) {
			a.Err = fmt.Errorf("%w: %w", ErrCutOff, ownError(ctx, err))
		}
		if a.Status >= 400 {
			a.TraceID, a.Refusal = l.client.Refusal(buf.Bytes())
		}
		a.RetryAfter = retryAfter(a.Header)
	}
	if a.size = buf.Len(); a.Err != nil || !isSuccess(a.Status) {
		a.Body = bytes.Clone(buf.Bytes()[:min(a.size, maxErrorBody)])
	}
	if id := cmp.Or(a.Header.Get("X-Clerk-Trace-Id"), a.TraceID, a.Header.Get("Cf-Ray")); id != "" {
		a.TraceID = redact.Line(id)
	}
	return value
}

// claimsJSON reports whether the Content-Type is that of JSON, or missing. It only affects an
// error's text: a body that can be decoded is a result.
func (a *Attempt) claimsJSON() bool {
	t := a.contentType()
	return t == "" || t == "application/json" || strings.HasSuffix(t, "+json")
}

// attemptDeadline returns the deadline of an attempt that begins now. ctx may end
// earlier.
func (l *Loop) attemptDeadline(ctx context.Context) time.Time {
	now, p := time.Now(), &l.request.Policy
	limit := p.AttemptTimeout
	if callers, ok := ctx.Deadline(); ok && p.LeaveTime {
		limit = min(limit, callers.Sub(now)/3*2)
	}
	if p.LeaveCallTime {
		limit = min(limit, p.Deadline.Sub(now)/3*2)
	}
	if deadline := now.Add(limit); p.Deadline.IsZero() || deadline.Before(p.Deadline) {
		return deadline
	}
	return p.Deadline
}
