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

func (l *limiter) set(limits RateLimits) {
	l.limits = limits
	l.all.limit, l.all.sliding = limits.Requests, limits.Sliding
	l.creates.limit, l.creates.sliding = limits.Creates, limits.Sliding
	l.bulks.limit, l.bulks.sliding = limits.Bulks, limits.Sliding
}

func (l *limiter) reset() { l.all.taken, l.creates.taken, l.bulks.taken = nil, nil, nil }

func (l *limiter) usage(now time.Time) RateLimitUsage {
	return RateLimitUsage{l.creates.usage(now), l.bulks.usage(now), l.all.usage(now)}
}

// admit counts a request, or returns how long until it is accepted.
func (l *limiter) admit(op clerk.Operation, now time.Time) (wait time.Duration) {
	windows := []*window{&l.all}
	switch op {
	case clerk.OperationCreate:
		windows = append(windows, &l.creates)
	case clerk.OperationBulkCreate:
		windows = append(windows, &l.bulks)
	}
	for _, w := range windows {
		if wait := w.wait(now); wait > 0 {
			return wait
		}
	}
	for _, w := range windows {
		w.count(now)
	}
	return 0
}

// A window counts requests against a limit.
type window struct {
	limit   Limit
	sliding bool
	taken   []time.Time
}

func (w *window) count(now time.Time) {
	if w.limit != (Limit{}) {
		w.taken = append(w.taken, now)
	}
}

func (w *window) usage(now time.Time) LimitUsage {
	wait := w.wait(now)
	return LimitUsage{Limit: w.limit, Used: len(w.taken), Wait: wait}
}

// wait returns the time until another request is accepted, or 0.
func (w *window) wait(now time.Time) time.Duration {
	if w.limit == (Limit{}) {
		return 0
	}
	over := func(t time.Time) bool { return now.Sub(t) >= w.limit.Per }
	if w.sliding {
		for len(w.taken) > 0 && over(w.taken[0]) {
			w.taken = w.taken[1:]
		}
	} else if len(w.taken) > 0 && over(w.taken[0]) {
		w.taken = nil
	}
	if len(w.taken) < w.limit.Requests {
		return 0
	}
	if len(w.taken) == 0 {
		return w.limit.Per // no request is ever accepted
	}
	return w.taken[0].Add(w.limit.Per).Sub(now)
}

// An emailCount counts the emails of a month.
type emailCount struct {
	month string
	sent  int
}

// admit counts an email, or returns false if the month's limit is reached. A limit
// of 0 is none.
func (c *emailCount) admit(address string, limit int, now time.Time) bool {
	local, _, _ := strings.Cut(strings.ToLower(address), "@")
	if limit == 0 || slices.Contains(strings.Split(local, "+")[1:], "clerk_test") {
		return true
	}
	if month := now.UTC().Format("2006-01"); c.month != month {
		*c = emailCount{month: month}
	}
	if c.sent >= limit {
		return false
	}
	c.sent++
	return true
}
