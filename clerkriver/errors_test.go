package clerkriver

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

type hostArgs struct{}

func (hostArgs) Kind() string { return "host" }

// TestErrorsOfRiverSayWhatToDo tests the calls that insert wakes.
func TestErrorsOfRiverSayWhatToDo(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[hostArgs]) error { return nil }))
	client := func(config *river.Config) *river.Client[pgx.Tx] {
		client, err := river.NewClient(riverpgxv5.New(a.pool), config)
		require.NoError(t, err)
		return client
	}
	add := func(riverClient *river.Client[pgx.Tx]) error {
		return pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			_, err := a.EnqueueTx(t.Context(), riverClient, tx, "spring", guests(3), nil)
			return err
		})
	}
	foreign := client(&river.Config{Workers: workers})
	err := add(foreign)
	require.ErrorContains(t, err, "call Campaigns.Install before river.NewClient, or set SkipUnknownJobCheck in river.Config: job kind is not registered")
	unknown, ok := errors.AsType[*river.UnknownJobKindError](err)
	require.True(t, ok)
	require.Equal(t, WakeKind, unknown.Kind)
	require.NoError(t, add(client(&river.Config{Workers: workers, SkipUnknownJobCheck: true})))

	_, err = a.pool.Exec(t.Context(), "DELETE FROM river_job")
	require.NoError(t, err)
	require.ErrorContains(t, a.Resume(t.Context(), foreign), "SkipUnknownJobCheck")

	for name, ruin := range map[string]string{"older": "ALTER TABLE river_job DROP COLUMN unique_key", "missing": "DROP TABLE river_job CASCADE"} {
		b := newApp(t, shared.database(t), Config{}, clerktest.New())
		_, err := b.pool.Exec(t.Context(), ruin)
		require.NoError(t, err)
		err = pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			_, err := b.EnqueueTx(t.Context(), b.river, tx, "spring", guests(3), nil)
			return err
		})
		require.ErrorContains(t, err, "River's own tables are missing or out of date", name)
		require.NotErrorIs(t, err, ErrNotMigrated, name)
		require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			_, err := b.EnqueueTx(t.Context(), nil, tx, "spring", guests(3), nil)
			return err
		}))
		require.ErrorContains(t, b.Resume(t.Context(), b.river), "River's own tables are missing or out of date", name)
	}
}
