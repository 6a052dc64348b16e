package clerkriver_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
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

// alerting contains the snippet of docs/operating-campaigns.md.
func alerting(config *clerkriver.Config, alert func(context.Context, string, string), resolve func(context.Context, string)) {
	config.Logger = slog.Default() // warns of pauses, late runs, runs that ended early, and failures of OnResult
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

// alertOf returns the alert that a result of InstanceStatus means; empty if there is none. The
// error, or s.String(), has the details.
func alertOf(s *clerkriver.InstanceStatus, err error) string {
	switch {
	case err != nil:
		return "the database of the campaigns fails"
	case s.Paused != "" || s.PausedCampaigns > 0:
		return "campaigns are paused"
	case !s.OverdueSince.IsZero():
		return "no process sends campaigns"
	case !s.ProblemSince.IsZero() && time.Since(s.ProblemSince) > 5*time.Minute:
		return "campaigns fail"
	case s.Untold > 0: // alert if it lasts
		return "OnResult or OnChange fails"
	}
	return ""
}

// after contains the code of docs/after-the-email.md.
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

// newSchema creates a schema for a test in the database at a URL, and returns the URL that uses it.
func newSchema(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	schema := "test_" + strings.ToLower(rand.Text())
	_, err = conn.Exec(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() { // t.Context() has ended
		_, err := conn.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
		require.NoError(t, err)
		require.NoError(t, conn.Close(context.Background()))
	})
	return url + "?search_path=" + schema // River's tables follow it as well
}

// databaseURL returns the URL of a schema that has only the application's own table.
func databaseURL(t *testing.T) string {
	t.Helper()
	url := newSchema(t, clerkriver.NewTestDatabase(t))
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE members (id text PRIMARY KEY, invitation text); INSERT INTO members VALUES ('member_1'), ('member_2')")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	return url
}

// migratedPool returns a pool of a database, and creates the tables in it.
func migratedPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, migrate(t.Context(), pool))
	return pool
}

// TestHostCanTest is the README's test of a service. It checks the service's jobs, and the
// requests that a fake of Clerk gets when the campaign is sent.
func TestHostCanTest(t *testing.T) {
	ctx := t.Context()
	pool, err := pgxpool.New(ctx, databaseURL(t)) // of a database with your tables
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, migrate(ctx, pool))
	campaigns, err := newCampaigns(pool)
	require.NoError(t, err)
	riverClient, err := river.NewClient(riverpgxv5.New(pool), &river.Config{}) // inserts jobs, and runs none
	require.NoError(t, err)

	require.NoError(t, invite(ctx, pool, riverClient, campaigns))
	wake := rivertest.ExpectedJob{Args: clerkriver.WakeArgs{}}
	rivertest.RequireManyInserted(ctx, t, riverpgxv5.New(pool), []rivertest.ExpectedJob{wake, wake})

	fake := clerktest.New()
	client, err := campaigns.NewClient(fake.SecretKey(), fake)
	require.NoError(t, err)
	_, err = campaigns.Work(ctx, client) // all that a job does
	require.NoError(t, err)
	require.Len(t, fake.Invitations(), 2)
	status, err := campaigns.Status(ctx, "spring")
	require.NoError(t, err)
	require.Zero(t, status.Untold, "OnResult has succeeded for every row")
}

// TestHostCanTestOnChange is the README's test of an acceptance.
func TestHostCanTestOnChange(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := migratedPool(t, databaseURL(t))
	var joined []string
	campaigns, err := clerkriver.New(pool, clerkriver.Config{
		Sync: time.Second,
		OnChange: func(_ context.Context, _ pgx.Tx, change clerkriver.Change) error {
			joined = append(joined, change.Ref)
			return nil
		},
	})
	require.NoError(t, err)
	fake := clerktest.New()
	client, err := campaigns.NewClient(fake.SecretKey(), fake)
	require.NoError(t, err)
	require.NoError(t, invite(ctx, pool, nil, campaigns))
	_, err = campaigns.Work(ctx, client)
	require.NoError(t, err)
	require.Empty(t, joined)

	require.NoError(t, fake.Accept(fake.Invitations()[0].ID))
	time.Sleep(time.Second)              // Config.Sync, by the database's clock
	_, err = campaigns.Work(ctx, client) // lists the invitations, and calls OnChange
	require.NoError(t, err)
	require.Equal(t, []string{"member_1"}, joined)
}

