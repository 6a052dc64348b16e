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

// fail has the next requests meet faults.
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
