package clerk

import (
	"math"
	"strings"
	"time"
)

// A quota is a limit of so many requests in any stretch of a time. Kept so, it holds
// however the server counts: over a time that slides, or from fixed points on.
type quota struct {
	most     int
	per      time.Duration
	times    []time.Time // of the last requests, oldest first, most of them at the most
	until    time.Time   // no request before it, for one was refused
	refusals int         // in a row
}

// left is how many requests may be made now.
func (q *quota) left(now time.Time) int {
	if now.Before(q.until) {
		return 0
	}
	left := q.most
	for i := len(q.times) - 1; i >= 0 && now.Sub(q.times[i]) < q.per; i-- {
		left--
	}
	return left
}

const never = math.MaxInt64

// wait is how long it is until another request may be made.
func (q *quota) wait(now time.Time) time.Duration {
	if q.most == 0 {
		return never
	}
	wait := q.until.Sub(now)
	if len(q.times) == q.most {
		wait = max(wait, q.times[0].Add(q.per).Sub(now))
	}
	return max(0, wait)
}

// renewal is how long it is until a request that was made no longer counts.
func (q *quota) renewal(now time.Time) time.Duration {
	if q.most == 0 {
		return never
	}
	for _, t := range q.times {
		if since := now.Sub(t); since < q.per {
			return max(q.per-since, q.until.Sub(now))
		}
	}
	return max(q.per, q.until.Sub(now))
}

// count takes in that a request is made at a time.
func (q *quota) count(at time.Time) {
	q.refusals = 0
	if len(q.times) == q.most {
		q.times = append(q.times[:0], q.times[1:]...)
	}
	q.times = append(q.times, at)
}

// refuse takes in that the server refused a request, and how long it asked to wait.
// Where it did not ask, the wait grows from a sixtieth of the limit's time, up to a
// quarter of it.
func (q *quota) refuse(now time.Time, retryAfter time.Duration) {
	if retryAfter <= 0 {
		retryAfter = max(time.Millisecond, min(q.per/60<<min(q.refusals, 4), q.per/4))
		q.refusals++
	}
	q.until = now.Add(retryAfter)
}

// listQuota is how many requests a listing ahead makes: nine tenths of what Clerk takes
// of all requests together (its "Rate limits" page), which is less for development
// instances. Their keys begin with sk_test_.
func listQuota(secretKey string) quota {
	q := quota{most: 900, per: 10 * time.Second}
	if strings.HasPrefix(secretKey, "sk_test_") {
		q.most = 90
	}
	return q
}
