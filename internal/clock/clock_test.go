package clock_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

func TestSleepEndsAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{-time.Second, 0, time.Minute} {
			start := time.Now()
			require.NoError(t, clock.Sleep(t.Context(), d))
			require.Equal(t, max(0, d), time.Since(start))
		}
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, clock.Sleep(ctx, time.Minute), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, clock.Sleep(ctx, 0), context.DeadlineExceeded)
	})
}

// lateContext is a context whose timer has not fired at its deadline.
type lateContext struct {
	context.Context //nolint:containedctx // it is one

	deadline time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

func TestErrIsNoLaterThanTheDeadline(t *testing.T) {
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

func TestSkewIsWhatIsBeyondNormal(t *testing.T) {
	date := time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)
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
			require.Equal(t, test.want, skew.Get())
		})
	}
}

func TestSkewIsOfTheLastResponseWithADate(t *testing.T) {
	var skew clock.Skew
	date := time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)
	header := http.Header{"Date": {date.Format(http.TimeFormat)}}
	skew.Measure(header, date.Add(time.Minute), 0)
	skew.Measure(http.Header{}, date, 0)
	skew.Measure(http.Header{"Date": {"tomorrow"}}, date, 0)
	require.Equal(t, time.Minute, skew.Get())
	skew.Measure(header, date, 0)
	require.Zero(t, skew.Get())
}
