package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRolledBackCampaignWasNeverThere(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	tx, err := a.pool.Begin(t.Context())
	require.NoError(t, err)
	added, err := a.EnqueueTx(t.Context(), a.river, tx, "spring", guests(10), nil)
	require.NoError(t, err)
	require.Equal(t, 10, added)
	require.NoError(t, tx.Rollback(t.Context()))
	_, err = a.Status(t.Context(), "spring")
	require.ErrorIs(t, err, ErrNoCampaign)
	var rows, jobs int
	require.NoError(t, a.pool.QueryRow(t.Context(),
		"SELECT (SELECT count(*) FROM clerkriver_rows), (SELECT count(*) FROM river_job)").Scan(&rows, &jobs))
	require.Zero(t, rows+jobs)
}

func TestEnqueueAgainAddsNothing(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	require.Equal(t, 10, a.enqueue(t, "spring", guests(10)))
	require.Zero(t, a.enqueue(t, "spring", guests(10)))
	err := pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		for _, n := range []int{9, 11} {
			_, err := a.EnqueueTx(t.Context(), a.river, tx, "spring", guests(n), nil)
			require.ErrorIs(t, err, ErrCampaignExists)
		}
		_, err := a.EnqueueTx(t.Context(), a.river, tx, "empty", guests(0), nil)
		require.ErrorIs(t, err, ErrEmpty)
		_, err = a.EnqueueTx(t.Context(), a.river, tx, "nil", nil, nil)
		require.ErrorIs(t, err, ErrEmpty)
		_, err = a.EnqueueTx(t.Context(), a.river, tx, "summer", guests(1), nil)
		return err // the transaction can still be used
	})
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateWaiting: 10}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "summer"))
	_, err = a.Status(t.Context(), "empty")
	require.ErrorIs(t, err, ErrNoCampaign)
	other := newApp(t, a.pool.Config().ConnString(), Config{Instance: "other"}, nil)
	require.Equal(t, 5, other.enqueue(t, "spring", guests(5)), "instances are apart")
}

func TestRowsThatCannotBeKept(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	for problem, rows := range map[string][]Row{
		"row 1: some rows have IgnoreExisting": {
			{Request: clerk.CreateInvitationRequest{EmailAddress: "a@example.com"}},
			{Request: clerk.CreateInvitationRequest{EmailAddress: "b@example.com", IgnoreExisting: true}},
		},
		"row 0: Ref is not text":                {{Ref: "\x00"}},
		"row 0: json: unsupported type: func()": {{Request: clerk.CreateInvitationRequest{PublicMetadata: map[string]any{"f": func() {}}}}},
	} {
		err := pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			_, err := a.EnqueueTx(t.Context(), a.river, tx, "spring", slices.Values(rows), nil)
			return err
		})
		require.ErrorContains(t, err, problem)
	}
	for _, name := range []string{"", "a\x00", "caf\xe9", "a\nb"} {
		err := pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			_, err := a.EnqueueTx(t.Context(), a.river, tx, name, guests(1), nil)
			return err
		})
		require.ErrorContains(t, err, "is not a name for a campaign")
	}
}

// TestTwoNamesAtOnce: one name is enqueued by four machines at once, and two campaigns
// with the same people are sent together.
func TestTwoNamesAtOnce(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	url := shared.database(t)
	var group sync.WaitGroup
	added := make([]int, 4)
	for i := range added {
		a := newApp(t, url, Config{}, fake)
		group.Go(func() {
			err := pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) (err error) {
				added[i], err = a.EnqueueTx(t.Context(), a.river, tx, "spring", guests(100), nil)
				return err
			})
			assert.NoError(t, err)
		})
	}
	group.Wait()
	slices.Sort(added)
	require.Equal(t, []int{0, 0, 0, 100}, added)
	a := newApp(t, url, Config{}, fake)
	a.enqueue(t, "summer", guests(100))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 100}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateAlreadyInvited: 100}, a.counts(t, "summer"))
	require.Len(t, fake.Invitations(), 100)
}

// within runs a transaction that must not wait for another.
func within(t *testing.T, a *app, d time.Duration, do func(ctx context.Context, tx pgx.Tx) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.NoError(t, pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error { return do(ctx, tx) }))
}

