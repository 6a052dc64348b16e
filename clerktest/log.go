package clerktest

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// Limits on the requests that a fake remembers.
const (
	defaultLogSize = 10_000   // the default of WithRequestLog
	maxLogBytes    = 32 << 20 // of all requests, without their responses
	loggedAnswers  = 100      // the newest requests, whose responses are kept
	maxAnswerBytes = 64 << 10 // of a response's body
)

// A requestLog holds the newest requests, oldest first.
type requestLog struct {
	size     int
	requests []Request
	bytes    int // of all requests
	count    int // the number of requests so far
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
	if a.status != 0 {
		req.ResponseHeader, req.ResponseBody = a.header(), a.body
		if len(a.body) > maxAnswerBytes {
			req.ResponseBody = bytes.Clone(a.body[:maxAnswerBytes])
		}
	}
	l.requests = append(l.requests, req)
	l.bytes += req.size()
	for len(l.requests) > 1 && (len(l.requests) > l.size || l.bytes > maxLogBytes) {
		l.bytes -= l.requests[0].size()
		l.requests[0] = Request{}
		l.requests = l.requests[1:]
	}
	if old := len(l.requests) - 1 - loggedAnswers; old >= 0 {
		l.requests[old].ResponseHeader, l.requests[old].ResponseBody = nil, nil
	}
}

// last returns copies of n requests, oldest first, leaving out the newest skip ones.
func (l *requestLog) last(n, skip int) []Request {
	end := max(0, len(l.requests)-skip)
	requests := slices.Clone(l.requests[max(0, end-n):end])
	for i := range requests {
		requests[i] = requests[i].clone()
	}
	return requests
}

// find returns a copy of the request with a number.
func (l *requestLog) find(number int) (Request, bool) {
	at := number - 1 - (l.count - len(l.requests))
	if at < 0 || at >= len(l.requests) {
		return Request{}, false
	}
	return l.requests[at].clone(), true
}
