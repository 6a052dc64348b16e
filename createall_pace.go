package clerk

import (
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A pace says when a run may send: within its budget, and not before a pause after a
// failure is over.
type pace struct {
	budget         Budget
	creates, bulks *limiter.Limiter
	backoff        func(failures int, asked time.Duration) time.Duration
	pause          time.Time // no request before
	cause          error     // the last failure
}

func newPace(b Budget, backoff func(failures int, asked time.Duration) time.Duration) *pace {
	return &pace{
		budget: b, backoff: backoff,
		creates: limiter.New(b.Creates, b.Window), bulks: limiter.New(b.BulkCreates, b.Window),
	}
}

// left returns how many creates and bulk creates may be sent now.
func (p *pace) left(now time.Time) (creates, bulks int) {
	return p.creates.Left(now), p.bulks.Left(now)
}

// forecast returns how many invitations can be created now, and when there will be more.
func (p *pace) forecast(now time.Time) (available int, renewed time.Time) {
	creates, bulks := p.left(now)
	return bulks*MaxBulkInvitations + creates, now.Add(min(p.creates.Renewal(now), p.bulks.Renewal(now)))
}

// wait returns the time until a request may be sent, which is at least untilItems, and
// what the run waits for: the limit of an operation, or requests to be sent again after a
// failure.
func (p *pace) wait(now time.Time, untilItems time.Duration) (wait time.Duration, limit Operation, cause error) {
	wait, limit = p.bulks.Wait(now), OperationBulkCreate
	if creates := p.creates.Wait(now); creates < wait {
		wait, limit = creates, OperationCreate
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
	meta, _ := MetaFromError(failure)
	wait := p.backoff(failures, 0)
	if asked := min(meta.RetryAfter, 2*p.budget.Window); asked > 0 {
		wait = max(wait, p.backoff(failures, asked)-time.Since(failedAt))
	}
	p.pause = time.Now().Add(wait)
}