// TestOpenTransactionsHoldUpNobody: while transactions that enqueued, cancelled and deleted are
// open, others enqueue and cancel, due campaigns are sent, and the application's own
// scheduled jobs run.
func TestOpenTransactionsHoldUpNobody(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "cancelled", guests(30))
	open, err := a.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = open.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = a.EnqueueTx(t.Context(), a.river, open, "open", guests(5), nil)
	require.NoError(t, err)
	require.NoError(t, a.CancelTx(t.Context(), open, "cancelled"))

	const limit = 10 * time.Second // much longer than it takes, much shorter than the transaction is open
	within(t, a, limit, func(ctx context.Context, tx pgx.Tx) error {
		_, err := a.EnqueueTx(ctx, a.river, tx, "spring", to("a@example.com"), nil)
		return err
	})
	within(t, a, limit, func(ctx context.Context, tx pgx.Tx) error {
		_, err := a.EnqueueTx(ctx, a.river, tx, "summer", to("b@example.com"), nil)
		if err == nil {
			err = a.CancelTx(ctx, tx, "summer")
		}
		return err
	})
	team := startTeam(t, a.pool)
	own, err := team.client.Insert(t.Context(), teamJob{}, &river.InsertOpts{ScheduledAt: time.Now().Add(2 * time.Second)})
	require.NoError(t, err)
	a.start(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.wait(t, "spring", (*Status).Done).Counts)
	require.Equal(t, map[State]int{StateWaiting: 30}, a.counts(t, "cancelled"), "its fate is open")
	require.Eventually(t, func() bool {
		job, err := team.client.JobGet(t.Context(), own.Job.ID)
		return errors.Is(err, river.ErrNotFound) || err == nil && job.State == rivertype.JobStateCompleted
	}, limit, 50*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, a.Delete(ctx, "summer"))
	require.NoError(t, open.Commit(t.Context()))
	a.wait(t, "open", (*Status).Done)
	require.Equal(t, map[State]int{StateCancelled: 30}, a.counts(t, "cancelled"))
}

// TestHeldCampaignIsPassedOver, although it comes first and is sent in a run of its own.
func TestHeldCampaignIsPassedOver(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(*app, pgx.Tx) error{
		"CancelTx":      func(a *app, tx pgx.Tx) error { return a.CancelTx(t.Context(), tx, "spring") },
		"ErasePersonTx": func(a *app, tx pgx.Tx) error { return a.ErasePersonTx(t.Context(), tx, guest(3)) },
	} {
		for _, killed := range []bool{false, true} {
			fake := clerktest.New()
			a := newApp(t, shared.database(t), Config{}, fake)
			a.enqueue(t, "spring", func(yield func(Row) bool) {
				for row := range guests(5) {
					row.Request.IgnoreExisting = true
					if !yield(row) {
						return
					}
				}
			})
			if killed {
				interrupted(t, a)
				expire(t, a)
			}
			a.enqueue(t, "summer", to("other@example.com"))
			open, err := a.pool.Begin(t.Context())
			require.NoError(t, err)
			defer func() { _ = open.Rollback(context.WithoutCancel(t.Context())) }()
			require.NoError(t, hold(a, open))
			before := len(fake.Invitations())
			a.work(t)
			require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"), name)
			require.Len(t, fake.Invitations(), before+1, "nothing of spring is sent")
			require.NoError(t, open.Rollback(t.Context()))
			a.work(t)
			require.Equal(t, map[State]int{StateCreated: 5}, a.counts(t, "spring"), name)
			require.Len(t, fake.Invitations(), 6)
		}
	}
}

// TestRolledBackCancelIsSent: what a cancelling transaction kept back goes out later.
func TestRolledBackCancelIsSent(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(30))
	open, err := a.pool.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, a.CancelTx(t.Context(), open, "spring"))
	a.work(t)
	require.Equal(t, map[State]int{StateWaiting: 30}, a.counts(t, "spring"))
	require.NoError(t, open.Rollback(t.Context()))
	a.start(t)
	require.Equal(t, map[State]int{StateCreated: 30}, a.wait(t, "spring", (*Status).Done).Counts)
}

// TestEnqueueInAnyOrder: handlers that enqueue campaigns of two instances in opposite orders
// do not wait for each other, and neither do many handlers at once.
func TestEnqueueInAnyOrder(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	a, b := newApp(t, url, Config{}, nil), newApp(t, url, Config{Instance: "other"}, nil)
	barrier := make(chan struct{})
	var group sync.WaitGroup
	for i := range 2 {
		group.Go(func() {
			assert.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
				for step, app := range [][]*app{{a, b}, {b, a}}[i] {
					if _, err := app.EnqueueTx(t.Context(), app.river, tx, fmt.Sprint(i), guests(3), nil); err != nil {
						return err
					}
					if step == 0 { // both have enqueued one
						select {
						case barrier <- struct{}{}:
						case <-barrier:
						}
					}
				}
				return nil
			}))
		})
	}
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				assert.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
					_, err := a.EnqueueTx(t.Context(), a.river, tx, fmt.Sprint("many", i, " ", j), guests(1), nil)
					return err
				}))
				assert.NoError(t, a.Resume(t.Context(), a.river))
			}
		})
	}
	group.Wait()
}

