package clerk

import (
	"fmt"
	"iter"

	"github.com/clerk-invitations/clerk-go/internal/async"
)

// A puller takes requests from the caller's iterator one by one, in a goroutine, so that
// an iterator that blocks does not hold up the run.
type puller struct {
	next    func() (CreateInvitationRequest, bool)
	stop    func()
	pending <-chan async.Result[pulled] // nil if nothing is asked for
	ended   bool
}

// A pulled is what the iterator has yielded.
type pulled struct {
	request CreateInvitationRequest
	ok      bool // false at the end
}

func newPuller(requests iter.Seq[CreateInvitationRequest]) *puller {
	next, stop := iter.Pull(requests)
	return &puller{next: next, stop: stop}
}

// ask asks for the next request, unless that is under way. The channel's value is for
// take.
func (p *puller) ask() <-chan async.Result[pulled] {
	if p.pending == nil {
		p.pending = async.Go(func() (got pulled) {
			got.request, got.ok = p.next()
			return got
		})
	}
	return p.pending
}

// take returns the request that was pulled; ok is false at the end.
func (p *puller) take(done async.Result[pulled]) (req CreateInvitationRequest, ok bool, err error) {
	p.pending, p.ended = nil, true
	got, err := done.Get()
	if err != nil {
		return req, false, fmt.Errorf("the iterator of the requests: %w", err)
	}
	p.ended = !got.ok
	return got.request, got.ok, nil
}

// close stops the iterator: at once or, if it blocks, as soon as it unblocks.
func (p *puller) close() {
	if p.pending == nil {
		p.stop()
		return
	}
	select {
	case <-p.pending:
		p.stop()
	default:
		go func() {
			defer func() { _ = recover() }() // the loop has ended
			<-p.pending
			p.stop()
		}()
	}
}
