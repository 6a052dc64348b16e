package clerk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// maxErrorBody is how much of a response an error keeps.
const maxErrorBody = 64 << 10

var (
	errTooLarge = errors.New("the response is larger than WithMaxResponseBytes allows")
	errNotJSON  = errors.New("the response is not JSON")
	errNoStatus = errors.New("the response has no valid status")
	errCutOff   = errors.New("the response broke off")
)

// A request is what an operation sends.
type request struct {
	operation Operation
	method    string
	path      string     // under the base URL, escaped
	template  string     // the path with its parameters named; empty where it has none
	query     url.Values // nil for none
	body      []byte     // nil for none
	invalid   error      // why it is not to be sent
}

func (r *request) isWrite() bool { return r.method != http.MethodGet }

// route is the path without its parameters' values.
func (r *request) route() string {
	if r.template != "" {
		return r.template
	}
	return r.path
}

// carryOut carries out one operation: it sends the request, as often as the retry
// policy says, and decodes the response.
func carryOut[T any](ctx context.Context, cfg *config, r request, decode func([]byte) (T, error)) (T, error) {
	var zero T
	x := &exchange{config: cfg, request: r, started: time.Now()}
	if x.response != nil {
		defer func() { *x.response = x.meta() }()
	}
	if err := cmp.Or(r.invalid, cfg.check()); err != nil {
		return zero, invalid(r.operation, err)
	}
	x.send(ctx)
	if !x.last.succeeded() {
		return zero, x.failure(cmp.Or(x.last.err, x.last.cut))
	}
	result, err := decode(x.last.body)
	if err != nil {
		return zero, x.failure(err)
	}
	return result, nil
}

// An exchange is one call: its request, and what its attempts came to.
type exchange struct {
	*config
	request

	started  time.Time
	deadline time.Time   // of the call itself, beside the caller's; zero for none
	header   http.Header // of each attempt
	attempts int         // begun so far
	last     attempt
	conn     connection
	again    bool          // the policy wants another attempt
	wait     time.Duration // before it
	cutShort error         // the context's, when it ended before that attempt
}

// An attempt is what one HTTP request came to.
type attempt struct {
	began   time.Time
	entered bool         // the transport was given the request
	status  int          // 0 without a response
	header  http.Header  // nil without a response
	body    []byte       // what was read of it
	refusal *ClerkErrors // what Clerk says in it; nil when it is none of Clerk's
	traceID string
	err     error  // why there is no response, or a 2xx could not be read
	cut     error  // why the body of any other could not be read
	release func() // ends its context; nil before it has one
	unsent  bool   // certainly not processed by the server
}

func (a *attempt) succeeded() bool {
	return a.err == nil && a.status >= 200 && a.status < 300
}

// isRefusal reports whether a status says that the request was not carried out.
func isRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}

// send makes the attempts. It leaves what they came to in x.
func (x *exchange) send(ctx context.Context) {
	if err := ctx.Err(); err != nil {
		x.last = attempt{err: err, unsent: true}
		return
	}
	if x.retry.Strategy != RetryNone {
		x.deadline = x.started.Add(x.retry.Backoff.MaxElapsedTime)
	}
	req, err := x.newRequest(ctx)
	if err != nil {
		x.last = attempt{err: err, unsent: true}
		return
	}
	client := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     attemptTransport{x},
			Jar:           x.httpClient.Jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: math.MaxInt, // MaxElapsedTime ends it
		RequestLogHook: func(_ retryablehttp.Logger, r *http.Request, _ int) {
			r.Header = http.Header{} // for http.Client to add cookies to
			if own := x.header["Cookie"]; own != nil {
				r.Header["Cookie"] = slices.Clone(own)
			}
			x.beginAttempt()
		},
		CheckRetry: x.checkRetry,
		Backoff:    x.backoff,
	}
	// The response is in x.last, read and closed. What Do adds is the context's
	// error when it ended during a wait.
	if _, err := client.Do(req); x.again { //nolint:bodyclose // endAttempt closed it
		x.cutShort = err
	}
}