// TestHostCanTestFailures as the README's table says: with a failing OnResult, a pause and a
// used-up limit.
func TestHostCanTestFailures(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := migratedPool(t, databaseURL(t))
	var failure error
	campaigns, err := clerkriver.New(pool, clerkriver.Config{
		Limits:   clerk.Budget{Creates: 1, Window: time.Hour},
		OnResult: func(context.Context, pgx.Tx, clerkriver.Result) error { return failure },
	})
	require.NoError(t, err)
	fake := clerktest.New()
	client, err := campaigns.NewClient(fake.SecretKey(), fake)
	require.NoError(t, err)
	work := func(invitations, untold int) *clerkriver.Status {
		_, err := campaigns.Work(ctx, client)
		require.NoError(t, err)
		require.Len(t, fake.Invitations(), invitations)
		status, err := campaigns.Status(ctx, "spring")
		require.NoError(t, err)
		require.Equal(t, untold, status.Untold)
		return status
	}
	require.NoError(t, invite(ctx, pool, nil, campaigns))
	require.NoError(t, campaigns.Pause(ctx, "test"))
	work(0, 0)
	require.NoError(t, campaigns.Resume(ctx, nil))
	failure = errors.New("no table")
	work(1, 1)
	failure = nil
	require.NoError(t, campaigns.Resume(ctx, nil))
	status := work(1, 0)
	require.Equal(t, map[clerkriver.State]int{clerkriver.StateCreated: 1, clerkriver.StateWaiting: 1}, status.Counts)
	require.WithinDuration(t, time.Now().Add(time.Hour), status.WaitUntil, time.Minute)
}

// TestReadmeIsComplete: its functions are all that an application needs.
func TestReadmeIsComplete(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := migratedPool(t, databaseURL(t))
	require.NoError(t, migrate(ctx, pool), "when it starts the second time")
	campaigns, err := newCampaigns(pool)
	require.NoError(t, err)
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	client, err := campaigns.NewClient(fake.SecretKey(), nil, clerk.WithBaseURL(baseURL))
	require.NoError(t, err)
	riverClient, err := startRiver(ctx, pool, campaigns, client)
	require.NoError(t, err)
	require.NoError(t, invite(ctx, pool, riverClient, campaigns))
	require.Eventually(t, func() bool {
		var created int
		require.NoError(t, pool.QueryRow(ctx, "SELECT count(*) FROM members WHERE invitation = 'created'").Scan(&created))
		return created == 2
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, riverClient.StopAndCancel(ctx))

	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		added, err := remind(ctx, riverClient, campaigns, tx)
		require.Equal(t, 2, added)
		return err
	})
	require.NoError(t, err)
	status, err := campaigns.Status(ctx, "spring reminder")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(7*24*time.Hour), status.WaitUntil, time.Hour)
}

