// Package outage limits what a client sends while a server is down or failing.
//
// The requests of all calls of a client pass a Gate. A call's first request passes at once,
// unless too many writes are under way. Requests that follow a failure, such as retries and
// lookups, pass in order and at a limited rate. After several failures in a row, there is an
// outage of the operation. Then these requests wait, except for one every few seconds, which
// tests whether the server is back. If requests of several calls have failed, first requests
// wait as well. The first answer ends the outage.
package outage

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// pace is the mean time between two requests from the queue of a Gate. It permits 909
	// requests in 10 seconds, and burst more.
	pace = 11 * time.Millisecond
	// burst is the number of requests that may pass at once if there were none lately.
	burst = 16
)

// A Result says what the end of a request means for the server.
type Result uint8

// The results.
const (
	Unclear  Result = iota // nothing
	Answered               // it is up, even if it refused the request
	Failed                 // it may be down
)

// A Gate lets the requests to one server pass. It is safe for concurrent use.
type Gate struct {
	random func() float64

	mu      sync.Mutex
	lanes   map[string]*lane
	waiting []*waiter   // in order of arrival
	next    time.Time   // when one of them may pass
	timer   *time.Timer // calls advance at next; nil if no request waits for a time
}

// New returns a Gate. random returns numbers from 0 to 1.
func New(random func() float64) *Gate {
	return &Gate{random: random, lanes: map[string]*lane{}}
}

// A Request describes a request to a Gate.
type Request struct {
	// Operation names the operation.
	Operation string
	IsRead    bool
	// Call identifies the call that makes the request. It must be comparable.
	Call any
	// IsRepeat means that an earlier request of the call failed.
	IsRepeat bool
	// NeverWaits lets the request pass at once.
	NeverWaits bool
}

// A Ticket lets a request pass. Call Wait before sending the request, and Done after that.
type Ticket struct {
	// Outage is the last failure, if the request has to wait for the end of an outage, or to
	// test for it. It is empty if it does not have to.
	Outage string

	gate   *Gate
	lane   *lane
	call   any
	waiter *waiter // nil if the request never had to wait
	counts bool    // against the window
}

// A waiter is a request in the queue.
type waiter struct {
	lane     *lane
	isRepeat bool
	since    time.Time
	passed   bool
	pass     chan struct{} // closed when it may pass
}

// Enter returns the ticket of a request.
func (g *Gate) Enter(r Request) Ticket {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[r.Operation]
	if l == nil {
		l = newLane(r.IsRead)
		g.lanes[r.Operation] = l
	}
	t := Ticket{gate: g, lane: l, call: r.Call}
	isFull := !r.IsRead && l.underway >= l.window
	if r.NeverWaits || !r.IsRepeat && !isFull && !l.holdsAll() {
		if t.counts = !r.IsRead && !r.NeverWaits; t.counts {
			l.underway++
		}
		return t
	}
	t.counts = true
	t.waiter = &waiter{lane: l, isRepeat: r.IsRepeat, since: time.Now(), pass: make(chan struct{})}
	g.waiting = append(g.waiting, t.waiter)
	g.advance()
	if !t.waiter.passed && l.isOut() {
		t.Outage = l.cause
	}
	return t
}

// Wait waits until the request may be sent. It returns an *Error if ctx ends before that,
// or the time until, if that is not zero. Then Done must not be called.
func (t *Ticket) Wait(ctx context.Context, until time.Time) error {
	if t.waiter == nil {
		return nil
	}
	limited := ctx
	if !until.IsZero() {
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	select {
	case <-t.waiter.pass:
		return nil
	default:
	}
	select {
	case <-t.waiter.pass:
		return nil
	case <-limited.Done():
	}
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.waiter.passed {
		return nil
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(w *waiter) bool { return w == t.waiter })
	g.advance()
	held := &Error{For: time.Since(t.waiter.since), Ended: ctx.Err()}
	if t.lane.isOut() {
		held.Cause = t.lane.cause
	}
	return held
}

// Done records the result of the request. f is the failure if it Failed.
func (t *Ticket) Done(result Result, f Failure) {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.counts {
		t.lane.underway--
	}
	switch now := time.Now(); result {
	case Answered:
		if t.lane.succeed(now) {
			g.probeNow(now)
		}
	case Failed:
		t.lane.fail(now, t.call, f, g.random())
	}
	g.advance()
}

// probeNow lets a request of every operation test whether its outage is over, because another
// operation's outage is.
func (g *Gate) probeNow(now time.Time) {
	for _, l := range g.lanes {
		l.probe = now
	}
}

// advance lets requests from the queue pass, and sets the timer for the next.
func (g *Gate) advance() {
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	if len(g.waiting) == 0 {
		return
	}
	now := time.Now()
	for i := g.choose(now); i >= 0; i = g.choose(now) {
		g.pass(i, now)
	}
	var next time.Time
	for _, w := range g.waiting {
		at, ok := g.turn(w)
		if !ok {
			continue // until another request is done
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if !next.IsZero() {
		g.timer = time.AfterFunc(next.Sub(now), func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.advance()
		})
	}
}

// turn returns when a request from the queue may pass. ok is false if another request has to
// end first.
func (g *Gate) turn(w *waiter) (at time.Time, ok bool) {
	switch l := w.lane; {
	case l.isOut():
		return later(g.next, later(l.probe, l.asked)), true
	case l.underway >= l.window:
		return time.Time{}, false
	case w.isRepeat:
		return g.next, true
	}
	return w.since, true
}

// choose returns the index of the request that may pass now, or -1 if there is none. In an
// outage it prefers first requests: a request that has failed before may be the reason for the
// failures.
func (g *Gate) choose(now time.Time) int {
	probe, ready := -1, -1
	for i, w := range g.waiting {
		at, ok := g.turn(w)
		switch isOut := w.lane.isOut(); {
		case !ok, now.Before(at):
		case isOut && !w.isRepeat:
			return i
		case isOut && probe < 0:
			probe = i
		case !isOut && ready < 0:
			ready = i
		}
	}
	if probe >= 0 {
		return probe
	}
	return ready
}

// pass lets a request from the queue pass.
func (g *Gate) pass(i int, now time.Time) {
	w := g.waiting[i]
	g.waiting = slices.Delete(g.waiting, i, i+1)
	if w.isRepeat {
		g.next = later(g.next, now.Add(-burst*pace)).Add(pace)
	}
	if w.lane.underway++; w.lane.isOut() {
		w.lane.delayProbe(now, g.random())
	}
	w.passed = true
	close(w.pass)
}
