package clock_test

import (
	"context"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

func TestSleepReturnsAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{-time.Second, 0, time.Minute} {
			start := time.Now()
			require.NoError(t, clock.Sleep(t.Context(), d))
			require.Equal(t, max(0, d), time.Since(start))
		}
	})
}

func TestSleepReturnsWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, clock.Sleep(ctx, time.Minute), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, clock.Sleep(ctx, 0), context.DeadlineExceeded)
	})
}

// A lateContext is a context that does not end at its deadline.
type lateContext struct {
	context.Context //nolint:containedctx // it is one

	deadline time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

func TestErrReturnsDeadlineExceededAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, clock.Err(t.Context()))
		ctx := lateContext{t.Context(), time.Now().Add(time.Second)}
		require.NoError(t, clock.Err(ctx))
		time.Sleep(time.Second)
		require.ErrorIs(t, clock.Err(ctx), context.DeadlineExceeded)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, clock.Err(lateContext{canceled, ctx.deadline}), context.Canceled, "its own error counts")
	})
}

func TestLeftReturnsTheTimeUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, time.Duration(math.MaxInt64), clock.Left(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		require.Equal(t, time.Minute, clock.Left(ctx))
		time.Sleep(time.Second)
		require.Equal(t, 59*time.Second, clock.Left(ctx))
		cancel()
		require.Zero(t, clock.Left(ctx), "it has ended")
		require.Zero(t, clock.Left(lateContext{t.Context(), time.Now().Add(-time.Second)}))
	})
}

// skewOf returns the value of a skew.
func skewOf(t *testing.T, skew *clock.Skew) time.Duration {
	t.Helper()
	earliest, latest, ok := skew.Started(http.Header{"Date": {date.Format(http.TimeFormat)}}, time.Now())
	require.True(t, ok)
	return latest.Sub(earliest) / 2
}

var date = time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)

func TestSkewMeasuresDifferencesOfMoreThanASecond(t *testing.T) {
	for name, test := range map[string]struct {
		created time.Duration // after date
		took    time.Duration
		want    time.Duration
	}{
		"the same":                           {0, 0, 0},
		"a second ahead":                     {time.Second, 0, 0},
		"farther ahead":                      {1500 * time.Millisecond, 0, 1500 * time.Millisecond},
		"ahead, of a slow request":           {3 * time.Second, time.Minute, 3 * time.Second},
		"farther behind":                     {-time.Second, 0, 2 * time.Second},
		"behind, as the request took longer": {-time.Second, time.Second, 0},
		"behind for longer than it took":     {-5 * time.Second, 2 * time.Second, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var skew clock.Skew
			skew.Measure(http.Header{"Date": {date.Format(http.TimeFormat)}}, date.Add(test.created), test.took)
			require.Equal(t, test.want, skewOf(t, &skew))
		})
	}
}

func TestSkewIsThatOfTheLastResponseWithADate(t *testing.T) {
	var skew clock.Skew
	header := http.Header{"Date": {date.Format(http.TimeFormat)}}
	skew.Measure(header, date.Add(time.Minute), 0)
	skew.Measure(http.Header{}, date, 0)
	skew.Measure(http.Header{"Date": {"tomorrow"}}, date, 0)
	require.Equal(t, time.Minute, skewOf(t, &skew))
	skew.Measure(header, date, 0)
	require.Zero(t, skewOf(t, &skew))
}

func TestStartedConvertsToTheServersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		header := http.Header{"Date": {date.Format(http.TimeFormat)}}
		var skew clock.Skew
		since := time.Now()
		time.Sleep(10 * time.Second)
		earliest, latest, ok := skew.Started(header, since)
		require.True(t, ok)
		require.Equal(t, date.Add(-11*time.Second), earliest, "10 seconds ago, less the second that the clocks may differ")
		require.Equal(t, earliest, latest)

		skew.Measure(header, date.Add(time.Minute), 0)
		earliest, latest, _ = skew.Started(header, since)
		require.Equal(t, date.Add(-71*time.Second), earliest)
		require.Equal(t, date.Add(49*time.Second), latest)

		for _, header := range []http.Header{nil, {"Date": {"tomorrow"}}} {
			_, _, ok = skew.Started(header, since)
			require.False(t, ok)
		}
	})
}