// TestReadmesTableKeepsWhoAccepted: a reminder that is not sent, as the person has accepted,
// does not overwrite that.
func TestReadmesTableKeepsWhoAccepted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := migratedPool(t, databaseURL(t))
	campaigns, err := newCampaigns(pool)
	require.NoError(t, err)
	fake := clerktest.New()
	client, err := campaigns.NewClient(fake.SecretKey(), fake)
	require.NoError(t, err)
	require.NoError(t, invite(ctx, pool, nil, campaigns))
	_, err = campaigns.Work(ctx, client)
	require.NoError(t, err)
	require.NoError(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := campaigns.RemindTx(ctx, nil, tx, "spring", "spring reminder", clerkriver.Reminder{})
		return err
	}))
	require.NoError(t, fake.Accept(fake.Invitations()[0].ID))
	_, err = pool.Exec(ctx, "UPDATE members SET invitation = 'accepted' WHERE id = 'member_1'") // as OnChange may
	require.NoError(t, err)
	_, err = campaigns.Work(ctx, client)
	require.NoError(t, err)
	status, err := campaigns.Status(ctx, "spring reminder")
	require.NoError(t, err)
	require.Equal(t, map[clerkriver.State]int{clerkriver.StateSkipped: 1, clerkriver.StateCreated: 1}, status.Counts)
	require.Zero(t, status.Untold)
	var first, second string
	require.NoError(t, pool.QueryRow(ctx, "SELECT min(invitation), max(invitation) FROM members").Scan(&first, &second))
	require.Equal(t, []string{"accepted", "created"}, []string{first, second})
}

// TestAlertsOfTheReadmeAreResolved: each alert is resolved by the event that ends it, and by
// no other.
func TestAlertsOfTheReadmeAreResolved(t *testing.T) {
	t.Parallel()
	var config clerkriver.Config
	open := map[string]string{}
	alerting(&config, func(_ context.Context, name, reason string) { open[name] = reason }, func(_ context.Context, name string) { delete(open, name) })
	for _, test := range []struct {
		event clerkriver.Event
		open  int
	}{
		{clerkriver.Event{Kind: clerkriver.EventStuck}, 1},
		{clerkriver.Event{Kind: clerkriver.EventRunBegun}, 1},
		{clerkriver.Event{Kind: clerkriver.EventPaused}, 2},
		{clerkriver.Event{Kind: clerkriver.EventPaused, Campaign: "spring"}, 3},
		{clerkriver.Event{Kind: clerkriver.EventUnstuck}, 2},
		{clerkriver.Event{Kind: clerkriver.EventRunEnded}, 2},
		{clerkriver.Event{Kind: clerkriver.EventResumed}, 1},
		{clerkriver.Event{Kind: clerkriver.EventResumed, Campaign: "spring"}, 0},
	} {
		config.OnEvent(t.Context(), test.event)
		require.Len(t, open, test.open, test.event)
	}
}

// TestFirstAlertExplainsTheOthers of the page about operating.
func TestFirstAlertExplainsTheOthers(t *testing.T) {
	t.Parallel()
	s := &clerkriver.InstanceStatus{}
	for _, test := range []struct {
		happens func()
		alert   string
	}{
		{func() { s.Problem, s.ProblemSince = "502", time.Now().Add(-time.Minute) }, ""},
		{func() { s.Untold = 1 }, "OnResult or OnChange fails"},
		{func() { s.ProblemSince = time.Now().Add(-6 * time.Minute) }, "campaigns fail"},
		{func() { s.OverdueSince = time.Now() }, "no process sends campaigns"},
		{func() { s.PausedCampaigns = 1 }, "campaigns are paused"},
		{func() { s.Paused, s.PausedCampaigns = "lunch", 0 }, "campaigns are paused"},
	} {
		test.happens()
		require.Equal(t, test.alert, alertOf(s, nil))
	}
	require.Equal(t, "the database of the campaigns fails", alertOf(nil, context.DeadlineExceeded))
}

// TestReadmeIsCompiled: the code in the README, and in the page about operating, is copied from
// this file and readme_test.go.
func TestReadmeIsCompiled(t *testing.T) {
	t.Parallel()
	_, _, _ = alerting, after, eraseEverywhere
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	operating, err := os.ReadFile("../docs/operating-campaigns.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	whole, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	blocks := strings.Split(string(readme)+string(operating), "```go\n")[1:]
	require.Len(t, blocks, 6)
	for _, block := range blocks {
		snippet, _, _ := strings.Cut(block, "```")
		require.Contains(t, squeeze(string(example)+string(whole)), squeeze(snippet))
	}
}
