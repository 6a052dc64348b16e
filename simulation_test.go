package clerk_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	simLives  = flag.Int("simulate.lives", 0, "how many random lives TestSimulationLives plays; 0 for the default")
	simLength = flag.Int("simulate.faults", 3, "the length of the scripts of TestSimulationScripts")
	simSeed   = flag.Int("simulate.seed", -1, "play only the life with this seed, and log its trace")
)

// simScenarios lists the operations that scripts of faults are played with.
var simScenarios = []struct {
	name string
	play func(*simLife)
}{
	{"create", func(l *simLife) { l.create(0, simRequest(0, false)) }},
	{"create ignoring others", func(l *simLife) { l.create(0, simRequest(0, true)) }},
	{"bulk", func(l *simLife) { l.bulk(0, simRequests(0, 2, false)) }},
	{"bulk ignoring others", func(l *simLife) { l.bulk(0, simRequests(0, 2, true)) }},
	{"revoke", func(l *simLife) { l.revoke(0, l.world.records[0].id) }},
	{"delete", func(l *simLife) { l.delete(0, l.world.records[0].id) }},
	{"resend", func(l *simLife) { l.resend(0, l.world.records[0].id) }},
}

// simScripts returns how many scripts of a length there are.
func simScripts(length int) int {
	n := 1
	for range length {
		n *= int(simFaults)
	}
	return n
}

// simScript returns the n-th script of a length.
func simScript(n, length int) []simFault {
	script := make([]simFault, length)
	for i := range script {
		script[i], n = simFault(n%int(simFaults)), n/int(simFaults)
	}
	return script
}

// playScript plays a scenario with the n-th script of a length.
func playScript(scenario, n, length int, trace *strings.Builder) (*simLife, error) {
	w := newSimWorld(rand.New(rand.NewPCG(uint64(n), uint64(scenario))), simNature{lag: 3 * time.Second, latency: 200 * time.Millisecond})
	w.trace = trace
	w.create(time.Now(), nil, simAddress(9), "")
	time.Sleep(time.Minute + w.upTo(time.Second))
	l := newSimLife(w)
	l.link.script = simScript(n, length)
	w.note(time.Now(), "%s: %v", simScenarios[scenario].name, l.link.script)
	simScenarios[scenario].play(l)
	return l, l.end()
}

// TestSimulationScripts plays every script of three faults with each operation. Nothing is
// lost, duplicated, falsely failed or claimed, and each call succeeds.
func TestSimulationScripts(t *testing.T) {
	t.Parallel()
	scripts := simScripts(*simLength)
	inBubbles(t, scripts*len(simScenarios), func(n int, trace *strings.Builder) error {
		l, err := playScript(n/scripts, n%scripts, *simLength, trace)
		if err == nil && l.counts["done"] != 1 && *simLength <= 3 {
			err = fmt.Errorf("the outcome is %v", l.counts)
		}
		return err
	})
}

// TestSimulationLives plays random lives, each from a seed. Nothing is lost, duplicated,
// falsely failed or claimed, no deadline is overrun, and requests are bounded.
func TestSimulationLives(t *testing.T) {
	t.Parallel()
	if *simSeed >= 0 {
		var trace strings.Builder
		var err error
		synctest.Test(t, func(*testing.T) { _, err = playLife(*simSeed, &trace) })
		t.Log(trace.String())
		require.NoError(t, err)
		return
	}
	var mu sync.Mutex
	counts := map[string]int{}
	t.Cleanup(func() {
		t.Log(counts)
		// In some lives half of the requests fail, so a few calls cannot determine their
		// outcome in time.
		require.Less(t, counts["unknown in time"]*50, counts["calls in time"])
		require.Less(t, counts["unknown"]*200, counts["created"])
	})
	inBubbles(t, cmp.Or(*simLives, soakSize(500, 600, 300_000)), func(seed int, trace *strings.Builder) error {
		l, err := playLife(seed, trace)
		mu.Lock()
		defer mu.Unlock()
		for result, n := range l.counts {
			counts[result] += n
		}
		return err
	})
}

// inBubbles plays lives on all CPUs, many in one bubble, as a bubble costs more than a
// life. Each life begins at a full hour. It logs the trace of a life that fails.
func inBubbles(t *testing.T, lives int, play func(n int, trace *strings.Builder) error) {
	t.Helper()
	const together = 250
	var next, failures atomic.Int64
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for failures.Load() == 0 {
				from := int(next.Add(together)) - together
				if from >= lives {
					return
				}
				failed := map[int]error{}
				synctest.Test(t, func(*testing.T) {
					for n := from; n < min(from+together, lives) && len(failed) == 0; n++ {
						time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
						if err := play(n, nil); err != nil {
							failed[n] = err
						}
					}
				})
				for n, err := range failed {
					failures.Add(1)
					var trace strings.Builder
					synctest.Test(t, func(*testing.T) { _ = play(n, &trace) })
					t.Errorf("life %d: %v\n%s", n, err, trace.String())
				}
			}
		})
	}
}

// TestSimulationReplays plays lives and scripts twice: the same seed gives the same requests
// and results, byte for byte.
func TestSimulationReplays(t *testing.T) {
	t.Parallel()
	for n := range soakSize(50, 100, 400) {
		var traces [2]strings.Builder
		for i := range traces {
			synctest.Test(t, func(*testing.T) {
				_, err := playLife(n, &traces[i])
				require.NoError(t, err)
			})
		}
		require.Equal(t, traces[0].String(), traces[1].String(), "life %d", n)
	}
	for scenario := range simScenarios {
		var traces [2]strings.Builder
		for i := range traces {
			synctest.Test(t, func(*testing.T) {
				_, err := playScript(scenario, 1234+scenario, 3, &traces[i])
				require.NoError(t, err)
			})
		}
		require.Equal(t, traces[0].String(), traces[1].String())
	}
}