// attemptTransport is the transport of the attempts. It hides the other methods of
// the caller's: go-retryablehttp would call CloseIdleConnections after every
// failure, on connections that others use.
type attemptTransport struct{ x *exchange }

func (t attemptTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithDeadline(req.Context(), t.x.attemptDeadline())
	t.x.last.release = cancel // once the body is read
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	next := t.x.httpClient.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	t.x.last.entered = true
	cookies := req.Header
	req = req.WithContext(ctx)
	req.Header = t.x.header
	if len(cookies) > 0 {
		req.Header = req.Header.Clone()
		maps.Copy(req.Header, cookies)
	}
	resp, err := next.RoundTrip(req)
	if resp != nil && resp.Header.Get("Location") != "" {
		// http.Client would make an error of a redirect that leads nowhere.
		if _, bad := url.Parse(resp.Header.Get("Location")); bad != nil {
			resp.Header.Del("Location")
		}
	}
	return resp, err
}

// sentTwice reports whether net/http has sent the last attempt's request again by
// itself, or may have: over HTTP/2 it does so with what has no body. The response is then
// about the last time.
func (x *exchange) sentTwice() bool { return x.conn.got.Load() > 1 }

func (x *exchange) newRequest(ctx context.Context) (*retryablehttp.Request, error) {
	key, err := x.key(ctx, x.deadline)
	if err != nil {
		return nil, err
	}
	x.header = x.newHeader(key)
	target := x.baseURL + x.path
	if len(x.query) > 0 {
		target += "?" + x.query.Encode()
	}
	var body any // a typed nil would count as a body
	if x.body != nil {
		body = x.body
	}
	ctx = httptrace.WithClientTrace(ctx, x.conn.trace())
	req, err := retryablehttp.NewRequestWithContext(ctx, x.method, target, body)
	if err == nil && x.isWrite() { // or net/http would send it again by itself over HTTP/2
		req.GetBody = nil
	}
	return req, err
}

func (x *exchange) newHeader(key string) http.Header {
	header := http.Header{"Clerk-Api-Version": {APIVersion}}
	maps.Copy(header, x.extraHeader)
	header["Authorization"] = []string{"Bearer " + key}
	header["Accept"] = []string{"application/json"}
	header["User-Agent"] = []string{x.userAgent}
	if x.isWrite() {
		header["Content-Type"] = []string{"application/json"}
	}
	return header
}

// attemptDeadline is when an attempt that begins now is to be cut off.
func (x *exchange) attemptDeadline() time.Time {
	return earlier(x.deadline, time.Now().Add(x.timeout()))
}

// earlier is the earlier of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// timeout is how long an attempt may take.
func (x *exchange) timeout() time.Duration {
	if t := x.httpClient.Timeout; t > 0 {
		return min(t, x.attemptTimeout)
	}
	return x.attemptTimeout
}

// A connection counts how often an attempt asked for one, and got one.
type connection struct{ wanted, got atomic.Int32 }

func (c *connection) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { c.wanted.Add(1) },
		GotConn: func(httptrace.GotConnInfo) { c.got.Add(1) },
	}
}

func (x *exchange) beginAttempt() {
	x.attempts++
	x.last = attempt{began: time.Now()}
	x.conn.wanted.Store(0)
	x.conn.got.Store(0)
}

