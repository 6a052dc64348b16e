package limiter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC)

func TestReserveSpreadsRequests(t *testing.T) {
	l := New(2, time.Hour)
	for _, want := range []time.Duration{0, 0, time.Hour, time.Hour, 2 * time.Hour} {
		require.Equal(t, want, l.Reserve(now))
	}
}

func TestLimiterCountsRequestsInTheWindow(t *testing.T) {
	for name, test := range map[string]struct {
		limit   int
		minutes []int // of the requests, before now
		left    int
		wait    time.Duration
	}{
		"no requests":            {3, nil, 3, 0},
		"one":                    {3, []int{10}, 2, 0},
		"all":                    {3, []int{30, 20, 10}, 0, 30 * time.Minute},
		"all at once":            {3, []int{0, 0, 0}, 0, time.Hour},
		"one is a window ago":    {3, []int{60, 20, 10}, 1, 0},
		"one nearly is":          {3, []int{59, 20, 10}, 0, time.Minute},
		"all are a window ago":   {3, []int{90, 80, 70}, 3, 0},
		"more than the limit":    {3, []int{70, 65, 50, 40, 30}, 0, 10 * time.Minute},
		"a limit of 0":           {0, nil, 0, never},
		"a limit of 0, exceeded": {0, []int{10}, 0, never},
		"a limit of 1":           {1, []int{10}, 0, 50 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			l := Limiter{limit: test.limit, window: time.Hour}
			for _, m := range test.minutes {
				l.Count(now.Add(-time.Duration(m) * time.Minute))
			}
			require.Equal(t, test.left, l.Left(now))
			require.Equal(t, test.wait, l.Wait(now))
		})
	}
}

func TestSlotsAreWhenTheRequestsOfAWindowMayBeMade(t *testing.T) {
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	l := New(4, time.Hour)
	require.Equal(t, []Slot{{now, 4}}, l.Slots(now))
	l.Count(at(-60))
	l.Count(at(-50))
	l.Count(at(-20))
	require.Equal(t, []Slot{{now, 2}, {at(10), 1}, {at(40), 1}}, l.Slots(now))
	clone := l.Clone()
	l.Penalize(now, 30*time.Minute)
	l.Count(now)
	require.Equal(t, []Slot{{at(30), 2}, {at(40), 1}, {at(60), 1}}, l.Slots(now))
	require.Equal(t, []Slot{{now, 2}, {at(10), 1}, {at(40), 1}}, clone.Slots(now))
	require.Equal(t, []Slot{{now, 0}}, New(0, time.Hour).Slots(now))
}

func TestClonesShareNoTimes(t *testing.T) {
	l := New(100, time.Hour)
	for range 5 { // leaves room for further times
		l.Count(now)
	}
	a, b := l.Clone(), l.Clone()
	a.Count(now.Add(time.Minute))
	b.Count(now.Add(2 * time.Minute))
	require.Equal(t, Slot{now.Add(61 * time.Minute), 1}, a.Slots(now)[6])
	require.Equal(t, Slot{now.Add(62 * time.Minute), 1}, b.Slots(now)[6])
}

// The requests are made as soon as the limiter allows.
func TestLimiterKeepsTheLimitInEveryWindow(t *testing.T) {
	l := Limiter{limit: 3, window: time.Hour}
	var times []time.Time
	at := now
	for i := range 20 {
		at = at.Add(l.Wait(at))
		require.Positive(t, l.Left(at))
		l.Count(at)
		times = append(times, at)
		at = at.Add(time.Duration(i%4) * time.Minute)
		require.LessOrEqual(t, len(l.times), 3)
	}
	for i := range times[3:] {
		require.GreaterOrEqual(t, times[i+3].Sub(times[i]), time.Hour)
	}
	require.Less(t, times[19].Sub(now), 7*time.Hour, "20 requests at 3 an hour")
}

func TestLimiterPenalize(t *testing.T) {
	const minute = time.Minute
	for name, test := range map[string]struct {
		window time.Duration
		asked  []time.Duration // Retry-After of each refusal; 0 for none
		waits  []time.Duration
	}{
		"Retry-After":                 {time.Hour, []time.Duration{40 * minute}, []time.Duration{40 * minute}},
		"two windows":                 {time.Hour, []time.Duration{120 * minute}, []time.Duration{120 * minute}},
		"more than two windows":       {time.Hour, []time.Duration{121 * minute}, []time.Duration{120 * minute}},
		"no Retry-After":              {time.Hour, make([]time.Duration, 6), []time.Duration{minute, 2 * minute, 4 * minute, 8 * minute, 15 * minute, 15 * minute}},
		"a negative Retry-After":      {time.Hour, []time.Duration{-1}, []time.Duration{minute}},
		"Retry-After does not double": {time.Hour, []time.Duration{0, minute, 0}, []time.Duration{minute, minute, 2 * minute}},
		"a tiny window":               {2 * time.Millisecond, []time.Duration{0}, []time.Duration{time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			l := Limiter{limit: 3, window: test.window}
			for i, asked := range test.asked {
				l.Penalize(now, asked)
				require.Equal(t, test.waits[i], l.Wait(now), i)
				require.Zero(t, l.Left(now))
				require.Equal(t, 3, l.Left(now.Add(test.waits[i])))
			}
			l.Count(now)
			l.Penalize(now, 0)
			require.LessOrEqual(t, l.until.Sub(now), max(time.Millisecond, test.window/60), "a success ends the growth")
		})
	}
}

func TestLimiterWaitsForTheLongerOfLimitAndPenalty(t *testing.T) {
	l := Limiter{limit: 1, window: time.Hour}
	l.Count(now)
	l.Penalize(now, time.Minute)
	require.Equal(t, time.Hour, l.Wait(now))
	l.Penalize(now, 90*time.Minute)
	require.Equal(t, 90*time.Minute, l.Wait(now))
	require.Zero(t, l.Wait(now.Add(2*time.Hour)))
}
