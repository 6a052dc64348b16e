package gather_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/gather"
	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/queue"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A gatherer takes numbers into a queue of bulks of ten, and counts its steps.
type gatherer struct {
	gather.Gatherer[int, int]

	taken     int
	announced []pace.Limit
}

func newGatherer(t *testing.T, values iter.Seq[int], bulks int) *gatherer {
	t.Helper()
	g := &gatherer{}
	g.Values, g.Queue = async.NewPuller(values), queue.New[int](10)
	t.Cleanup(func() {
		g.Values.Close()
		time.Sleep(3 * time.Hour) // lets a waiting iterator end
	})
	g.Pace = pace.New(pace.Budget{Bulks: bulks, BulkSize: 10, Window: time.Hour}, nil)
	g.Take = func(_ context.Context, value int) error {
		g.taken++
		g.Queue.Add(value)
		return nil
	}
	g.Announce = func(_ context.Context, _ time.Time, limit pace.Limit, _ error) error {
		g.announced = append(g.announced, limit)
		return nil
	}
	return g
}

// every yields the numbers below n, and waits before each.
func every(n int, wait time.Duration) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if time.Sleep(wait); !yield(i) {
				return
			}
		}
	}
}

func TestGatherWaitsForABatch(t *testing.T) {
	for name, test := range map[string]struct {
		values iter.Seq[int]
		taken  int
		after  time.Duration
	}{
		"a bulk is ready":          {every(100, 0), 10, 0},
		"it is ready soon":         {every(100, 50*time.Millisecond), 10, 500 * time.Millisecond},
		"it would take too long":   {every(100, 300*time.Millisecond), 4, 1300 * time.Millisecond},
		"the first takes an hour":  {every(100, time.Hour), 1, time.Hour + time.Second},
		"the iterator ends before": {every(3, 0), 3, 0},
		"the iterator has none":    {every(0, 0), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, start := newGatherer(t, test.values, 25), time.Now()
				require.NoError(t, g.Gather(t.Context()))
				require.Equal(t, test.taken, g.taken)
				require.Equal(t, test.after, time.Since(start))
				require.Equal(t, test.taken == 0, g.Queue.IsEmpty())
				require.Empty(t, g.announced)
			})
		})
	}
}

func TestGatherWaitsForTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, start := newGatherer(t, every(100, 0), 1), time.Now()
		g.Pace.CountBulk().Request(transport.Succeeded, 0)
		require.NoError(t, g.Gather(t.Context()))
		require.Equal(t, 10, g.taken)
		require.Equal(t, time.Hour, time.Since(start))
		require.Contains(t, g.announced, pace.Bulks)
	})
}

func TestGatherEndsWithAnError(t *testing.T) {
	failure := errors.New("the disk is full")
	for name, test := range map[string]struct {
		change func(*gatherer)
		want   string
	}{
		"of Take": {func(g *gatherer) { g.Take = func(context.Context, int) error { return failure } }, "the disk is full"},
		"of Announce": {func(g *gatherer) {
			g.Announce = func(context.Context, time.Time, pace.Limit, error) error { return failure }
		}, "the disk is full"},
		"of the values": {func(g *gatherer) { g.Values = async.NewPuller(func(func(int) bool) { runtime.Goexit() }) }, "the iterator of the requests: "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGatherer(t, every(100, 0), 1)
				g.Pace.CountBulk().Request(transport.Succeeded, 0)
				test.change(g)
				require.ErrorContains(t, g.Gather(t.Context()), test.want)
			})
		})
	}
}

func TestGatherEndsWithItsContext(t *testing.T) {
	for name, values := range map[string]iter.Seq[int]{"waiting for the limit": every(100, 0), "waiting for a value": every(1, 2*time.Hour)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGatherer(t, values, 1)
				g.Pace.CountBulk().Request(transport.Succeeded, 0)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				require.ErrorIs(t, g.Gather(ctx), context.DeadlineExceeded)
			})
		})
	}
}
