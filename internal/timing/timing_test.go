package timing_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/timing"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

func newTiming() timing.Timing {
	return timing.Timing{
		Retries: true, Backoff: clock.Backoff{Initial: 500 * time.Millisecond, Max: time.Minute, Factor: 1.5},
		Random: func() float64 { return 0.9 }, FailedLookups: new(int),
	}
}

func TestAttemptLimit(t *testing.T) {
	for name, test := range map[string]struct {
		change      func(*timing.Timing)
		read, write time.Duration
	}{
		"the default":        {func(*timing.Timing) {}, 15 * time.Second, 10500 * time.Millisecond},
		"without lookups":    {func(tm *timing.Timing) { tm.Retries = false }, 15 * time.Second, 15 * time.Second},
		"given":              {func(tm *timing.Timing) { tm.Timeout = 20 * time.Second }, 20 * time.Second, 20 * time.Second},
		"of a lookup":        {func(tm *timing.Timing) { tm.IsLookup = true }, 3 * time.Second, 3 * time.Second},
		"the HTTP client's":  {func(tm *timing.Timing) { tm.Longest = 2 * time.Second }, 2 * time.Second, 2 * time.Second},
		"it is not exceeded": {func(tm *timing.Timing) { tm.Longest = 12 * time.Second }, 12 * time.Second, 10500 * time.Millisecond},
	} {
		tm := newTiming()
		test.change(&tm)
		require.Equal(t, test.read, tm.AttemptLimit(false), name)
		require.Equal(t, test.write, tm.AttemptLimit(true), name)
	}
}

func TestPolicyLeavesTimeToLookUpAWrite(t *testing.T) {
	tm := newTiming()
	require.Equal(t, transport.Policy{Retry: true, AttemptTimeout: 15 * time.Second}, tm.Policy(false))
	require.Equal(t, transport.Policy{Retry: true, AttemptTimeout: 10500 * time.Millisecond, LeaveTime: true, LeaveCallTime: true}, tm.Policy(true))
	tm.Timeout = time.Second
	require.Equal(t, transport.Policy{Retry: true, AttemptTimeout: time.Second, LeaveTime: true}, tm.Policy(true))
	tm.Retries = false
	require.Equal(t, transport.Policy{AttemptTimeout: time.Second}, tm.Policy(true))
}

func requireWait(t *testing.T, seconds float64, wait time.Duration) {
	t.Helper()
	require.InDelta(t, seconds, wait.Seconds(), 1e-6)
}

// A lookup's waits continue to grow from one request to the next, but not far.
func TestWaitGrows(t *testing.T) {
	tm := newTiming()
	requireWait(t, 0.45, tm.Wait(1, 0))
	requireWait(t, 1.0125, tm.Wait(3, 0))
	requireWait(t, 60.9, tm.Wait(3, time.Minute))
	tm.IsLookup = true
	for _, want := range []float64{0.45, 0.675, 1.0125, 1.51875, 2.278125, 3.4171875, 5.12578125, 7.2, 7.2} {
		requireWait(t, want, tm.Wait(1, 0))
	}
	requireWait(t, 60.9, tm.Wait(1, time.Minute))
	require.Equal(t, 10, *tm.FailedLookups)
}

// TestWaitsContinueToGrow after another request of the write, and from one failed lookup to
// the next. The lookup that decides is made at the end of the grace time.
func TestWaitsContinueToGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tm, h := newTiming(), &decide.History{Writes: 2, FailedAt: time.Now()}
		untilLookup, untilWrite := tm.Waits(h, 0, timing.Lookup{Pass: 3})
		requireWait(t, 1.0125, untilLookup)
		requireWait(t, 0.675, untilWrite)
		time.Sleep(time.Second)
		untilLookup, untilWrite = tm.Waits(h, 0, timing.Lookup{Pass: 20})
		requireWait(t, 4, untilLookup)
		require.Zero(t, untilWrite)
		untilLookup, _ = tm.Waits(h, 0, timing.Lookup{Pass: 3, Early: true})
		requireWait(t, 1.0125, untilLookup)

		time.Sleep(decide.Grace)
		untilLookup, _ = tm.Waits(h, 0, timing.Lookup{Pass: 3})
		requireWait(t, 1.0125, untilLookup)
		untilLookup, _ = tm.Waits(h, 0, timing.Lookup{Pass: 3, Early: true})
		require.Zero(t, untilLookup, "another one decides")
		for _, want := range []float64{0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5.6953125, 8, 8} {
			untilLookup, _ = tm.Waits(h, 0, timing.Lookup{Failed: true})
			requireWait(t, want, untilLookup)
		}
	})
}

func TestWaitsAreAsLongAsTheServerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tm, h := newTiming(), &decide.History{Writes: 1, FailedAt: time.Now()}
		time.Sleep(time.Second)
		untilLookup, untilWrite := tm.Waits(h, 20*time.Second, timing.Lookup{Pass: 1})
		requireWait(t, 19.9, untilLookup)
		requireWait(t, 19.9, untilWrite)
		untilLookup, untilWrite = tm.Waits(h, 0, timing.Lookup{Failed: true, Asked: 30 * time.Second})
		requireWait(t, 31, untilLookup)
		require.Zero(t, untilWrite)
	})
}

func TestBeforeDecisive(t *testing.T) {
	require.Equal(t, time.Second, timing.BeforeDecisive(time.Minute, 0, time.Second))
	require.Equal(t, time.Millisecond, timing.BeforeDecisive(time.Millisecond, 0, time.Second))
	require.Equal(t, time.Minute, timing.BeforeDecisive(time.Minute, 0, 0), "the grace time is over")
	require.Equal(t, time.Minute, timing.BeforeDecisive(time.Minute, time.Minute, time.Second), "asked for")
}

func TestForWriteIsTwiceTheLongestAttempt(t *testing.T) {
	require.Equal(t, 2*time.Second, timing.ForWrite(time.Second))
	require.Equal(t, 8*time.Second, timing.ForWrite(time.Minute))
}
