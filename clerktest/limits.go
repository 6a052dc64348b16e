package clerktest

import (
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// RateLimits is how many requests a [Fake] takes. [ProductionRateLimits] and
// [DevelopmentRateLimits] are what Clerk documents.
type RateLimits struct {
	// Creates limits the requests to create one invitation.
	Creates Limit
	// Bulks limits the requests to create several.
	Bulks Limit
	// Requests limits all requests together.
	Requests Limit
	// Sliding counts the requests of the last hour (or whatever Per is), at any
	// time. Otherwise an hour begins with the first request after the last one
	// ended, and the count then begins anew. Which of the two Clerk does is not
	// documented.
	Sliding bool
}

// A Limit is a number of requests in a time. The zero Limit does not limit.
type Limit struct {
	// Requests is how many requests are taken; where only Per is set, none is.
	Requests int
	// Per is the time in which they are.
	Per time.Duration
}

// ProductionRateLimits returns the limits that Clerk's "Rate limits" page gives
// for production instances: 100 creates and 25 bulk creates an hour, 1000
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

// WithRateLimits makes the fake refuse what is more than the limits allow, with
// status 429 and a Retry-After header in whole seconds. Without it there are no
// limits.
//
// It panics on a limit that has Requests and no Per.
func WithRateLimits(limits RateLimits) Option {
	for _, limit := range []Limit{limits.Creates, limits.Bulks, limits.Requests} {
		if limit.Requests > 0 && limit.Per <= 0 {
			panic("clerktest: a Limit has Requests and no Per")
		}
	}
	return func(o *options) { o.limits = limits }
}

// WithRateLimitAnswer sets what a 429 holds, in place of Clerk's error envelope
// with too_many_requests: what Clerk does send is not documented. An empty
// contentType leaves that header out.
func WithRateLimitAnswer(contentType, body string) Option {
	return func(o *options) { o.limitType, o.limitBody = contentType, &body }
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

// wait is how long it is until another request is taken; 0 when one is now.
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
		return w.limit.Per // none is ever taken
	}
	return w.taken[0].Add(w.limit.Per).Sub(now)
}
