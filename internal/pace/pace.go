// Package pace says when a long run may send its next request: within a server's limits for
// single requests and for bulks, and not before the end of a pause after a failure.
package pace

import (
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

const (
	// forgivenFailures is the number of failed requests that are not counted in a window.
	// Most likely they had no effect, and the server does not count them.
	forgivenFailures = 10
	// firstProbeWait is the wait after the second failure in a row. It doubles with each
	// further one, up to longestProbeWait: a run makes at most ten requests in ten minutes of
	// outage.
	firstProbeWait   = 5 * time.Second
	longestProbeWait = 150 * time.Second
)

// A Budget limits the requests of a run in any period of length Window.
type Budget struct {
	Singles, Bulks int
	BulkSize       int // items in a bulk
	Window         time.Duration
}

// A Pace says when a run may send. It is not safe for concurrent use.
type Pace struct {
	budget    Budget
	backoff   transport.Backoff
	singles   *limiter.Limiter
	bulks     *limiter.Limiter
	forgiven  *limiter.Limiter
	isTesting bool      // the next request tests whether the server is up
	pause     time.Time // no request before
	cause     error     // the last failure
}

// New returns the Pace of a run that starts now.
func New(b Budget, backoff transport.Backoff) *Pace {
	return &Pace{
		budget: b, backoff: backoff, forgiven: limiter.New(forgivenFailures, b.Window),
		singles: limiter.New(b.Singles, b.Window), bulks: limiter.New(b.Bulks, b.Window),
	}
}

// Left returns how many single requests and bulks may be sent now. Servers allow few
// bulks, so single requests test whether an outage is over.
func (p *Pace) Left(now time.Time) (singles, bulks int) {
	singles, bulks = p.singles.Left(now), p.bulks.Left(now)
	if p.isTesting && singles > 0 {
		bulks = 0
	}
	return singles, bulks
}

// A Limit says which limit a run waits for.
type Limit uint8

// The limits.
const (
	None    Limit = iota // the run waits for something else
	Singles              // the limit of single requests
	Bulks                // the limit of bulks
)

// Wait returns the time until a request may be sent, and what the run waits for. The time is
// at least untilItems or, for items that must be sent singly, untilSingle. The run waits for a
// limit, or for items to be sent again after a failure, which is the cause.
func (p *Pace) Wait(now time.Time, untilItems, untilSingle time.Duration) (wait time.Duration, limit Limit, cause error) {
	singles := p.singles.Wait(now)
	wait, limit = p.bulks.Wait(now), Bulks
	if singles < wait {
		wait, limit = singles, Singles
	}
	if max(singles, untilSingle) < max(wait, untilItems) {
		wait, limit, untilItems = singles, Singles, untilSingle
	}
	if again := max(p.pause.Sub(now), untilItems); again >= wait {
		return again, None, p.cause
	}
	return wait, limit, nil
}

// Answered records that the server is up.
func (p *Pace) Answered() { p.isTesting = false }

// A Failure is the last of several failures in a row.
type Failure struct {
	Err         error
	RateLimited bool
	RetryAfter  time.Duration // asked for by the server; 0 for none
	At          time.Time
	InARow      int // the number of failures, including this one
}

// BackOff pauses after a failure. After a rate limit there is no pause, as its limiter
// waits.
func (p *Pace) BackOff(f Failure) {
	p.cause = f.Err
	if f.RateLimited {
		return
	}
	p.isTesting = true
	wait := p.backoff.Backoff(min(f.InARow, 2), 0)
	if f.InARow > 1 {
		wait += min(firstProbeWait<<min(f.InARow-2, 10), longestProbeWait)
	}
	if asked := min(f.RetryAfter, 2*p.budget.Window); asked > 0 {
		wait = max(wait, p.backoff.Backoff(f.InARow, asked)-time.Since(f.At))
	}
	p.pause = time.Now().Add(wait)
}
