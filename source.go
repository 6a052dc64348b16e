package clerk

import "iter"

// A source hands out the requests of a run one by one. It waits for each in a goroutine
// of its own, so that a sequence that blocks does not hold up the run.
type source struct {
	next  func() (CreateInvitationRequest, bool)
	stop  func()
	given chan given
	asked bool // and not answered yet
	ended bool
}

// A given is what the sequence has answered.
type given struct {
	request CreateInvitationRequest
	ok      bool // false at the end
	panic   any  // of the sequence
}

func newSource(requests iter.Seq[CreateInvitationRequest]) *source {
	next, stop := iter.Pull(requests)
	return &source{next: next, stop: stop, given: make(chan given, 1)}
}

// ask asks for the next request, unless it has been asked for. What the channel gives
// is for take.
func (s *source) ask() <-chan given {
	if !s.asked {
		s.asked = true
		go func() {
			var g given
			defer func() {
				g.panic = recover()
				s.given <- g
			}()
			g.request, g.ok = s.next()
		}()
	}
	return s.given
}

// take takes in what the sequence has answered; ok is false at its end.
func (s *source) take(g given) (req CreateInvitationRequest, ok bool) {
	s.asked, s.ended = false, !g.ok
	if g.panic != nil {
		panic(g.panic)
	}
	return g.request, g.ok
}

// close ends the sequence: at once, or, where it blocks, as soon as it goes on.
func (s *source) close() {
	if !s.asked {
		s.stop()
		return
	}
	select {
	case <-s.given:
		s.stop()
	default:
		go func() {
			defer func() { _ = recover() }() // nobody is left to hear of its panic
			<-s.given
			s.stop()
		}()
	}
}
