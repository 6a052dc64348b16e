package clerk_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A simCase is a life that once broke a promise.
type simCase struct {
	name   string
	nature simNature
	play   func(*simLife)
}

var simCases = []simCase{
	{"another service creates what a run was refused before", simNature{latency: 100 * time.Millisecond}, func(l *simLife) {
		l.world.users[simAddress(9)] = true
		l.world.schedule(time.Now().Add(20*time.Minute), func(at time.Time) { l.world.create(at, nil, simAddress(3), "") })
		l.campaign(simRequests(0, 10, false), clerk.WithBudget(clerk.Budget{Creates: 2, BulkCreates: 1})).run()
	}},
	{"another service creates what a call has failed to create before", simNature{latency: time.Millisecond}, func(l *simLife) {
		l.world.schedule(time.Now().Add(20*time.Second), func(at time.Time) { l.world.create(at, nil, simAddress(0), "") })
		l.fail(simErrorBefore).fail(slices.Repeat([]simFault{simHangBefore}, 8)...).create(0, simRequest(0, true))
	}},
	{"a new invitation is deleted", simNature{latency: time.Millisecond}, func(l *simLife) {
		r := l.world.create(time.Now(), nil, simAddress(1), "")
		r.shown = time.Now().Add(4 * time.Second)
		time.Sleep(time.Second)
		l.fail(simErrorBefore).delete(0, r.id)
	}},
	{"an invitation is deleted, and query finds no ids", simNature{latency: time.Millisecond, noIDs: true}, func(l *simLife) {
		r := l.world.create(time.Now(), nil, simAddress(1), "")
		time.Sleep(time.Hour)
		l.fail(simErrorBefore).delete(0, r.id)
	}},
	{"lists do not show yet that the invitation before was revoked", simNature{latency: time.Millisecond, lag: simGrace}, func(l *simLife) {
		for i := range 10 {
			r := l.world.create(time.Now(), nil, simAddress(i), "")
			time.Sleep(time.Hour)
			l.revoke(0, r.id)
			l.fail(simDropAfter).create(0, simRequest(i, false))
		}
	}},
	{"slow creates do not make a client forget a skew", simDateAhead(3 * time.Second), func(l *simLife) {
		l.create(0, simRequest(0, false))
		l.world.latency = 9 * time.Second
		for i := range 5 {
			l.create(0, simRequest(1+i, false))
		}
		l.world.latency = 100 * time.Millisecond
		l.fail(simDropAfter).create(0, simRequest(6, false))
		l.fail(simDropAfter).create(0, simRequest(7, true))
	}},
	{"a bulk measures the skew", simDateAhead(3 * time.Second), func(l *simLife) {
		l.bulk(0, simRequests(0, 2, false))
		l.fail(simDropAfter).create(0, simRequest(8, false))
	}},
	{"the first response is lost, and Date is ahead", simDateAhead(2 * time.Second), func(l *simLife) {
		l.fail(simDropAfter).create(0, simRequest(0, false))
	}},
	{"the first response is lost, Date is ahead, and others are ignored", simDateAhead(2 * time.Second), func(l *simLife) {
		l.fail(simDropAfter).create(0, simRequest(0, true))
	}},
	{"Date is behind, and somebody has invited a minute before", simDateAhead(-time.Minute), func(l *simLife) {
		l.world.create(time.Now(), nil, simAddress(8), "")
		time.Sleep(55 * time.Second)
		l.fail(simErrorBefore).create(0, simRequest(8, false))
	}},
	{"Date is behind, a list is slow, and somebody has invited 3.5 s before", simNature{clock: -3 * time.Second, ahead: 3 * time.Second, latency: 3 * time.Second}, func(l *simLife) {
		for i := range 20 {
			l.world.create(time.Now(), nil, simAddress(i), "")
			time.Sleep(3500 * time.Millisecond)
			l.fail(simErrorBefore, simOK).create(0, simRequest(i, true))
			time.Sleep(time.Hour)
		}
	}},
	{"a create that timed out takes effect long after its retry failed", simNature{latency: time.Millisecond}, func(l *simLife) {
		for i := range 20 {
			l.fail(simHangLate, simErrorBefore, simOK, simOK, simDropBefore, simOK, simHangBefore, simHangBefore, simHangBefore)
			l.create(0, simRequest(i, false))
			time.Sleep(time.Hour)
		}
	}},
	{"the machine is suspended during a create", simNature{latency: 100 * time.Millisecond, suspend: 1}, func(l *simLife) {
		l.fail(simDropAfter).create(0, simRequest(0, false))
		l.fail(simDropAfter).create(0, simRequest(1, true))
	}},
	{"revocations shift the list of a resumed run", simNature{latency: 100 * time.Millisecond}, func(l *simLife) {
		for i := range 495 {
			l.world.create(time.Now(), nil, simAddress(1000+i), "").isOld = true
		}
		time.Sleep(time.Hour)
		c := l.campaign(simRequests(0, 10, true))
		c.run()
		time.Sleep(time.Hour)
		l.world.shifts = 1
		c.run()
	}},
	{"a page is empty", simNature{latency: time.Millisecond}, func(l *simLife) {
		for i := range 1200 {
			l.world.create(time.Now(), nil, simAddress(i), "")
		}
		time.Sleep(time.Hour)
		l.world.glitch = 0.5
		l.all(clerk.ListInvitationsRequest{})
	}},
}

// simDateAhead returns a nature in which Clerk's Date is ahead of all other clocks.
func simDateAhead(by time.Duration) simNature {
	return simNature{clock: by, ahead: -by, latency: 100 * time.Millisecond}
}

// fail sets the faults that the next requests meet.
func (l *simLife) fail(script ...simFault) *simLife {
	l.link.script = append(l.link.script, script...)
	return l
}

// TestSimulationCases plays lives that once broke a promise.
func TestSimulationCases(t *testing.T) {
	t.Parallel()
	for i, life := range simCases {
		t.Run(life.name, func(t *testing.T) {
			var trace strings.Builder
			var err error
			synctest.Test(t, func(*testing.T) {
				w := newSimWorld(rand.New(rand.NewPCG(1, uint64(i))), life.nature)
				w.trace = &trace
				l := newSimLife(w)
				life.play(l)
				err = l.end()
			})
			if err != nil {
				t.Errorf("%v\n%s", err, trace.String())
			}
		})
	}
}