// endAttempt takes in what the attempt came to. It reads the whole body, within
// the limits, and closes it.
func (x *exchange) endAttempt(ctx context.Context, resp *http.Response, err error) {
	a := &x.last
	if a.release != nil {
		defer a.release()
	}
	if err != nil {
		a.err = ownError(ctx, err)
		a.unsent = x.isUnsent(a.err)
		return
	}
	defer func() {
		_ = resp.Body.Close()
		resp.Body = http.NoBody // go-retryablehttp drains it before a wait
	}()
	if resp.StatusCode < 100 {
		a.err = errNoStatus
		return
	}
	a.status, a.header = resp.StatusCode, resp.Header
	switch {
	case a.succeeded():
		a.body, err = readBody(resp, x.maxResponseBytes)
		a.err = cmp.Or(ownError(ctx, err), a.checkContentType())
	case a.status >= 300:
		a.body, err = readBody(resp, min(maxErrorBody, x.maxResponseBytes))
		if !errors.Is(err, errTooLarge) { // its beginning will do
			a.cut = cutOff(ownError(ctx, err))
		}
	} // the body of a 101 is the connection, and reading it may never end
	if a.status >= 400 {
		a.refusal, a.traceID = parseErrors(a.body)
	}
	a.traceID = oneLine(cmp.Or(a.header.Get("X-Clerk-Trace-Id"), a.traceID))
}

// isUnsent reports whether an attempt that ended with err was certainly not
// processed: the transport was not given the request, or asked for a connection and
// got none, or gives an error that says so.
func (x *exchange) isUnsent(err error) bool {
	wanted, got := x.conn.wanted.Load(), x.conn.got.Load()
	switch {
	case !x.last.entered, wanted > 0 && got == 0:
		return true
	case got == 1:
		return isUnprocessed(err)
	case wanted == 0: // a transport that does not tell
		network, ok := errors.AsType[*net.OpError](err)
		return ok && network.Op == "dial"
	}
	return false
}

// isUnprocessed reports whether HTTP/2 says that the server did not process the
// request (RFC 9113, 6.8 and 8.7). The types that net/http has for it are its own;
// what a server or another transport can put into a text does not match.
func isUnprocessed(err error) bool { return unprocessed.MatchString(err.Error()) }

var unprocessed = regexp.MustCompile(`^(http2: Transport: cannot retry err \[)?` +
	`(stream error: stream ID \d+; REFUSED_STREAM;|http2: Transport received Server's graceful shutdown GOAWAY)`)

// ownError makes of a transport's error one that is of this call alone. net/http
// wraps its errors in the URL, whose query can hold an address; and for the
// context's error it gives the cause of the cancellation, which is the caller's.
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

// cutOff says of an error that it broke off a response whose status is known.
func cutOff(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errCutOff, err)
}

// readBody reads at most limit bytes. Whatever the error, what was read is
// returned.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	expected := resp.ContentLength // a claim, not a fact
	if expected < 0 {
		expected = 511
	}
	body := make([]byte, 0, min(expected, limit, 1<<20)+1) // one more, to see the end
	limited := io.LimitReader(resp.Body, limit)
	for {
		n, err := limited.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			if int64(len(body)) == limit && hasMore(resp.Body) {
				return body, fmt.Errorf("%w: %d bytes", errTooLarge, limit)
			}
			return body, nil
		case err != nil:
			return body, err
		case len(body) == cap(body):
			body = slices.Grow(body, len(body))
		}
	}
}

func hasMore(body io.Reader) bool {
	n, _ := io.ReadFull(body, make([]byte, 1))
	return n > 0
}

func (x *exchange) meta() ResponseMeta {
	return ResponseMeta{
		Operation:  x.operation,
		StatusCode: x.last.status,
		Header:     x.last.header,
		TraceID:    x.last.traceID,
		Attempts:   x.attempts,
		RetryAfter: retryAfter(x.last.header),
		Duration:   time.Since(x.started),
	}
}

// failure is the error of a call whose last attempt did not succeed, or whose
// response could not be decoded.
func (x *exchange) failure(err error) error {
	a := &x.last
	body := bytes.Clone(a.body[:min(len(a.body), maxErrorBody)])
	if a.refusal != nil {
		a.refusal.ResponseMeta, a.refusal.Body = x.meta(), body
		if documented[x.operation][a.status] && !x.sentTwice() {
			return a.refusal
		}
		err = a.refusal
	}
	causes := []error{err, x.cutShort}
	if x.isWrite() && !a.unsent && (!isRefusal(a.status) || x.sentTwice()) {
		causes = append(causes, ErrOutcomeUnknown)
	}
	return &SDKError{
		ResponseMeta: x.meta(),
		Message:      x.describe(err),
		Err:          errors.Join(causes...),
		Body:         body,
	}
}

