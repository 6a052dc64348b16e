package clerktest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing/iotest"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

func (a answer) header() http.Header {
	header := http.Header{}
	header.Set("Content-Type", a.contentType)
	if a.contentType == "" {
		header["Content-Type"] = nil // keeps net/http from guessing one
	}
	if a.contentType != "application/json" {
		header.Set("X-Content-Type-Options", "nosniff")
	}
	if a.location != "" {
		header.Set("Location", a.location)
		header.Set("Referrer-Policy", "no-referrer") // the address holds a ticket
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	header.Set("Clerk-Api-Version", cmp.Or(a.apiVersion, clerk.APIVersion))
	header.Set("Date", time.Now().Add(a.clock).UTC().Format(http.TimeFormat))
	if a.headers.NoDate {
		header["Date"] = nil // keeps net/http from adding one
	}
	if !a.headers.NoTraceID {
		header.Set("X-Clerk-Trace-Id", a.traceID)
	}
	header.Set("Cf-Ray", a.ray)
	if a.retryAfter > 0 {
		seconds := (a.retryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	for name, values := range a.extra {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	return header
}

// The errors that a client gets when its connection breaks or is refused.
var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
)

// response returns the answer in process.
func (a answer) response(req *http.Request) (*http.Response, error) {
	switch a.breakage {
	case refused:
		return nil, errRefused
	case dropped:
		return nil, errReset
	}
	body := io.Reader(bytes.NewReader(a.body))
	if a.breakage == truncated {
		body = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{
		Status: fmt.Sprint(a.status, " ", http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header(), Body: io.NopCloser(body), ContentLength: int64(len(a.body)),
		Request: req,
	}, nil
}

// write writes the answer over HTTP.
func (a answer) write(w http.ResponseWriter) {
	if a.breakage == refused {
		reset(w)
	}
	if a.breakage == refused || a.breakage == dropped {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.header())
	w.WriteHeader(a.status)
	if a.breakage == truncated {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush() // otherwise net/http drops it
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // the client may be gone
}

// reset ends a TCP connection with a reset. A server that has accepted a connection cannot
// come closer to refusing it. This does not work with HTTP/2.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == "application/json"
}

// A breakage is a way in which a connection breaks.
type breakage int

const (
	intact    breakage = iota
	refused            // it is refused
	dropped            // it breaks before the response
	truncated          // it breaks in the middle of the response
)

// An answer is a response, or how the connection breaks instead.
type answer struct {
	status      int
	contentType string
	location    string
	body        []byte
	code        clerk.ErrorCode
	retryAfter  time.Duration
	apiVersion  string
	traceID     string
	ray         string
	delay       time.Duration // before it is sent
	clock       time.Duration // added to the time in the header Date
	headers     Behavior
	extra       http.Header
	breakage    breakage
}

// answer returns the answer for an operation's result or refusal.
func (b *Behavior) answer(result any, refusal *apiError) answer {
	a := answer{status: http.StatusOK, contentType: "application/json"}
	if refusal == nil {
		a.body = b.Numbers.spell(marshal(result))
	} else {
		a = b.flip(refusal).answer()
	}
	if refusal.code() == clerk.CodeTooManyRequests {
		a.contentType, a.body = b.RateLimitBody.apply(a.contentType, a.body)
	}
	if a.contentType == "application/json" {
		a.contentType = cmp.Or(b.ContentType, a.contentType)
	}
	return a
}

// flip returns a refusal with the status, code and meta that b chooses.
func (b *Behavior) flip(e *apiError) *apiError {
	if b.RefusalsGeneric && e.status == http.StatusUnprocessableEntity && e.code() != clerk.CodeFormIdentifierExists {
		e = known(clerk.CodeMalformedRequestParameters)
	}
	switch e.status {
	case http.StatusTooManyRequests:
		e.status = cmp.Or(b.RateLimitStatus, e.status)
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		e.status = cmp.Or(b.RefusalStatus, e.status)
	}
	if b.NoMeta {
		for i := range e.errors {
			e.errors[i].Meta = nil
		}
	}
	return e
}

// apply replaces the error envelope of a 429.
func (body RateLimitBody) apply(contentType string, envelope []byte) (string, []byte) {
	switch body {
	case RateLimitBodyEmptyErrors:
		return contentType, []byte(`{"errors":[]}`)
	case RateLimitBodyText:
		return "text/plain", []byte("Too many requests. Please try again in a bit.")
	case RateLimitBodyHTML:
		return "text/html", []byte("<html><body>Too many requests</body></html>")
	case RateLimitBodyNone:
		return "", nil
	}
	return contentType, envelope
}

// numberFields finds the times and counts of a response. It changes metadata with a field of
// the same name as well.
var numberFields = regexp.MustCompile(`"(created_at|updated_at|expires_at|total_count)":[0-9]+`)

// spell returns a body with its times and counts in the spelling n.
func (n Numbers) spell(body []byte) []byte {
	if n == "" {
		return body
	}
	return numberFields.ReplaceAllFunc(body, func(field []byte) []byte {
		name, digits, _ := strings.Cut(string(field), ":")
		switch n {
		case NumbersDecimal:
			digits += ".0"
		case NumbersExponent:
			fraction := strings.TrimRight(digits[1:], "0")
			digits = digits[:1] + "." + cmp.Or(fraction, "0") + "e" + strconv.Itoa(len(digits)-1)
		case NumbersString:
			digits = strconv.Quote(digits)
		}
		return []byte(name + ":" + digits)
	})
}

func (e *apiError) answer() answer {
	if len(e.errors) == 0 {
		text := cmp.Or(e.text, http.StatusText(e.status))
		return answer{status: e.status, contentType: "text/plain", body: []byte(text)}
	}
	return answer{
		status: e.status, contentType: "application/json", body: marshal(map[string]any{"errors": e.errors}),
		code: e.code(), retryAfter: e.retryAfter,
	}
}

// answer returns the answer for a response.
func (r Response) answer() answer {
	refusal := &apiError{status: cmp.Or(r.Status, http.StatusOK)}
	if r.Code != "" {
		refusal = known(r.Code)
		if refusal == nil {
			text := string(r.Code)
			refusal = &apiError{errors: []entry{{Code: r.Code, Message: text, LongMessage: text}}}
		}
		refusal.status = cmp.Or(r.Status, refusal.status)
	}
	a := refusal.answer()
	if r.Body != "" {
		a.body, a.contentType = []byte(r.Body), r.ContentType
	}
	return a
}

func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil { // nothing the fake holds can fail to be JSON
		panic(err)
	}
	return body
}
