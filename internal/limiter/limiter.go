// Package limiter counts a client's requests, to keep them below a server's rate limit.
package limiter

import (
	"math"
	"slices"
	"time"
)

// never is the wait if the limit is 0.
const never = math.MaxInt64

// A Limiter allows at most limit requests in any period of length window. That satisfies
// servers with fixed windows as well. It is not safe for concurrent use.
type Limiter struct {
	limit    int
	window   time.Duration
	times    []time.Time // of the latest requests, oldest first, at most limit
	until    time.Time   // no request is allowed before that, because one was refused
	refusals int         // refusals without a Retry-After since the last counted request
}

// New returns a Limiter. A limit of 0 allows no request.
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

// Wait returns the time to wait before another request, or the longest Duration if the limit
// is 0.
func (l *Limiter) Wait(now time.Time) time.Duration {
	if l.limit == 0 {
		return never
	}
	wait := l.until.Sub(now)
	if len(l.times) == l.limit {
		wait = max(wait, l.times[0].Add(l.window).Sub(now))
	}
	return max(0, wait)
}

// A Slot is a time at which N requests may be made.
type Slot struct {
	At time.Time
	N  int
}

// Slots returns when the requests of one window may be made if they are made as early as the
// limit allows, earliest first. The next window's follow a window later.
func (l *Limiter) Slots(now time.Time) []Slot {
	earliest := now
	if l.until.After(now) {
		earliest = l.until
	}
	slots := []Slot{{earliest, l.limit}}
	for _, t := range l.times {
		if again := t.Add(l.window); again.After(earliest) {
			slots[0].N--
			slots = append(slots, Slot{again, 1})
		}
	}
	return slots
}

// Clone returns a copy that l's requests do not change.
func (l *Limiter) Clone() *Limiter {
	c := *l
	c.times = slices.Clip(l.times)
	return &c
}

// Count records a request. It resets the growth of Penalize's waits.
func (l *Limiter) Count(at time.Time) {
	l.refusals = 0
	l.times = append(l.times, at)
	l.times = l.times[max(0, len(l.times)-l.limit):]
}

// Reserve records the next request that may be made, and returns the time to wait before it.
// The limit must not be 0.
func (l *Limiter) Reserve(now time.Time) time.Duration {
	wait := l.Wait(now)
	l.Count(now.Add(wait))
	return wait
}

// Penalize records that the server refused a request and asked to wait for retryAfter. The
// wait is at most two windows. If it is not positive, the wait is a sixtieth of the window,
// and doubles with each refusal up to a quarter of the window.
func (l *Limiter) Penalize(now time.Time, retryAfter time.Duration) {
	if retryAfter <= 0 {
		retryAfter = max(time.Millisecond, min(l.window/60<<min(l.refusals, 4), l.window/4))
		l.refusals++
	}
	l.until = now.Add(min(retryAfter, 2*l.window))
}
