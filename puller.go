package clerk

import (
	"errors"
	"iter"
)

// errGoexit ends a run whose iterator has ended its goroutine.
var errGoexit = errors.New("the iterator called runtime.Goexit")

// A puller takes requests from the caller's iterator one by one, in a goroutine, so that
// an iterator that blocks does not hold up the run.
type puller struct {
	next   func() (CreateInvitationRequest, bool)
	stop   func()
	pulled chan pulled
	asked  bool // and not answered yet
	ended  bool
}

// A pulled is what the iterator has yielded.
type pulled struct {
	request  CreateInvitationRequest
	ok       bool // false at the end
	returned bool // false if the iterator has panicked or called runtime.Goexit
	panicked any
}

func newPuller(requests iter.Seq[CreateInvitationRequest]) *puller {
	next, stop := iter.Pull(requests)
	return &puller{next: next, stop: stop, pulled: make(chan pulled, 1)}
}

// ask asks for the next request, unless that is under way. The channel's value is for
// take.
func (p *puller) ask() <-chan pulled {
	if !p.asked {
		p.asked = true
		go func() {
			var got pulled
			defer func() {
				got.panicked = recover()
				p.pulled <- got
			}()
			got.request, got.ok = p.next()
			got.returned = true
		}()
	}
	return p.pulled
}

// take returns the request that was pulled; ok is false at the end.
func (p *puller) take(got pulled) (req CreateInvitationRequest, ok bool, err error) {
	p.asked, p.ended = false, !got.ok
	switch {
	case got.panicked != nil:
		panic(got.panicked)
	case !got.returned:
		err = errGoexit
	}
	return got.request, got.ok, err
}

// close stops the iterator: at once or, if it blocks, as soon as it unblocks.
func (p *puller) close() {
	if !p.asked {
		p.stop()
		return
	}
	select {
	case <-p.pulled:
		p.stop()
	default:
		go func() {
			defer func() { _ = recover() }() // the loop has ended
			<-p.pulled
			p.stop()
		}()
	}
}
