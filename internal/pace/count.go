package pace

import (
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A Count counts the requests of one write.
type Count struct {
	pace     *Pace
	limiter  *limiter.Limiter
	requests int
	last     transport.Class
}

// CountSingle returns the Count of a write that is sent as single requests.
func (p *Pace) CountSingle() *Count { return &Count{pace: p, limiter: p.singles} }

// CountBulk returns the Count of a write that is sent as bulks.
func (p *Pace) CountBulk() *Count { return &Count{pace: p, limiter: p.bulks} }

// MayRetry reports whether another request may be sent at once: no request has been counted
// yet, and the limit permits one. Otherwise the run decides what to send next.
func (k *Count) MayRetry() bool { return k.requests == 0 && k.limiter.Wait(time.Now()) == 0 }

// Request counts a request that has ended, with the server's Retry-After. One whose outcome
// is unknown may be forgiven.
func (k *Count) Request(class transport.Class, retryAfter time.Duration) {
	k.requests, k.last = k.requests+1, class
	now, counting := time.Now(), k.limiter
	switch class {
	case transport.RateLimited:
		k.limiter.Penalize(now, retryAfter)
		return
	case transport.NotSent:
		return
	case transport.Ambiguous:
		if k.pace.forgiven.Left(now) > 0 {
			counting = k.pace.forgiven
		}
	}
	counting.Count(now)
}

// Done is called when the outcome of the write is known, or err says that it is not. If a
// lookup has found the write's work, its request was most likely forgiven, although the server
// has counted it.
func (k *Count) Done(err error) {
	if err == nil && k.last != transport.Succeeded {
		k.limiter.Count(time.Now())
	}
}
