package clerktest

import (
	"fmt"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// RateLimits are the numbers of requests that a [Fake] accepts.
// [ProductionRateLimits] and [DevelopmentRateLimits] are those that Clerk documents.
type RateLimits struct {
	// Creates limits the requests that create one invitation.
	Creates Limit
	// Bulks limits the requests that create several.
	Bulks Limit
	// Requests limits all requests together.
	Requests Limit
	// Sliding counts the requests of the last hour (or other Per) at any time.
	// Otherwise the window is fixed: it begins with the first request after the
	// previous window ended. Which of the two Clerk has is not documented.
	Sliding bool
}

// Validate reports a limit that has Requests and no Per.
func (l RateLimits) Validate() error {
	for _, limit := range []Limit{l.Creates, l.Bulks, l.Requests} {
		if limit.Requests < 0 || limit.Per < 0 || limit.Requests > 0 && limit.Per == 0 {
			return fmt.Errorf("clerktest: a limit of %d requests has no duration", limit.Requests)
		}
	}
	return nil
}

// A Limit is a number of requests in a duration. The zero Limit does not limit.
type Limit struct {
	// Requests is how many requests are accepted. With Per alone none is.
	Requests int
	// Per is the duration of the window.
	Per time.Duration
}

// ProductionRateLimits returns the limits that Clerk's "Rate limits" page states
// for production instances: 100 creates and 25 bulk creates an hour, and 1000
// requests in 10 seconds.
func ProductionRateLimits() RateLimits {
	return RateLimits{
		Creates:  Limit{100, time.Hour},
		Bulks:    Limit{25, time.Hour},
		Requests: Limit{1000, 10 * time.Second},
	}
}

// DevelopmentRateLimits returns the limits for development instances: those for
// production, but 100 requests in 10 seconds.
func DevelopmentRateLimits() RateLimits {
	limits := ProductionRateLimits()
	limits.Requests.Requests = 100
	return limits
}

// WithRateLimits makes the fake refuse requests beyond the limits with status 429
// and a Retry-After header in whole seconds. By default there are no limits. It
// panics on a limit that has Requests and no Per.
func WithRateLimits(limits RateLimits) Option {
	mustBeValid(limits.Validate())
	return func(o *options) { o.limits = limits }
}

// WithRateLimitAnswer sets the body of a 429, instead of Clerk's error envelope with
// too_many_requests. What Clerk sends is not documented. An empty contentType omits
// that header.
func WithRateLimitAnswer(contentType, body string) Option {
	return func(o *options) { o.limitType, o.limitBody = contentType, &body }
}

// SetRateLimits replaces the limits of [WithRateLimits]. Requests that were counted
// stay counted. It panics on a limit that has Requests and no Per.
func (f *Fake) SetRateLimits(limits RateLimits) {
	mustBeValid(limits.Validate())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setRateLimits(limits)
}

func (f *Fake) setRateLimits(limits RateLimits) {
	f.limits = limits
	f.all.limit, f.all.sliding = limits.Requests, limits.Sliding
	f.creates.limit, f.creates.sliding = limits.Creates, limits.Sliding
	f.bulks.limit, f.bulks.sliding = limits.Bulks, limits.Sliding
}

// ResetRateLimits restarts the windows of the limits, as if the hour were over.
func (f *Fake) ResetRateLimits() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resetRateLimits()
}

func (f *Fake) resetRateLimits() {
	f.all.taken, f.creates.taken, f.bulks.taken = nil, nil, nil
}

// A LimitUsage is how much of a limit is used.
type LimitUsage struct {
	// Limit is the limit; zero for none.
	Limit Limit
	// Used is how many requests count against it now.
	Used int
	// Wait is how long until the next request is accepted; 0 for now.
	Wait time.Duration
}

// A RateLimitUsage is how much of the limits is used.
type RateLimitUsage struct {
	Creates, Bulks, Requests LimitUsage
}

// RateLimitUsage returns how much of the limits is used now.
func (f *Fake) RateLimitUsage() RateLimitUsage {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	return RateLimitUsage{f.creates.usage(now), f.bulks.usage(now), f.all.usage(now)}
}

// limit counts a request, or refuses it.
func (f *Fake) limit(op clerk.Operation) *apiError {
	windows := []*window{&f.all}
	switch op {
	case clerk.OperationCreate:
		windows = append(windows, &f.creates)
	case clerk.OperationBulkCreate:
		windows = append(windows, &f.bulks)
	}
	now := time.Now()
	for _, w := range windows {
		if wait := w.wait(now); wait > 0 {
			return errTooManyRequests(wait)
		}
	}
	for _, w := range windows {
		w.count(now)
	}
	return nil
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

// wait is how long until another request is accepted; 0 for now.
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
