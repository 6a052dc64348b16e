package clerk

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// maxErrorBody is how much of a response an error keeps.
const maxErrorBody = 64 << 10

var (
	errTooLarge    = errors.New("the response is larger than WithMaxResponseBytes allows")
	errNotJSON     = errors.New("the response is not JSON")
	errNoStatus    = errors.New("the response has no valid status")
	errNoResponse  = errors.New("the transport returned no response")
	errCutOff      = errors.New("the response broke off")
	errUnusableKey = errors.New("the secret key function returned an unusable key")
)

// An attempt is the result of one HTTP request.
type attempt struct {
	began   time.Time
	status  int          // 0 without a response
	header  http.Header  // nil without a response
	body    []byte       // of a response that is not the result, as much as an error keeps
	size    int          // of the whole body
	refusal *ClerkErrors // Clerk's error envelope in it; nil if it has none
	traceID string

	retryAfter time.Duration // that a failed one asked to wait
	err        error         // why there is no usable response
	class      class
}

// attempts is the http.RoundTripper below go-retryablehttp. It makes one attempt of the
// request loop in the request's context, and returns a response without a body: what
// the attempt means is in loop.last. It hides the other methods of the caller's
// transport, as go-retryablehttp would close idle connections that others use.
type attempts struct{}

func (attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	l := loopFrom(req.Context())
	l.attempts++
	a := attempt{began: time.Now()}
	ctx, cancel := context.WithDeadline(req.Context(), l.attemptDeadline(req.Context()))
	defer cancel()
	conn := newConnection()
	resp, err := l.send(httptrace.WithClientTrace(ctx, &conn.trace), req, conn)
	if err == nil {
		l.result = a.read(ctx, resp, l.client.maxResponseBytes, l.decode)
	} else {
		a.err = ownError(ctx, err)
	}
	a.class = classify(l.isWrite(), conn.delivery(a.err), a.status, a.err)
	l.keep(a)
	return withoutBody(resp, req), nil
}

// send gives the request to the transport, with the loop's headers and the cookies that
// http.Client has added.
func (l *requestLoop) send(ctx context.Context, req *http.Request, conn *connection) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	cookies := req.Header
	req = req.WithContext(ctx)
	req.Header, req.Host = l.header, req.URL.Host
	if len(cookies) > 0 {
		req.Header = req.Header.Clone()
		maps.Copy(req.Header, cookies)
	}
	if l.isWrite() { // or net/http would repeat it by itself over HTTP/2
		req.GetBody = nil
	}
	conn.entered = true
	resp, err := cmp.Or(l.client.http.Transport, http.DefaultTransport).RoundTrip(req)
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

// A connection records how often an attempt asked for a connection, and got one.
type connection struct {
	trace       httptrace.ClientTrace
	entered     bool // the transport was given the request
	wanted, got atomic.Int32
}

func newConnection() *connection {
	c := new(connection)
	c.trace.GetConn = func(string) { c.wanted.Add(1) }
	c.trace.GotConn = func(httptrace.GotConnInfo) { c.got.Add(1) }
	return c
}

// delivery says how often the request of an attempt that ended with err was sent.
func (c *connection) delivery(err error) delivery {
	wanted, got := c.wanted.Load(), c.got.Load()
	switch {
	case got > 1:
		return deliveredAgain
	case !c.entered, wanted > 0 && got == 0, err != nil && got == 1 && isUnprocessed(err):
		return deliveredNever
	case wanted == 0 && err != nil: // a transport that does not trace
		if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "dial" {
			return deliveredNever
		}
	}
	return deliveredOnce
}

// isUnprocessed reports whether HTTP/2 says that the server did not process the request
// (RFC 9113, 6.8 and 8.7). net/http's types for this are not exported; the pattern
// matches their texts, and no text that a server or another transport can choose.
func isUnprocessed(err error) bool { return unprocessed.MatchString(err.Error()) }

var unprocessed = regexp.MustCompile(`^(http2: Transport: cannot retry err \[)?` +
	`(stream error: stream ID \d+; REFUSED_STREAM;|http2: Transport received Server's graceful shutdown GOAWAY)`)

// ownError strips what a transport's error has of the request or the caller: the URL,
// whose query may contain an address, and the cause of a cancelled context.
func ownError(ctx context.Context, err error) error {
	for {
		withURL, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		err = withURL.Err
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return ctx.Err()
	}
	return err
}

// isTransient reports whether a retry may succeed after err. It cannot after an untrusted
// certificate, or an unusable response or key.
func isTransient(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !untrusted && !errors.Is(err, errTooLarge) && !errors.Is(err, errNotJSON) && !errors.Is(err, errUnusableKey) &&
		!errors.Is(err, errNoInvitation) && !errors.Is(err, errNoInvitations) && !errors.Is(err, errMismatch)
}

