package transport

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// maxErrorBody is how much of a response an Attempt keeps.
const maxErrorBody = 64 << 10

// ErrCutOff says that the body of an error response broke off.
var ErrCutOff = errors.New("the response broke off")

var (
	errNotJSON    = errors.New("the response is not JSON")
	errNoStatus   = errors.New("the response has no valid status")
	errNoResponse = errors.New("the transport returned no response")
)

// An Attempt is the result of one HTTP request.
type Attempt struct {
	// Class says what it means.
	Class    Class
	unusable bool // the response came, and would come again

	// Status and Header are of the response; 0 and nil without one.
	Status int
	Header http.Header
	// Body is the beginning of a body that was not decoded, at most 64 KiB.
	Body []byte
	// Refusal is the error that Config.Refusal read in Body.
	Refusal error
	// TraceID identifies the request for Clerk's support; from the header
	// x-clerk-trace-id or from Body.
	TraceID string
	// RetryAfter is how long a response without success asked to wait.
	RetryAfter time.Duration
	// Err is why there is no usable response.
	Err error

	began time.Time
	size  int // of the whole body
}

// attempts is the http.RoundTripper below go-retryablehttp. It makes one attempt of the
// loop in the request's context, and returns a response without a body: what the attempt
// means is in the loop. It hides the other methods of the caller's transport, as
// go-retryablehttp would close idle connections that others use.
type attempts struct{}

func (attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	l := loopFrom(req.Context())
	l.Attempts++
	a := Attempt{began: time.Now()}
	ctx, cancel := context.WithDeadline(req.Context(), l.attemptDeadline(req.Context()))
	defer cancel()
	conn := newConnection()
	resp, err := l.send(httptrace.WithClientTrace(ctx, &conn.trace), req, conn)
	if err == nil {
		l.Value = a.read(ctx, resp, l)
	} else {
		a.Err = ownError(ctx, err)
	}
	a.Class = classify(l.request.isWrite(), conn.delivery(a.Err), a.Status, a.Err)
	l.keep(a)
	return withoutBody(resp, req), nil
}

// send gives the request to the transport, with its headers and the cookies that
// http.Client has added.
func (l *Loop) send(ctx context.Context, req *http.Request, conn *connection) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	cookies := req.Header
	req = req.WithContext(ctx)
	req.Header, req.Host = l.request.Header, req.URL.Host
	if len(cookies) > 0 {
		req.Header = req.Header.Clone()
		maps.Copy(req.Header, cookies)
	}
	if l.request.isWrite() { // or net/http would repeat it by itself over HTTP/2
		req.GetBody = nil
	}
	conn.entered = true
	resp, err := cmp.Or(l.client.HTTP.Transport, http.DefaultTransport).RoundTrip(req)
	if err == nil && resp == nil {
		err = errNoResponse
	}
	return resp, err
}

// withoutBody is what http.Client gets to see: a response without a body and, as
// redirects are refused, without a Location. Its jar needs the cookies.
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

// read reads the whole body of the response, within the limits, closes it, and decodes
// the result or the refusal.
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
	case IsSuccess(a.Status):
		err := readBody(buf, resp, l.client.MaxBytes)
		if err == nil || errors.Is(err, errTooLarge) {
			a.unusable = true // unless it is decoded
			err = cmp.Or(err, a.checkContentType())
		}
		if a.Err = ownError(ctx, err); err == nil {
			value, a.Err = l.request.Decode(buf.Bytes())
		}
	case a.Status >= 300: // the body of a 101 is the connection, and may never end
		err := readBody(buf, resp, min(maxErrorBody, l.client.MaxBytes))
		if err != nil && !errors.Is(err, errTooLarge) {
			a.Err = fmt.Errorf("%w: %w", ErrCutOff, ownError(ctx, err))
		}
		if a.Status >= 400 {
			a.TraceID, a.Refusal = l.client.Refusal(buf.Bytes())
		}
		a.RetryAfter = retryAfter(a.Header)
	}
	if a.size = buf.Len(); a.Err != nil || !IsSuccess(a.Status) {
		a.Body = bytes.Clone(buf.Bytes()[:min(a.size, maxErrorBody)])
	}
	if id := cmp.Or(a.Header.Get("X-Clerk-Trace-Id"), a.TraceID); id != "" {
		a.TraceID = redact.Line(id)
	}
	return value
}

// checkContentType rejects a response that declares something other than JSON.
func (a *Attempt) checkContentType() error {
	if a.Header.Get("Content-Type") == "application/json" {
		return nil
	}
	if t := a.contentType(); t != "" && t != "application/json" && !strings.HasSuffix(t, "+json") {
		return errNotJSON
	}
	return nil
}

func (a *Attempt) contentType() string {
	mediaType, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return mediaType
}

// attemptDeadline is when an attempt that begins now is cut off, if the context's deadline
// is not earlier.
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
