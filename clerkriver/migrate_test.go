package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestRightsToDataOnly: a role that may only read and write data can do everything except
// migrate, in its own schema.
func TestRightsToDataOnly(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	owner := connect(t, url)
	role := fmt.Sprint("app_", time.Now().UnixNano())
	_, err := owner.Exec(t.Context(), "CREATE SCHEMA invitations; CREATE ROLE "+role+" LOGIN")
	require.NoError(t, err)
	require.Len(t, migrated(t, owner, "invitations", -1), len(Migrations("")))
	_, err = owner.Exec(t.Context(), strings.ReplaceAll(`
		GRANT USAGE ON SCHEMA invitations, public TO ROLE_NAME;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA invitations TO ROLE_NAME;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ROLE_NAME;
		GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ROLE_NAME;`, "ROLE_NAME", role))
	require.NoError(t, err)
	drop(t, owner) // the tables in the other schema are not used

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
		_, err := Drop(t.Context(), tx, "invitations")
		return err
	})
	require.ErrorContains(t, err, "must be owner of table")
}

func TestMigrateUpAndDown(t *testing.T) {
	t.Parallel()
	pool := connect(t, shared.database(t))
	tables := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'clerkriver%'").Scan(&n))
		return n
	}
	require.Equal(t, 9, tables())
	require.Empty(t, migrated(t, pool, "", -1))
	require.Len(t, drop(t, pool), len(Migrations("")))
	require.Zero(t, tables())
	require.Empty(t, drop(t, pool))
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
	require.Equal(t, 9, tables())
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := Migrate(t.Context(), tx, "", 99)
		return err
	})
	require.ErrorContains(t, err, "no version 99")
	// Another tool runs the same SQL.
	drop(t, pool)
	for _, m := range Migrations("public") {
		_, err := pool.Exec(t.Context(), m.SQLUp)
		require.NoError(t, err)
	}
	require.Equal(t, 8, tables())
	for name, run := range map[string]func(tx pgx.Tx) ([]Migration, error){
		"Migrate": func(tx pgx.Tx) ([]Migration, error) { return Migrate(t.Context(), tx, "", -1) },
		"Drop":    func(tx pgx.Tx) ([]Migration, error) { return Drop(t.Context(), tx, "") },
	} {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			_, err := run(tx)
			return err
		})
		require.ErrorContains(t, err, "another tool has run the SQL of Migrations", name)
	}
	for _, m := range slices.Backward(Migrations("public")) {
		_, err := pool.Exec(t.Context(), m.SQLDown)
		require.NoError(t, err)
	}
	require.Zero(t, tables())
}

// drop drops the tables.
func drop(t *testing.T, pool *pgxpool.Pool) (ran []Migration) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) (err error) {
		ran, err = Drop(t.Context(), tx, "")
		return err
	}))
	return ran
}

// TestMigrateNeedsAVersion: a version from an unset variable must not erase everything.
func TestMigrateNeedsAVersion(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(1))
	err := pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := Migrate(t.Context(), tx, "", 0)
		require.ErrorContains(t, err, "Drop drops the tables")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "spring"))
}

// TestMigrateNeedsNoRightsIfUpToDate: a service migrates when it starts, with its own role.
func TestMigrateNeedsNoRightsIfUpToDate(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	owner := connect(t, url)
	role := fmt.Sprint("app_", time.Now().UnixNano())
	_, err := owner.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+role)
	require.NoError(t, err)
	require.Empty(t, migrated(t, connect(t, strings.Replace(url, "postgres@", role+"@", 1)), "", -1))
}

// TestMissingMigrationIsExplained: every method says what to do.
func TestMissingMigrationIsExplained(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	drop(t, a.pool)
	tx := func(do func(tx pgx.Tx) error) error { return pgx.BeginFunc(t.Context(), a.pool, do) }
	_, status := a.Status(t.Context(), "spring")
	_, list := a.List(t.Context())
	_, instance := a.InstanceStatus(t.Context())
	_, work := a.Work(t.Context(), a.client)
	_, create := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	var results error
	for _, err := range a.Results(t.Context(), "spring", 0) {
		results = err
	}
	for name, err := range map[string]error{
		"EnqueueTx": tx(func(tx pgx.Tx) error {
			_, err := a.EnqueueTx(t.Context(), a.river, tx, "spring", guests(1), nil)
			return err
		}),
		"CancelTx": tx(func(tx pgx.Tx) error { return a.CancelTx(t.Context(), tx, "spring") }),
		"Status":   status, "List": list, "InstanceStatus": instance, "Work": work, "Results": results, "Create": create,
		"Delete": a.Delete(t.Context(), "spring"), "Pause": a.Pause(t.Context(), ""), "Resume": a.Resume(t.Context(), a.river),
		"PauseCampaign": a.PauseCampaign(t.Context(), "spring", ""), "ResumeCampaign": a.ResumeCampaign(t.Context(), a.river, "spring"),
		"Reschedule": a.Reschedule(t.Context(), a.river, "spring", EnqueueOpts{}),
	} {
		require.ErrorIs(t, err, ErrNotMigrated, name)
		if name != "Create" {
			require.ErrorContains(t, err, "run clerkriver.Migrate", name)
		}
	}
}

// TestOldVersionOfTheTables: after migrating back, invitations in any state count as created,
// and unsent rows as cancelled. Reminders are not sent.
func TestOldVersionOfTheTables(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 6, Config{Sync: time.Minute, OnChange: func(context.Context, pgx.Tx, Change) error { return errors.New("no") }})
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	require.NoError(t, fake.Expire(a.invitationOf(t, "spring", 1)))
	a.mustRemind(t, "spring", "reminder", 6)
	a.erasePerson(t, guest(5))
	a.work(t)
	require.Equal(t, map[State]int{StateSkipped: 1, StateErased: 1, StateCreated: 4}, a.counts(t, "reminder"))
	a.mustRemind(t, "reminder", "second", 4)
	migrated(t, a.pool, "", 1)
	counts := func(campaign string) map[string]int {
		rows, err := a.pool.Query(t.Context(), `SELECT state, sum(n.rows) FROM clerkriver_counts n JOIN clerkriver_campaigns c ON c.id = n.campaign_id
			WHERE c.name = $1 GROUP BY state HAVING sum(n.rows) <> 0`, campaign)
		require.NoError(t, err)
		counts := map[string]int{}
		var state string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
			counts[state] = n
			return nil
		})
		require.NoError(t, err)
		return counts
	}
	require.Equal(t, map[string]int{"created": 6}, counts("spring"))
	require.Equal(t, map[string]int{"created": 4, "cancelled": 2}, counts("reminder"))
	migrated(t, a.pool, "", -1)
	s, err := a.Status(t.Context(), "second")
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateCancelled: 4}, s.Counts)
	require.Equal(t, map[State]int{StateCreated: 6}, a.counts(t, "spring"))
}
