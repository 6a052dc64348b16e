package clerktest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// defaultLogSize is how many requests are remembered.
const defaultLogSize = 10_000

// A Request is one that a [Fake] received.
type Request struct {
	// Number counts the requests, from 1 for the first.
	Number int
	// Time is when the fake handled it.
	Time time.Time
	// Operation is what it asked for; empty for a path the API does not have.
	Operation clerk.Operation
	// Method and Path are its method and path, such as "/v1/invitations".
	Method, Path string
	// Query is its query parameters.
	Query url.Values
	// Header is its header without Authorization.
	Header http.Header
	// Body is its body, at most 1 MiB and one byte of it.
	Body []byte
	// Status is the status of the response; 0 when the connection broke before it.
	Status int
	// Code is the code of the first error in the response; empty for a success.
	Code clerk.ErrorCode
	// Fault is what went wrong; empty when nothing did.
	Fault Fault
}

// Format writes r without its query, header and body, whatever the verb: they can
// hold addresses.
func (r Request) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerktest.Request{#%d %s %s %d", r.Number, r.Method, r.Path, r.Status)
	if r.Code != "" {
		_, _ = fmt.Fprintf(s, " %s", r.Code)
	}
	if r.Fault != "" {
		_, _ = fmt.Fprintf(s, " fault=%q", string(r.Fault))
	}
	_, _ = fmt.Fprint(s, "}")
}

func (r Request) clone() Request {
	r.Query = maps.Clone(r.Query)
	for name, values := range r.Query {
		r.Query[name] = slices.Clone(values)
	}
	r.Header = r.Header.Clone()
	r.Body = bytes.Clone(r.Body)
	return r
}

// Requests returns copies of the requests that the fake received, oldest first: the
// last 10,000, or as many as [WithRequestLog] sets.
func (f *Fake) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.last(f.log.size)
}

// A requestLog is a ring of requests.
type requestLog struct {
	size   int
	ring   []Request
	oldest int // its place in the ring, when the ring is full
	count  int // how many requests there ever were
}

func (l *requestLog) clear() { *l = requestLog{size: l.size} }

func (l *requestLog) add(r *http.Request, op clerk.Operation, body []byte, a answer, fail failure) {
	l.count++
	if l.size == 0 {
		return
	}
	header := r.Header.Clone()
	header.Del("Authorization")
	req := Request{
		Number: l.count, Time: time.Now(), Operation: op, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(),
		Header: header, Body: body, Status: a.status, Code: a.code, Fault: fail.fault,
	}
	if len(l.ring) < l.size {
		l.ring = append(l.ring, req)
		return
	}
	l.ring[l.oldest] = req
	l.oldest = (l.oldest + 1) % l.size
}

// last returns copies of the last n requests, oldest first.
func (l *requestLog) last(n int) []Request {
	n = min(n, len(l.ring))
	requests := make([]Request, n)
	for i := range requests {
		at := (l.oldest + len(l.ring) - n + i) % len(l.ring)
		requests[i] = l.ring[at].clone()
	}
	return requests
}