// TestRowsFailAlone: whatever the caller's rows do, the transaction can still be used.
func TestRowsFailAlone(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	for name, rows := range map[string]iter.Seq[Row]{
		"a panic": func(yield func(Row) bool) {
			guests(3)(yield)
			panic("the caller's fault")
		},
		"a panic of MarshalJSON": slices.Values([]Row{{Request: clerk.CreateInvitationRequest{
			EmailAddress: "a@example.com", PublicMetadata: map[string]any{"x": panicky{}},
		}}}),
		"runtime.Goexit": func(func(Row) bool) { runtime.Goexit() },
	} {
		require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			err := guarded(func() error {
				_, err := a.EnqueueTx(t.Context(), a.river, tx, name, rows, nil)
				return err
			})
			require.Error(t, err, name)
			_, err = a.EnqueueTx(t.Context(), a.river, tx, "after "+name, guests(2), nil)
			return err
		}))
		_, err := a.Status(t.Context(), name)
		require.ErrorIs(t, err, ErrNoCampaign)
		require.Equal(t, map[State]int{StateWaiting: 2}, a.counts(t, "after "+name))
	}
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("the caller's fault") }

// TestRowsOfTheSameTransaction: pgx allows one query at a time on a connection.
func TestRowsOfTheSameTransaction(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	query := func(tx pgx.Tx, n int) pgx.Rows {
		people, err := tx.Query(t.Context(), "SELECT 'guest' || i || '@example.com' FROM generate_series(1, $1) i", n)
		require.NoError(t, err)
		return people
	}
	read := func(people pgx.Rows) iter.Seq[Row] {
		return func(yield func(Row) bool) {
			for people.Next() {
				var row Row
				if people.Scan(&row.Request.EmailAddress) != nil || !yield(row) {
					return
				}
			}
		}
	}
	for name, rows := range map[string]func(tx pgx.Tx) iter.Seq[Row]{
		"open before": func(tx pgx.Tx) iter.Seq[Row] { return read(query(tx, 3)) },
		"open after":  func(tx pgx.Tx) iter.Seq[Row] { return func(yield func(Row) bool) { read(query(tx, 5000))(yield) } },
	} {
		tx, err := a.pool.Begin(t.Context())
		require.NoError(t, err)
		_, err = a.EnqueueTx(t.Context(), a.river, tx, name, rows(tx), nil)
		require.ErrorContains(t, err, "read the rows into memory first")
		require.NotContains(t, err.Error(), "conn busy")
		require.NoError(t, tx.Conn().Close(t.Context()))
		_ = tx.Rollback(t.Context()) // returns the connection
	}
}

func TestEnqueueAgainWithOtherOptions(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	begin := time.Now().Add(time.Hour)
	enqueue := func(opts *EnqueueOpts) (err error) {
		return pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			_, err := a.EnqueueTx(t.Context(), a.river, tx, "spring", guests(3), opts)
			return err
		})
	}
	require.NoError(t, enqueue(&EnqueueOpts{Priority: 2, NotBefore: begin}))
	require.NoError(t, enqueue(&EnqueueOpts{Priority: 2, NotBefore: begin.UTC()}))
	for _, other := range []*EnqueueOpts{nil, {Priority: 2}, {NotBefore: begin}, {Priority: 2, NotBefore: begin.Add(time.Second)}} {
		err := enqueue(other)
		require.ErrorIs(t, err, ErrCampaignExists)
		require.ErrorContains(t, err, "was enqueued with priority 2, not before ")
	}
	require.NoError(t, a.Reschedule(t.Context(), a.river, "spring", EnqueueOpts{}))
	require.NoError(t, enqueue(&EnqueueOpts{Priority: 2, NotBefore: begin}), "those that it was enqueued with")
	a = newApp(t, shared.database(t), Config{}, clerktest.New())
	require.NoError(t, enqueue(nil))
	require.EqualError(t, enqueue(&EnqueueOpts{Priority: 1}), ErrCampaignExists.Error()+`: "spring" was enqueued with priority 0`)
}