// documented is the error statuses that Clerk's OpenAPI document names.
var documented = map[Operation]map[int]bool{
	OperationCreate:     {400: true, 422: true},
	OperationBulkCreate: {400: true, 422: true},
	OperationRevoke:     {400: true, 404: true},
}

// describe says what failed, for the one line of an SDKError.
func (x *exchange) describe(err error) string {
	a := &x.last
	var text string
	switch {
	case a.refusal != nil:
		text = a.refusal.summary()
	case a.unsent:
		text = "nothing sent: " + x.reason(err)
	case a.status == 0:
		text = "no response: " + x.reason(err)
	case a.status >= 200 && a.status < 300:
		text = "unusable response (" + a.shape() + "): " + x.reason(err)
	case a.status >= 300 && a.status < 400:
		text = "redirect" + a.redirectHost() + " refused: requests go to the base URL only"
	default:
		text = http.StatusText(a.status) + " (no Clerk error, but " + a.shape() + ")"
	}
	if x.cutShort != nil {
		text += "; stopped before another attempt: " + x.reason(x.cutShort)
	}
	return strings.TrimSpace(text)
}

// reason is the text of an error. A deadline does not say whose it was.
func (x *exchange) reason(err error) string {
	timedOut := errors.Is(err, context.DeadlineExceeded)
	switch {
	case timedOut && !x.last.began.IsZero() && time.Since(x.last.began) >= x.attemptTimeout:
		return "the attempt took longer than " + x.attemptTimeout.String()
	case timedOut && x.retry.Strategy != RetryNone && time.Since(x.started) >= x.retry.Backoff.MaxElapsedTime:
		return "the call took longer than MaxElapsedTime, " + x.retry.Backoff.MaxElapsedTime.String()
	}
	return oneLine(err.Error())
}

func (a *attempt) redirectHost() string {
	location, err := url.Parse(a.header.Get("Location"))
	if err != nil || location.Host == "" {
		return ""
	}
	return " to " + oneLine(location.Host)
}

// checkContentType refuses a response that says it is something other than JSON.
func (a *attempt) checkContentType() error {
	switch t := a.contentType(); {
	case t == "", t == "application/json", strings.HasSuffix(t, "+json"):
		return nil
	default:
		return errNotJSON
	}
}

func (a *attempt) contentType() string {
	if a.header.Get("Content-Type") == "application/json" {
		return "application/json"
	}
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return mediaType
}

// shape is what can be shown of a body that is not understood.
func (a *attempt) shape() string {
	if len(a.body) == 0 {
		return "an empty body"
	}
	mediaType := cmp.Or(a.contentType(), "no content type")
	return fmt.Sprintf("%s, %d bytes", oneLine(mediaType), len(a.body))
}

// log writes the attempt's record. It holds nothing that came from the request
// but the operation.
func (x *exchange) log(ctx context.Context) {
	if x.logger == nil {
		return
	}
	a := &x.last
	level := slog.LevelWarn
	if a.succeeded() || documented[x.operation][a.status] {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("operation", string(x.operation)),
		slog.String("route", x.method+" "+x.route()),
		slog.Int("attempt", x.attempts),
		slog.Duration("duration", time.Since(a.began)),
	}
	if a.status != 0 {
		attrs = append(attrs, slog.Int("status", a.status))
	}
	if x.again {
		attrs = append(attrs, slog.Duration("wait", x.wait))
	}
	if a.traceID != "" {
		attrs = append(attrs, slog.String("trace_id", a.traceID))
	}
	if a.err != nil {
		attrs = append(attrs, slog.String("error", oneLine(a.err.Error())))
	}
	x.logger.LogAttrs(ctx, level, "clerk request", attrs...)
}
