package clerk_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// simScenarios are the operations that scripts of faults are tried with.
var simScenarios = []struct {
	name string
	play func(*simLife)
}{
	{"create", func(l *simLife) { l.create(0, clerk.CreateInvitationRequest{EmailAddress: simAddress(0)}) }},
	{"create ignoring others", func(l *simLife) {
		l.create(0, clerk.CreateInvitationRequest{EmailAddress: simAddress(0), IgnoreExisting: true})
	}},
	{"bulk", func(l *simLife) { l.bulk(0, simRequests(0, 2, false)) }},
	{"bulk ignoring others", func(l *simLife) { l.bulk(0, simRequests(0, 2, true)) }},
	{"revoke", func(l *simLife) { l.revoke(0, l.world.records[0].id) }},
	{"delete", func(l *simLife) { l.delete(0, l.world.records[0].id) }},
	{"resend", func(l *simLife) { l.resend(0, l.world.records[0].id) }},
}

func simRequests(from, n int, ignoreExisting bool) []clerk.CreateInvitationRequest {
	var reqs []clerk.CreateInvitationRequest
	for i := range n {
		reqs = append(reqs, clerk.CreateInvitationRequest{EmailAddress: simAddress(from + i), IgnoreExisting: ignoreExisting})
	}
	return reqs
}

// simScript returns the n-th script of a length, in an order that begins with no faults.
func simScript(n, length int) []simFault {
	script := make([]simFault, length)
	for i := range script {
		script[i], n = simFault(n%int(simFaults)), n/int(simFaults)
	}
	return script
}

// playScript plays a scenario with a script of faults.
func playScript(scenario, n, length int, trace *strings.Builder) (*simLife, error) {
	time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
	random := rand.New(rand.NewPCG(uint64(n), uint64(scenario)))
	w := newSimWorld(random, simNature{lag: 3 * time.Second, latency: 200 * time.Millisecond})
	w.trace = trace
	l := newSimLife(w)
	w.create(time.Now(), nil, simAddress(9), "")
	time.Sleep(time.Minute + w.upTo(time.Second))
	l.link.script = simScript(n, length)
	simScenarios[scenario].play(l)
	return l, l.end()
}

// TestSimulationScripts plays every script of faults up to a length with each operation.
// Nothing is lost, doubled, falsely failed or claimed, and every outcome becomes known.
func TestSimulationScripts(t *testing.T) {
	const length = 3
	scripts := 1
	for range length {
		scripts *= int(simFaults)
	}
	for scenario := range simScenarios {
		t.Run(simScenarios[scenario].name, func(t *testing.T) {
			inBubbles(t, scripts, func(n int, trace *strings.Builder) error {
				l, err := playScript(scenario, n, length, trace)
				if err == nil && l.counts["done"] != 1 {
					err = fmt.Errorf("the outcome is %v", l.counts)
				}
				return err
			})
		})
	}
}

// inBubbles plays lives, many in one bubble, on all CPUs. A life with an error is played
// again with a trace.
func inBubbles(t *testing.T, lives int, play func(n int, trace *strings.Builder) error) {
	t.Helper()
	const together = 250
	var next, failed atomic.Int64
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			for failed.Load() < 3 {
				from := int(next.Add(together)) - together
				if from >= lives {
					return
				}
				errs := map[int]error{}
				synctest.Test(t, func(*testing.T) {
					for n := from; n < min(from+together, lives); n++ {
						if err := play(n, nil); err != nil {
							errs[n] = err
							return
						}
					}
				})
				for n, err := range errs {
					failed.Add(1)
					var trace strings.Builder
					synctest.Test(t, func(*testing.T) { _ = play(n, &trace) })
					t.Errorf("life %d: %v\n%s", n, err, trace.String())
				}
			}
		})
	}
}

// TestSimulationReplays plays lives twice: the same seed gives the same requests and
// results, byte for byte.
func TestSimulationReplays(t *testing.T) {
	for scenario := range simScenarios {
		for n := range 40 {
			var traces [2]strings.Builder
			for i := range traces {
				synctest.Test(t, func(t *testing.T) {
					_, err := playScript(scenario, n*53, 3, &traces[i])
					require.NoError(t, err)
				})
			}
			require.Equal(t, traces[0].String(), traces[1].String())
		}
	}
}