// read reads the whole body of the response, within the limits, closes it, and decodes
// the result or Clerk's refusal.
func (a *attempt) read(ctx context.Context, resp *http.Response, limit int64, decode func([]byte) (any, error)) (result any) {
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 100 {
		a.err = errNoStatus
		return nil
	}
	a.status, a.header = resp.StatusCode, resp.Header
	buf := newBodyBuffer()
	defer releaseBodyBuffer(buf)
	switch {
	case isSuccess(a.status):
		err := readBody(buf, resp, limit)
		if a.err = cmp.Or(ownError(ctx, err), a.checkContentType()); a.err == nil {
			result, a.err = decode(buf.Bytes())
		}
	case a.status >= 300: // the body of a 101 is the connection, and may never end
		err := readBody(buf, resp, min(maxErrorBody, limit))
		if err != nil && !errors.Is(err, errTooLarge) {
			a.err = fmt.Errorf("%w: %w", errCutOff, ownError(ctx, err))
		}
		if a.status >= 400 {
			a.refusal, a.traceID = parseErrors(buf.Bytes())
		}
	}
	if a.size = buf.Len(); a.err != nil || !isSuccess(a.status) {
		a.body = bytes.Clone(buf.Bytes()[:min(a.size, maxErrorBody)])
	}
	if id := cmp.Or(a.header.Get("X-Clerk-Trace-Id"), a.traceID); id != "" {
		a.traceID = redact.Line(id)
	}
	if !isSuccess(a.status) {
		a.retryAfter = retryAfter(a.header)
	}
	return result
}

// checkContentType rejects a response that declares something other than JSON.
func (a *attempt) checkContentType() error {
	if a.header.Get("Content-Type") == "application/json" {
		return nil
	}
	if t := a.contentType(); t != "" && t != "application/json" && !strings.HasSuffix(t, "+json") {
		return errNotJSON
	}
	return nil
}

func (a *attempt) contentType() string {
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return mediaType
}

// attemptLimit is how long an attempt may take.
func (c *call) attemptLimit(isWrite bool) time.Duration {
	limit := c.attemptTimeout
	switch {
	case limit > 0:
	case isWrite && c.retry.Strategy != RetryNone:
		limit = defaultWriteTimeout
	default:
		limit = defaultAttemptTimeout
	}
	if c.lookup {
		limit = min(limit, lookupTimeout)
	}
	if t := c.client.http.Timeout; t > 0 {
		limit = min(limit, t)
	}
	return limit
}

// attemptDeadline is when an attempt that begins now is cut off, if the caller's deadline
// is not earlier. A write that is looked up afterwards uses at most two thirds of the time
// until that and, unless WithAttemptTimeout is given, until MaxElapsedTime.
func (l *requestLoop) attemptDeadline(ctx context.Context) time.Time {
	now := time.Now()
	limit := l.attemptLimit(l.isWrite())
	if l.isWrite() && l.retry.Strategy != RetryNone {
		if callers, ok := ctx.Deadline(); ok {
			limit = min(limit, callers.Sub(now)/3*2)
		}
		if l.attemptTimeout == 0 {
			limit = min(limit, l.deadline.Sub(now)/3*2)
		}
	}
	if deadline := now.Add(limit); l.deadline.IsZero() || deadline.Before(l.deadline) {
		return deadline
	}
	return l.deadline
}

// maxPooledBody is the largest buffer that is kept for another response. A page of
// MaxListLimit invitations takes about a fifth of it.
const maxPooledBody = 1 << 20

var bodyBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// newBodyBuffer returns an empty buffer. It is the caller's until releaseBodyBuffer.
func newBodyBuffer() *bytes.Buffer {
	buf, _ := bodyBuffers.Get().(*bytes.Buffer)
	return buf
}

// releaseBodyBuffer gives buf to the next call. Nothing may alias it anymore.
func releaseBodyBuffer(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooledBody {
		buf.Reset()
		bodyBuffers.Put(buf)
	}
}

// readBody appends the response's body to buf, at most limit bytes of it.
// Whatever the error, buf keeps what was read.
func readBody(buf *bytes.Buffer, resp *http.Response, limit int64) error {
	expected := max(0, resp.ContentLength) // a claim, not a fact
	// ReadFrom wants bytes.MinRead to spare, also where it finds the end.
	buf.Grow(int(min(expected, limit, maxPooledBody-bytes.MinRead)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit))
	if err != nil || n < limit {
		return err
	}
	if more, _ := io.ReadFull(resp.Body, make([]byte, 1)); more > 0 {
		return fmt.Errorf("%w: %d bytes", errTooLarge, limit)
	}
	return nil
}
