package clerk

import (
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

const (
	// forgivenFailures is the number of failed requests that a run does not count in a window
	// of its budget. Most likely they had no effect, and Clerk does not count them.
	forgivenFailures = 10
	// firstProbeWait is the wait after the second failure in a row. It doubles with each
	// one, up to longestProbeWait: a run makes at most ten requests in ten minutes of outage.
	firstProbeWait   = 5 * time.Second
	longestProbeWait = 150 * time.Second
)

// A pace says when a run may send: within its budget, and not before a pause after a
// failure is over.
type pace struct {
	budget         Budget
	creates, bulks *limiter.Limiter
	forgiven       *limiter.Limiter
	isTesting      bool // the next request tests whether Clerk is up
	backoff        func(failures int, asked time.Duration) time.Duration
	pause          time.Time // no request before
	cause          error     // the last failure
}

func newPace(b Budget, backoff func(failures int, asked time.Duration) time.Duration) *pace {
	return &pace{
		budget: b, backoff: backoff, forgiven: limiter.New(forgivenFailures, b.Window),
		creates: limiter.New(b.Creates, b.Window), bulks: limiter.New(b.BulkCreates, b.Window),
	}
}

// left returns how many creates and bulk creates may be sent now. Clerk allows few bulks,
// so creates test whether an outage is over.
func (p *pace) left(now time.Time) (creates, bulks int) {
	creates, bulks = p.creates.Left(now), p.bulks.Left(now)
	if p.isTesting && creates > 0 {
		bulks = 0
	}
	return creates, bulks
}

// countFailure counts a request that failed: against l, unless it is forgiven.
func (p *pace) countFailure(l *limiter.Limiter, now time.Time) {
	if p.forgiven.Left(now) > 0 {
		l = p.forgiven
	}
	l.Count(now)
}

// forecast returns how many invitations can be created now, and when there will be more.
func (p *pace) forecast(now time.Time) (available int, renewed time.Time) {
	creates, bulks := p.creates.Left(now), p.bulks.Left(now)
	return bulks*MaxBulkInvitations + creates, now.Add(min(p.creates.Renewal(now), p.bulks.Renewal(now)))
}

// wait returns the time until a request may be sent, which is at least untilItems or, for
// those that must be sent singly, untilSingle, and what the run waits for: the limit of an
// operation, or requests to be sent again after a failure.
func (p *pace) wait(now time.Time, untilItems, untilSingle time.Duration) (wait time.Duration, limit Operation, cause error) {
	creates := p.creates.Wait(now)
	wait, limit = p.bulks.Wait(now), OperationBulkCreate
	if creates < wait {
		wait, limit = creates, OperationCreate
	}
	if max(creates, untilSingle) < max(wait, untilItems) {
		wait, limit, untilItems = creates, OperationCreate, untilSingle
	}
	if again := max(p.pause.Sub(now), untilItems); again >= wait {
		return again, "", p.cause
	}
	return wait, limit, nil
}

// backOff pauses after failures in a row, of which the last is given. After a rate limit
// there is no pause, as its limiter waits.
func (p *pace) backOff(failure error, failedAt time.Time, failures int) {
	p.cause = failure
	if classOf(failure) == transport.RateLimited {
		return
	}
	p.isTesting = true
	meta, _ := MetaFromError(failure)
	wait := p.backoff(min(failures, 2), 0)
	if failures > 1 {
		wait += min(firstProbeWait<<min(failures-2, 10), longestProbeWait)
	}
	if asked := min(meta.RetryAfter, 2*p.budget.Window); asked > 0 {
		wait = max(wait, p.backoff(failures, asked)-time.Since(failedAt))
	}
	p.pause = time.Now().Add(wait)
}
