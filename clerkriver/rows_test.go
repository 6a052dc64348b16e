package clerkriver

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRunnerThatDiedIsReplaced(t *testing.T) {
	t.Parallel()
	for _, resend := range []bool{false, true} {
		fake := clerktest.New()
		a := newApp(t, shared.database(t), Config{}, fake)
		a.enqueue(t, "spring", func(yield func(Row) bool) {
			for row := range guests(25) {
				row.Request.IgnoreExisting = resend
				if !yield(row) {
					return
				}
			}
		})
		interrupted(t, a)
		due := a.work(t)
		var leased time.Time
		require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT leased_until FROM clerkriver_instances").Scan(&leased))
		require.False(t, due.Before(leased), "the lease is held")
		require.WithinDuration(t, leased, due, time.Minute)
		require.Len(t, fake.Invitations(), 1)
		require.Equal(t, map[State]int{StateSending: 10, StateWaiting: 15}, a.counts(t, "spring"))
		expire(t, a)
		require.Zero(t, a.work(t))
		require.Equal(t, map[State]int{StateCreated: 25}, a.counts(t, "spring"), "resend %v", resend)
		require.Len(t, fake.Invitations(), 25)
		ids := map[string]bool{}
		for _, result := range a.all(t, "spring") {
			ids[result.InvitationID] = true
		}
		require.Len(t, ids, 25)
	}
}

// TestNothingScansTheRows: a query that needs a few rows of a large table reads only a few. The
// test counts rows, not scans, as building the indexes of the empty table scans it as well.
func TestNothingScansTheRows(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t)+"?application_name=app", Config{Limits: clerk.Budget{Creates: 100, BulkCreates: 25, Window: time.Hour}}, clerktest.New())
	require.Equal(t, 20_000, a.enqueue(t, "spring", guests(20_000)))
	watch, err := pgx.Connect(t.Context(), strings.TrimSuffix(a.pool.Config().ConnString(), "?application_name=app"))
	require.NoError(t, err)
	defer func() { require.NoError(t, watch.Close(context.WithoutCancel(t.Context()))) }()
	_, err = watch.Exec(t.Context(), "ANALYZE")
	require.NoError(t, err)
	scanned := func() (n int) {
		a.pool.Reset() // PostgreSQL counts what a connection did when that ends
		require.Eventually(t, func() bool {
			var others int
			err := watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = 'app'`).Scan(&others)
			return err == nil && others == 0
		}, 30*time.Second, 10*time.Millisecond)
		require.NoError(t, watch.QueryRow(t.Context(), "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'clerkriver_rows'").Scan(&n))
		return n
	}
	before := scanned()
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 340, StateWaiting: 19_660}, a.counts(t, "spring"))
	_, err = a.List(t.Context())
	require.NoError(t, err)
	cancel(t, a, "spring")
	require.Equal(t, map[State]int{StateCreated: 340, StateCancelled: 19_660}, a.counts(t, "spring"))
	require.Equal(t, StateCancelled, a.all(t, "spring")[19_999].State)
	require.NoError(t, a.Delete(t.Context(), "spring"))
	require.Equal(t, before, scanned())
	var left int
	require.NoError(t, watch.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM clerkriver_rows) + (SELECT count(*) FROM clerkriver_counts)").Scan(&left))
	require.Zero(t, left)
}
