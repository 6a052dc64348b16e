package clerktest

import (
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A limiter counts requests against the limits of a fake.
type limiter struct {
	limits              RateLimits
	all, creates, bulks window
}

func (l *limiter) set(limits RateLimits, b Behavior) {
	l.limits = limits
	kind := b.Windows
	if kind == "" && limits.Sliding {
		kind = WindowsSliding
	}
	for w, limit := range map[*window]Limit{&l.all: limits.Requests, &l.creates: limits.Creates, &l.bulks: limits.Bulks} {
		w.limit, w.kind = limit, kind
	}
}

func (l *limiter) reset() {
	for _, w := range []*window{&l.all, &l.creates, &l.bulks} {
		*w = window{limit: w.limit, kind: w.kind}
	}
}

func (l *limiter) usage(now time.Time) RateLimitUsage {
	return RateLimitUsage{l.creates.usage(now), l.bulks.usage(now), l.all.usage(now)}
}

// windows returns the windows of the limits that apply to an operation.
func (l *limiter) windows(op clerk.Operation) []*window {
	switch op {
	case clerk.OperationCreate:
		return []*window{&l.all, &l.creates}
	case clerk.OperationBulkCreate:
		return []*window{&l.all, &l.bulks}
	}
	return []*window{&l.all}
}

// wait returns the time until a request is accepted, or 0.
func (l *limiter) wait(op clerk.Operation, now time.Time) time.Duration {
	for _, w := range l.windows(op) {
		if wait := w.wait(now); wait > 0 {
			return wait
		}
	}
	return 0
}

// count counts a request.
func (l *limiter) count(op clerk.Operation, now time.Time) {
	for _, w := range l.windows(op) {
		w.count(now)
	}
}

// A window counts requests against a limit, in the way of its kind.
type window struct {
	limit Limit
	kind  Windows
	taken []time.Time // of fixed, sliding and clock windows
	full  time.Time   // when a token bucket is full again
}

// refill returns the time in which a token bucket gains one request.
func (w *window) refill() time.Duration {
	return max(1, w.limit.Per/time.Duration(w.limit.Requests))
}

func (w *window) count(now time.Time) {
	switch {
	case w.limit.Requests == 0:
	case w.kind == WindowsTokenBucket:
		if w.full.Before(now) {
			w.full = now
		}
		w.full = w.full.Add(w.refill())
	default:
		w.taken = append(w.taken, now)
	}
}

// expire forgets the requests that no longer count.
func (w *window) expire(now time.Time) {
	over := func(t time.Time) bool { return now.Sub(t) >= w.limit.Per }
	switch {
	case len(w.taken) == 0:
	case w.kind == WindowsSliding:
		for len(w.taken) > 0 && over(w.taken[0]) {
			w.taken = w.taken[1:]
		}
	case w.kind == WindowsClock:
		if !w.taken[0].Truncate(w.limit.Per).Equal(now.Truncate(w.limit.Per)) {
			w.taken = nil
		}
	case over(w.taken[0]):
		w.taken = nil
	}
}

func (w *window) usage(now time.Time) LimitUsage {
	wait := w.wait(now)
	used := len(w.taken)
	if left := w.full.Sub(now); w.limit.Requests > 0 && left > 0 {
		used = int((left + w.refill() - 1) / w.refill())
	}
	return LimitUsage{Limit: w.limit, Used: used, Wait: wait}
}

// wait returns the time until another request is accepted, or 0.
func (w *window) wait(now time.Time) time.Duration {
	switch {
	case w.limit == (Limit{}):
		return 0
	case w.limit.Requests == 0:
		return w.limit.Per // no request is ever accepted
	case w.kind == WindowsTokenBucket && w.full.After(now):
		return max(0, w.full.Sub(now)+w.refill()-w.limit.Per)
	}
	w.expire(now)
	if len(w.taken) < w.limit.Requests {
		return 0
	}
	switch w.kind {
	case WindowsSliding:
		return w.taken[len(w.taken)-w.limit.Requests].Add(w.limit.Per).Sub(now)
	case WindowsClock:
		return now.Truncate(w.limit.Per).Add(w.limit.Per).Sub(now)
	}
	return w.taken[0].Add(w.limit.Per).Sub(now)
}

// An emailCount counts the emails of a month.
type emailCount struct {
	month string
	sent  int
}

// admit counts an email, or returns false if the month's limit is reached. A limit of 0 means
// none.
func (c *emailCount) admit(address string, limit int, now time.Time) bool {
	if !c.allow(0, address, limit, now) {
		return false
	}
	if limit > 0 && !isTestAddress(address) {
		c.sent++
	}
	return true
}

// allow reports whether an email can be sent after others.
func (c *emailCount) allow(others int, address string, limit int, now time.Time) bool {
	if month := now.UTC().Format("2006-01"); c.month != month {
		*c = emailCount{month: month}
	}
	return limit == 0 || isTestAddress(address) || c.sent+others < limit
}

// isTestAddress reports whether Clerk reserves an address for tests.
func isTestAddress(address string) bool {
	local, _, _ := strings.Cut(fold(address), "@")
	return slices.Contains(strings.Split(local, "+")[1:], "clerk_test")
}
