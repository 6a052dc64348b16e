package clerkriver

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestEstimate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	free := []freeSlot{{kindCreate, time.UnixMilli(0)}, {kindBulk, now.Add(10 * time.Minute)}, {kindCreate, now.Add(20 * time.Minute)}}
	for rows, want := range map[int]time.Duration{
		0: 0, 1: 0, 2: 10 * time.Minute, 11: 10 * time.Minute, 12: 20 * time.Minute,
		13: time.Hour, 14: 70 * time.Minute, 24: 80 * time.Minute, 36: 140 * time.Minute,
	} {
		require.Equal(t, now.Add(want), estimate(free, rows, now, time.Hour), "%d rows", rows)
	}
}

func TestPriorityAndNotBefore(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	enqueue := func(name string, opts EnqueueOpts) {
		require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			_, err := a.EnqueueTx(t.Context(), a.river, tx, name, to(name+"@example.com"), &opts)
			return err
		}))
	}
	begin := time.Now().Add(time.Hour)
	enqueue("third", EnqueueOpts{Priority: 1})
	enqueue("second", EnqueueOpts{})
	enqueue("first", EnqueueOpts{Priority: -1})
	enqueue("later", EnqueueOpts{Priority: -2, NotBefore: begin})
	s, err := a.Status(t.Context(), "later")
	require.NoError(t, err)
	require.WithinDuration(t, begin, s.WaitUntil, time.Millisecond)
	require.WithinDuration(t, begin, s.EstimatedEnd, time.Millisecond)
	require.WithinDuration(t, begin, a.work(t), time.Second)
	var order []string
	for _, inv := range fake.Invitations() {
		order = append(order, strings.TrimSuffix(inv.EmailAddress, "@example.com"))
	}
	require.Equal(t, []string{"first", "second", "third"}, order)
	require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "later"))
	var wakes int
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE scheduled_at >= $1", begin.Add(-time.Second)).Scan(&wakes))
	require.Equal(t, 2, wakes)
}

// TestNothingWaitsForARunThatIsSending: the last run had failed, and Clerk answers this one.
func TestNothingWaitsForARunThatIsSending(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(15))
	begun(t, a)
	for problem, waits := range map[string]bool{"": false, "502": true} {
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET failures = 1, problem = $1", problem)
		require.NoError(t, err)
		s, err := a.Status(t.Context(), "spring")
		require.NoError(t, err)
		require.Equal(t, waits, !s.WaitUntil.IsZero(), problem)
	}
}
