package clerk_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A simFault says what goes wrong with a request. If its name ends in "before", the request is
// not carried out; in "after", it is; in "late", it is carried out after it has failed.
type simFault uint8

const (
	simOK simFault = iota
	simUnsent
	simLimited
	simErrorBefore
	simErrorAfter
	simErrorLate
	simDropBefore
	simDropAfter
	simDropLate
	simHangBefore
	simHangAfter
	simHangLate
	simCutAfter
	simFaults // how many there are
)

func (f simFault) String() string {
	return [...]string{"ok", "unsent", "limited", "error before", "error after", "error late", "drop before", "drop after",
		"drop late", "hang before", "hang after", "hang late", "cut after"}[f]
}

func (f simFault) isBefore() bool {
	return f == simErrorBefore || f == simDropBefore || f == simHangBefore
}
func (f simFault) isLate() bool { return f == simErrorLate || f == simDropLate || f == simHangLate }

// A simLink is the transport between a client and a world.
type simLink struct {
	world  *simWorld
	script []simFault    // of the next requests
	share  float64       // of the others that meet a fault
	until  time.Time     // there are no faults by share after that; zero for no end
	dead   chan struct{} // closed when the client's process is killed
}

type simActorKey struct{}

func simActorOf(ctx context.Context) *simActor {
	by, _ := ctx.Value(simActorKey{}).(*simActor)
	return by
}

// fault returns the fault that the next request meets.
func (l *simLink) fault() simFault {
	if len(l.script) > 0 {
		next := l.script[0]
		l.script = l.script[1:]
		return next
	}
	if l.world.chance(l.share) && (l.until.IsZero() || time.Now().Before(l.until)) {
		return simFault(1 + l.world.random.IntN(int(simFaults)-1))
	}
	return simOK
}

var errSimDrop = errors.New("read: connection reset by peer")

func (l *simLink) RoundTrip(req *http.Request) (*http.Response, error) {
	w, by := l.world, simActorOf(req.Context())
	w.mu.Lock()
	defer w.mu.Unlock()
	r, fault := newSimIncoming(by, req), l.fault()
	if r.isAbout(w.poison) {
		fault = simErrorBefore
	}
	by.requests++
	if fault != simOK {
		by.faults++
	}
	sent := time.Now()
	resp, err := l.answer(req.Context(), r, fault)
	if fault == simOK && err != nil { // it was cut off
		by.faults++
	}
	failed := err != nil || resp.StatusCode != http.StatusOK || fault != simOK
	by.record(r, sent, failed, fault == simUnsent || err == nil && resp.StatusCode == http.StatusTooManyRequests)
	if w.trace != nil {
		w.note(time.Now(), "%s %s %s: %s: %s", req.Method, req.URL.RequestURI(), r.body, fault, simSummary(resp, err))
	}
	return resp, err
}

// answer carries out a request, unless a fault prevents it.
func (l *simLink) answer(ctx context.Context, r *simIncoming, fault simFault) (*http.Response, error) {
	w := l.world
	if fault == simUnsent {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	takes := w.upTo(w.latency)
	arrives := w.upTo(takes)
	if err := l.sleep(ctx, arrives); err != nil {
		if w.chance(0.5) { // it may still arrive
			l.doLate(r, simGraceOf(err))
		}
		return nil, err
	}
	now := time.Now()
	w.advance(now)
	wait := w.limits[r.operation()].wait(now)
	if wait > 0 {
		fault = simLimited
	}
	var done *simResponse
	switch {
	case fault == simLimited:
		done = simLimitedFor(max(wait, w.upTo(3*time.Second)))
	case fault.isBefore() || fault.isLate():
		w.limits[r.operation()].count(now, true)
	default:
		done = w.do(now, r)
		w.limits[r.operation()].count(now, done.status != http.StatusOK)
	}
	if r.method != http.MethodGet && w.jumped == 0 && w.chance(w.suspend) {
		w.jumped += 8 * time.Hour
		w.note(time.Now(), "the machine is suspended for 8 hours")
	}
	hangs := slices.Contains([]simFault{simHangBefore, simHangAfter, simHangLate}, fault)
	if hangs {
		takes = arrives + time.Hour
	}
	err := l.sleep(ctx, takes-arrives)
	if fault.isLate() {
		l.doLate(r, simGraceOf(err))
	}
	switch {
	case err != nil:
		return nil, err
	case fault == simErrorBefore || fault == simErrorAfter || fault == simErrorLate:
		return w.respond(&simResponse{status: http.StatusBadGateway, body: []byte("<html>")}), nil
	case fault == simDropBefore || fault == simDropAfter || fault == simDropLate:
		return nil, errSimDrop
	case fault == simCutAfter:
		resp := w.respond(done)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(done.body[:len(done.body)/2]), brokenReader{}))
		return resp, nil
	}
	return w.respond(done), nil
}

// doLate carries out a request after it has failed, early enough for lists to show it within
// the grace time.
func (l *simLink) doLate(r *simIncoming, grace time.Duration) {
	w := l.world
	if r.method == http.MethodGet {
		return
	}
	w.schedule(time.Now().Add(w.upTo(grace-w.lag)), func(at time.Time) {
		w.note(at, "late:")
		w.do(at, r)
	})
}

func simGraceOf(err error) time.Duration {
	if errors.Is(err, context.DeadlineExceeded) {
		return simGraceAfterTimeout
	}
	return simGrace
}

// sleep waits, without the world's mutex, until ctx ends or the process is killed.
func (l *simLink) sleep(ctx context.Context, d time.Duration) error {
	l.world.mu.Unlock()
	defer l.world.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.dead:
		return errSimDrop
	case <-timer.C:
		return nil
	}
}

// record notes a request that has ended. uncounted means that Clerk refused it because of a
// limit, or did not get it.
func (a *simActor) record(r *simIncoming, at time.Time, failed, uncounted bool) {
	if r.creates == nil {
		return
	}
	if !uncounted {
		if a.counted == nil {
			a.counted = map[clerk.Operation][]time.Time{}
		}
		a.counted[r.operation()] = append(a.counted[r.operation()], at)
	}
	sent := simSent{request: r, sent: at}
	if failed {
		sent.failed = time.Now()
	}
	a.sent = append(a.sent, sent)
}
