// Package limiter counts requests, so that a client keeps below a server's limit.
package limiter

import (
	"math"
	"time"
)

// Never is the wait for a request that a limit of 0 does not allow.
const Never = math.MaxInt64

// A Limiter allows at most a number of requests in any period of the length of its
// window. That also satisfies a server that counts in fixed windows.
type Limiter struct {
	limit    int
	window   time.Duration
	times    []time.Time // of the last requests, oldest first, at most limit
	until    time.Time   // no request before, as one was refused
	refusals int         // in a row
}

// New returns a limiter that allows limit requests in each window.
func New(limit int, window time.Duration) *Limiter { return &Limiter{limit: limit, window: window} }

// Left returns how many requests may be made now.
func (l *Limiter) Left(now time.Time) int {
	if now.Before(l.until) {
		return 0
	}
	left := l.limit
	for i := len(l.times) - 1; i >= 0 && now.Sub(l.times[i]) < l.window; i-- {
		left--
	}
	return left
}

// Wait returns how long it is until another request may be made.
func (l *Limiter) Wait(now time.Time) time.Duration {
	if l.limit == 0 {
		return Never
	}
	wait := l.until.Sub(now)
	if len(l.times) == l.limit {
		wait = max(wait, l.times[0].Add(l.window).Sub(now))
	}
	return max(0, wait)
}

// Renewal returns how long it is until more requests may be made than now: until a request
// no longer counts or, if the server refused one, until it is to be asked again.
func (l *Limiter) Renewal(now time.Time) time.Duration {
	switch {
	case l.limit == 0:
		return Never
	case now.Before(l.until) && len(l.times) < l.limit:
		return l.until.Sub(now)
	}
	for _, t := range l.times {
		if since := now.Sub(t); since < l.window {
			return max(l.window-since, l.until.Sub(now))
		}
	}
	return max(l.window, l.until.Sub(now))
}

// Count records a request.
func (l *Limiter) Count(at time.Time) {
	l.refusals = 0
	if len(l.times) == l.limit {
		l.times = append(l.times[:0], l.times[1:]...)
	}
	l.times = append(l.times, at)
}

// Penalize records that the server refused a request and asked to wait, at most two
// windows. If it did not ask, the wait grows from a sixtieth to a quarter of the window.
func (l *Limiter) Penalize(now time.Time, retryAfter time.Duration) {
	if retryAfter <= 0 {
		retryAfter = max(time.Millisecond, min(l.window/60<<min(l.refusals, 4), l.window/4))
		l.refusals++
	}
	l.until = now.Add(min(retryAfter, 2*l.window))
}
