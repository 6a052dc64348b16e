package clock_test

import (
	"context"
	"math"
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
	context.Context //nolint:containedctx // the type is a context

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
