package clerktest

import (
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// defaultLogSize is the default of WithRequestLog.
const defaultLogSize = 10_000

// A requestLog is a ring of requests.
type requestLog struct {
	size   int
	ring   []Request
	oldest int // its place in the ring, when the ring is full
	count  int // how many requests there ever were
}

func (l *requestLog) clear() { *l = requestLog{size: l.size} }

func (l *requestLog) add(now time.Time, r *http.Request, op clerk.Operation, body []byte, a answer, fail failure) {
	l.count++
	if l.size == 0 {
		return
	}
	header := r.Header.Clone()
	header.Del("Authorization")
	req := Request{
		Number: l.count, Time: now, Operation: op, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(),
		Header: header, Body: body, Status: a.status, Code: a.code, Fault: fail.fault,
		Doubts: doubts(op, r.URL),
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
