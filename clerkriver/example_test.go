package clerkriver_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertest"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerkriver"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// install is the README's first snippet.
func install(pool *pgxpool.Pool, riverConfig *river.Config, secretKey string) (*river.Client[pgx.Tx], *clerkriver.Campaigns, error) {
	campaigns, err := clerkriver.New(pool, clerkriver.Config{})
	if err != nil {
		return nil, nil, err
	}
	client, err := campaigns.NewClient(secretKey, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := campaigns.Install(riverConfig, client); err != nil {
		return nil, nil, err
	}
	riverClient, err := river.NewClient(riverpgxv5.New(pool), riverConfig)
	return riverClient, campaigns, err
}

// use is the README's second snippet.
func use(ctx context.Context, pool *pgxpool.Pool, riverClient *river.Client[pgx.Tx], campaigns *clerkriver.Campaigns) error {
	rows := slices.Values([]clerkriver.Row{
		{Ref: "user_1", Request: clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}},
	})
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := campaigns.EnqueueTx(ctx, riverClient, tx, "spring", rows, nil)
		return err
	})
	return err
}

// alerting is the README's third snippet.
func alerting(config *clerkriver.Config, alert func(context.Context, string, string), resolve func(context.Context, string)) {
	config.Logger = slog.Default() // warns of pauses, late runs and runs that ended early
	config.OnEvent = func(ctx context.Context, event clerkriver.Event) {
		switch event.Kind {
		case clerkriver.EventPaused:
			alert(ctx, "paused "+event.Campaign, event.Reason)
		case clerkriver.EventResumed:
			resolve(ctx, "paused "+event.Campaign)
		case clerkriver.EventStuck:
			alert(ctx, "stuck", event.Reason)
		case clerkriver.EventUnstuck:
			resolve(ctx, "stuck")
		}
	}
}

// after is the code of docs/after-the-email.md.
func after(pool *pgxpool.Pool) (*clerkriver.Campaigns, error) {
	campaigns, err := clerkriver.New(pool, clerkriver.Config{
		OnChange: func(ctx context.Context, tx pgx.Tx, change clerkriver.Change) error {
			if change.State != clerkriver.StateAccepted {
				return nil
			}
			_, err := tx.Exec(ctx, "UPDATE members SET joined_at = $1 WHERE id = $2", change.BecameAt, change.Ref)
			return err
		},
	})
	return campaigns, err
}

func remind(ctx context.Context, riverClient *river.Client[pgx.Tx], campaigns *clerkriver.Campaigns, tx pgx.Tx) (int, error) {
	added, err := campaigns.RemindTx(ctx, riverClient, tx, "spring", "spring reminder", clerkriver.Reminder{After: 7 * 24 * time.Hour})
	return added, err
}

func eraseEverywhere(ctx context.Context, pool *pgxpool.Pool, campaigns *clerkriver.Campaigns, client *clerk.Client, address string) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return campaigns.ErasePersonTx(ctx, tx, address) })
	if err != nil {
		return err
	}
	return client.Invitations.Erase(ctx, address)
}

// TestHostCanTest is how a service tests what it enqueues: by its jobs, and by what the fake
// of Clerk gets when the campaign is sent.
func TestHostCanTest(t *testing.T) {
	t.Parallel()
	pool := clerkriver.NewTestPool(t)
	campaigns, err := clerkriver.New(pool, clerkriver.Config{})
	require.NoError(t, err)
	riverClient, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	require.NoError(t, err)

	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	rows := slices.Values([]clerkriver.Row{{Request: clerk.CreateInvitationRequest{EmailAddress: "a@example.com"}}})
	_, err = campaigns.EnqueueTx(t.Context(), riverClient, tx, "spring", rows, nil)
	require.NoError(t, err)
	jobs := rivertest.RequireManyInsertedTx[*riverpgxv5.Driver](t.Context(), t, tx, []rivertest.ExpectedJob{
		{Args: clerkriver.WakeArgs{}, Opts: &rivertest.RequireInsertedOpts{Queue: clerkriver.DefaultQueue}}, {Args: clerkriver.WakeArgs{}},
	})
	require.JSONEq(t, `{"instance":"default"}`, string(jobs[0].EncodedArgs))
	require.NoError(t, tx.Commit(t.Context()))

	fake := clerktest.New()
	client, err := campaigns.NewClient(fake.SecretKey(), fake)
	require.NoError(t, err)
	_, err = campaigns.Work(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, "a@example.com", fake.Invitations()[0].EmailAddress)

	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		added, err := remind(t.Context(), riverClient, campaigns, tx)
		require.Equal(t, 1, added)
		return err
	})
	require.NoError(t, err)
	status, err := campaigns.Status(t.Context(), "spring reminder")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(7*24*time.Hour), status.WaitUntil, time.Hour)
}

// TestReadmeIsCompiled: the README shows code of this file.
func TestReadmeIsCompiled(t *testing.T) {
	t.Parallel()
	_, _, _, _, _, _ = install, use, alerting, after, remind, eraseEverywhere
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	code, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	blocks := strings.Split(string(readme), "```go\n")[1:]
	require.Len(t, blocks, 3)
	for _, block := range blocks {
		snippet, _, _ := strings.Cut(block, "```")
		require.Contains(t, squeeze(string(code)), squeeze(snippet))
	}
}
