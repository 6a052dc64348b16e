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
	"strconv"
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
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("X-Clerk-Trace-Id", a.traceID)
	header.Set("Cf-Ray", a.ray)
	if a.retryAfter > 0 {
		seconds := (a.retryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	return header
}

// The errors of a client whose connection breaks or is refused.
var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
)

// response delivers the answer in process.
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

// write delivers the answer over HTTP.
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

// reset ends a TCP connection with a reset, the closest a server that has accepted
// a connection comes to refusing it. HTTP/2 has no such connection.
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
	breakage    breakage
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

// answer makes the answer of a response.
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
