package clerkriver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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

// TestRequestsAreSentAsEnqueued: also numbers that a float64 cannot hold, and NUL.
func TestRequestsAreSentAsEnqueued(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", slices.Values([]Row{{Request: clerk.CreateInvitationRequest{
		EmailAddress: "a@example.com", PublicMetadata: map[string]any{"id": int64(9007199254740993), "name": "a\x00b"},
		Notify: new(false), ExpiresInDays: 7, RedirectURL: "https://example.com/welcome",
	}}}))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "spring"))
	requests := fake.Requests()
	require.Contains(t, string(requests[len(requests)-1].Body), `"public_metadata":{"id":9007199254740993,"name":"a\u0000b"}`)
	require.Contains(t, string(requests[len(requests)-1].Body), `"expires_in_days":7`)
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

// TestInvitationHasOneOwner: two campaigns invited the same person when their runner died.
func TestInvitationHasOneOwner(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", guests(1))
	a.enqueue(t, "summer", guests(1))
	interrupted(t, a)
	expire(t, a)
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateAlreadyInvited: 1}, a.counts(t, "summer"))
	require.Equal(t, fake.Invitations()[0].ID, a.all(t, "summer")[0].InvitationID)
}

func TestDeleteErasesTheAddresses(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", to("secret@example.com"))
	require.ErrorIs(t, a.Delete(t.Context(), "spring"), ErrActive)
	a.start(t)
	a.wait(t, "spring", (*Status).Done)
	require.NoError(t, a.Delete(t.Context(), "spring"))
	_, err := a.Status(t.Context(), "spring")
	require.ErrorIs(t, err, ErrNoCampaign)
	for _, err := range a.Results(t.Context(), "spring", 0) {
		require.ErrorIs(t, err, ErrNoCampaign)
	}
	require.ErrorIs(t, a.Delete(t.Context(), "spring"), ErrNoCampaign)
	err = pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := a.EnqueueTx(t.Context(), a.river, tx, "spring", to("secret@example.com"), nil)
		return err
	})
	require.ErrorIs(t, err, ErrCampaignExists)
	for _, table := range []string{"river_job", "clerkriver_instances", "clerkriver_campaigns", "clerkriver_rows", "clerkriver_slots"} {
		var found int
		require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" x WHERE x::text LIKE '%secret@%'").Scan(&found))
		require.Zero(t, found, table)
	}
}

func TestResultsFromAPlaceOn(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(2500))
	place := 1499
	for result, err := range a.Results(t.Context(), "spring", 1499) {
		require.NoError(t, err)
		require.Equal(t, place, result.Place)
		require.Equal(t, fmt.Sprint("user_", place), result.Ref)
		require.Equal(t, guest(place), result.EmailAddress)
		require.NotContains(t, fmt.Sprintf("%+v %#v %s", result, result, result.LogValue()), "@")
		place++
	}
	require.Equal(t, 2500, place)
	for row := range guests(1) {
		require.NotContains(t, fmt.Sprintf("%+v %#v %s", row, row, row), "@")
	}
	for range a.Results(t.Context(), "spring", 0) {
		break
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var last error
	for _, err := range a.Results(ctx, "spring", 0) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
}

// TestRightsToDataOnly: a role that may only read and write data can do everything but
// migrate, in a schema of its own.
func TestRightsToDataOnly(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	owner := connect(t, url)
	role := fmt.Sprint("app_", time.Now().UnixNano())
	_, err := owner.Exec(t.Context(), "CREATE SCHEMA invitations; CREATE ROLE "+role+" LOGIN")
	require.NoError(t, err)
	require.Len(t, migrate(t, owner, "invitations", -1), len(Migrations("")))
	_, err = owner.Exec(t.Context(), strings.ReplaceAll(`
		GRANT USAGE ON SCHEMA invitations, public TO ROLE_NAME;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA invitations TO ROLE_NAME;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ROLE_NAME;
		GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ROLE_NAME;`, "ROLE_NAME", role))
	require.NoError(t, err)
	migrate(t, owner, "", 0) // those in the other schema are not used

	fake := clerktest.New()
	a := newApp(t, strings.Replace(url, "postgres@", role+"@", 1), Config{Schema: "invitations"}, fake)
	a.enqueue(t, "spring", guests(20))
	a.start(t)
	a.wait(t, "spring", (*Status).Done)
	require.Len(t, a.all(t, "spring"), 20)
	a.enqueue(t, "summer", guests(30))
	require.NoError(t, a.Pause(t.Context(), "no"))
	cancel(t, a, "summer")
	require.NoError(t, a.Resume(t.Context(), a.river))
	require.NoError(t, a.Delete(t.Context(), "spring"))
	err = pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := Migrate(t.Context(), tx, "invitations", 0)
		return err
	})
	require.ErrorContains(t, err, "permission denied for schema invitations")
}

func TestMigrateUpAndDown(t *testing.T) {
	t.Parallel()
	pool := connect(t, shared.database(t))
	tables := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'clerkriver%'").Scan(&n))
		return n
	}
	require.Equal(t, 5, tables())
	require.Empty(t, migrate(t, pool, "", -1))
	require.Len(t, migrate(t, pool, "", 0), len(Migrations("")))
	require.Zero(t, tables())
	require.Empty(t, migrate(t, pool, "", 0))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			assert.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				_, err := Migrate(t.Context(), tx, "", -1)
				return err
			}))
		})
	}
	group.Wait()
	require.Equal(t, 5, tables())
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := Migrate(t.Context(), tx, "", 99)
		return err
	})
	require.ErrorContains(t, err, "no version 99")
	// The SQL that another tool runs is the same.
	migrate(t, pool, "", 0)
	for _, m := range Migrations("public") {
		_, err := pool.Exec(t.Context(), m.SQLUp)
		require.NoError(t, err)
	}
	require.Equal(t, 4, tables())
	for _, m := range slices.Backward(Migrations("public")) {
		_, err := pool.Exec(t.Context(), m.SQLDown)
		require.NoError(t, err)
	}
	require.Zero(t, tables())
}

func TestConfigThatCannotBeRight(t *testing.T) {
	t.Parallel()
	pool := connect(t, "postgres://nowhere.invalid/")
	for problem, config := range map[string]Config{
		"is not a name for an instance": {Instance: "Two Words"},
		"Wake is less than a second":    {Wake: time.Millisecond},
		"a limit is negative":           {Limits: clerk.Budget{Creates: -1, Window: time.Hour}},
		"has neither creates nor bulk":  {Limits: clerk.Budget{BulkCreates: 5}, Budget: clerk.Budget{Window: time.Hour, Creates: 0}},
		"Budget is not a part":          {Budget: clerk.Budget{Creates: 101}},
		"is not a part of Limits":       {Budget: clerk.Budget{Creates: 1, Window: time.Minute}},
	} {
		_, err := New(pool, config)
		require.ErrorContains(t, err, problem)
	}
	_, err := New(nil, Config{})
	require.Error(t, err)
	c, err := New(pool, Config{})
	require.NoError(t, err)
	require.Equal(t, clerk.Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}, c.config.Budget)
	require.Equal(t, "clerk_invitations", c.config.Queue)
	require.Error(t, c.Install(nil, nil))
	c, err = New(pool, Config{Instance: "eu"})
	require.NoError(t, err)
	require.Equal(t, "clerk_invitations_eu", c.config.Queue)
}

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
