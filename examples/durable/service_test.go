package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerkriver"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// connect starts a server with the database of a service, and connects to it.
func connect(t *testing.T) (conn *pgx.Conn, url string) {
	t.Helper()
	newFolder(t)
	cluster, url, err := openCluster(t.Context(), "theirs")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.close(context.Background())) })
	conn, err = pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\n"), 0o600))
	return conn, url
}

// mustRun runs commands that succeed.
func mustRun(t *testing.T, p program, commands ...string) {
	t.Helper()
	for _, args := range commands {
		code, _, stderr := run(t, p, args)
		require.Zero(t, code, stderr)
	}
}

// TestUnknownInstanceIsRefused: a pause of a misspelled instance would stop nothing, and a list
// of it would look as if there were no campaigns.
func TestUnknownInstanceIsRefused(t *testing.T) {
	conn, url := connect(t)
	p := program{databaseURL: url, secretKey: "sk_test_dummy", baseURL: "http://127.0.0.1:1/v1"}
	mustRun(t, p, "migrate", "list", "pause early", "resume", "-instance two enqueue people.csv")
	for _, args := range []string{
		"pause mistake", "-campaign people pause mistake", "resume", "-campaign people resume", "exclude a@example.com", "erase a@example.com",
		"list", "status people", "report people", "remind people", "cancel people", "delete people",
	} {
		code, stdout, stderr := run(t, p, "-instance tow "+args)
		require.Equal(t, exitFailed, code, args)
		require.Empty(t, stdout, args)
		require.Equal(t, `durable: these tables have no instance "tow"; nothing was done. `+
			"Check -instance, and whether DATABASE_URL needs ?search_path=SCHEMA,public\n", stderr, args)
	}
	var traces int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM clerkriver_instances WHERE name = 'tow') +
		(SELECT count(*) FROM clerkriver_excluded) + (SELECT count(*) FROM river_job WHERE args->>'instance' = 'tow')`).Scan(&traces))
	require.Zero(t, traces)

	code, stdout, stderr := run(t, p, "-instance two list")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "people, 1 row: 1 waiting\ninstance two: ")
	code, stdout, stderr = run(t, p, "-instance two pause mistake")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "paused until it is resumed: mistake")
	code, _, stderr = run(t, p, "-instance two resume")
	require.Zero(t, code, stderr)
}

// TestHintsNameTheInstance: without -instance, the commands would change another one.
func TestHintsNameTheInstance(t *testing.T) {
	conn, url := connect(t)
	p := program{databaseURL: url}
	mustRun(t, p, "migrate", "-instance two enqueue people.csv")
	code, _, stderr := run(t, p, "pause mistake")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, `these tables have no instance "default"; nothing was done.`)
	_, err := conn.Exec(t.Context(), "UPDATE clerkriver_campaigns SET not_before = 'epoch', enqueued_at = now() - interval '1 hour'")
	require.NoError(t, err)
	for _, test := range []struct{ args, hint string }{
		{"-instance two status people", `; start the service that sends, or "durable -instance two work"`},
		{"-instance two pause mistake", `; "durable -instance two resume" continues at once`},
		{"-instance two -queue theirs status people", `; "durable -instance two -queue theirs resume" continues at once`},
	} {
		code, stdout, stderr := run(t, p, test.args)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, test.hint, test.args)
	}
}

// TestTablesInAnotherSchema: a second set of tables would hide the service's campaigns.
func TestTablesInAnotherSchema(t *testing.T) {
	conn, url := connect(t)
	_, err := conn.Exec(t.Context(), "CREATE SCHEMA clerk")
	require.NoError(t, err)
	theirs := program{databaseURL: url + "?search_path=clerk,public"}
	mustRun(t, theirs, "migrate", "migrate", "enqueue people.csv")
	for _, args := range []string{"list", "status people", "pause mistake", "resume", "enqueue people.csv", "migrate"} {
		code, stdout, stderr := run(t, program{databaseURL: url}, args)
		require.Equal(t, exitFailed, code, args)
		require.Empty(t, stdout, args)
		require.Equal(t, `durable: the tables are in the schema "clerk"; append ?search_path=clerk,public to DATABASE_URL`+"\n", stderr, args)
	}
	var inPublic bool
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_regclass('public.clerkriver_instances') IS NOT NULL").Scan(&inPublic))
	require.False(t, inPublic)
	code, _, stderr := run(t, theirs, "pause mistake")
	require.Zero(t, code, stderr)
}

// TestReportSaysWhatTheServiceRefused: the service's table does not know what became of these
// rows, and only the report shows which they are.
func TestReportSaysWhatTheServiceRefused(t *testing.T) {
	conn, url := connect(t)
	p := program{databaseURL: url}
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\nb@example.com\n"), 0o600))
	mustRun(t, p, "migrate", "enqueue people.csv")
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	campaigns, err := clerkriver.New(pool, clerkriver.Config{
		OnResult: func(_ context.Context, _ pgx.Tx, result clerkriver.Result) error {
			if result.Ref == "2" {
				return errors.New("no such member")
			}
			return nil
		},
		OnChange: func(context.Context, pgx.Tx, clerkriver.Change) error { return errors.New("the member has left") },
	})
	require.NoError(t, err)
	fake := clerktest.New()
	client, err := campaigns.NewClient(fake.SecretKey(), fake)
	require.NoError(t, err)
	_, err = campaigns.Work(t.Context(), client)
	require.NoError(t, err)
	invitations := fake.Invitations()
	require.Len(t, invitations, 2)
	require.NoError(t, fake.Accept(invitations[1].ID))
	_, err = conn.Exec(t.Context(), "UPDATE clerkriver_campaigns SET enqueued_at = now() - interval '1 hour'") // a sync is due
	require.NoError(t, err)
	_, err = campaigns.Work(t.Context(), client)
	require.NoError(t, err)

	code, stdout, stderr := run(t, p, "report people")
	require.Zero(t, code, stderr)
	require.Equal(t, "line,email_address,outcome,invitation_id,problem,untold\n"+
		"2,a@example.com,created,"+invitations[0].ID+",,no such member\n"+
		"3,b@example.com,accepted,"+invitations[1].ID+",,the member has left\n", stdout)
	code, _, stderr = run(t, p, "delete people")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "has not accepted all results")
}

// TestDeleteNamesWhatIsLost: an open invitation can still be accepted.
func TestDeleteNamesWhatIsLost(t *testing.T) {
	conn, url := connect(t)
	p := program{databaseURL: url}
	mustRun(t, p, "migrate", "enqueue people.csv")
	_, err := conn.Exec(t.Context(), `UPDATE clerkriver_rows SET state = 'created'; UPDATE clerkriver_campaigns SET next_place = 1;
		INSERT INTO clerkriver_counts (campaign_id, state, source, rows) SELECT id, 'created', 1, 1 FROM clerkriver_campaigns`)
	require.NoError(t, err)
	code, _, stderr := run(t, p, "delete people")
	require.Zero(t, code, stderr)
	require.Equal(t, "people was deleted; what becomes of its invitations that were open at the last sync (1) is not learned anymore\n", stderr)
}

// TestSQLCreatesTheTables: in the schema of the connection that runs it, the same tables as
// "durable migrate", which keeps the versions in another one.
func TestSQLCreatesTheTables(t *testing.T) {
	code, printed, stderr := run(t, program{databaseURL: "postgres://127.0.0.1:1/none"}, "sql")
	require.Zero(t, code)
	require.Empty(t, stderr)
	require.Regexp(t, `^-- clerkriver, version 1: campaigns, rows, slots\nCREATE TABLE clerkriver_instances \(`, printed)
	require.Contains(t, printed, ";\n\n-- clerkriver, version 2: states of invitations after they were created\nALTER TABLE clerkriver_instances\n")
	require.Equal(t, len(clerkriver.Migrations("")), strings.Count(printed, "-- clerkriver, version "))

	conn, url := connect(t)
	columns := func() []string {
		rows, err := conn.Query(t.Context(), `SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
			FROM information_schema.columns WHERE table_name LIKE 'clerkriver%' AND table_name <> 'clerkriver_migrations'
			UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'clerkriver%' AND tablename <> 'clerkriver_migrations' ORDER BY 1`)
		require.NoError(t, err)
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return all
	}
	p := program{databaseURL: url}
	code, _, stderr = run(t, p, "migrate")
	require.Zero(t, code, stderr)
	migrated := columns()
	require.NotEmpty(t, migrated)
	_, err := conn.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	require.NoError(t, err)
	require.Empty(t, columns())
	_, err = conn.Exec(t.Context(), printed)
	require.NoError(t, err)
	require.Equal(t, migrated, columns())
	code, stdout, stderr := run(t, p, "list")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "instance default: ")
}

// TestSettingsOfTheServiceAreAdopted: its intervals and limits decide when a run is due, and what
// is free.
func TestSettingsOfTheServiceAreAdopted(t *testing.T) {
	_, url := connect(t)
	p := program{databaseURL: url}
	code, _, stderr := run(t, p, "migrate")
	require.Zero(t, code, stderr)
	fake := clerktest.New()
	config := clerkriver.Config{
		Wake: 3 * time.Minute, Sync: 20 * time.Minute, Limits: clerk.Budget{Creates: 7, BulkCreates: 3, Window: time.Hour},
	}
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	service, err := clerkriver.New(pool, config)
	require.NoError(t, err)
	client, err := service.NewClient(fake.SecretKey(), fake)
	require.NoError(t, err)
	code, _, stderr = run(t, p, "enqueue people.csv")
	require.Zero(t, code, stderr)
	_, err = service.Work(t.Context(), client)
	require.NoError(t, err)
	s, err := service.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(20*time.Minute), s.NextWake, 10*time.Second)
	code, stdout, stderr := run(t, p, "list")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "\n"+s.String()+"\n")
	require.Contains(t, stdout, " of 7 creates and ")
}
