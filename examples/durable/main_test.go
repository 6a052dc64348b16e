package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestMain runs the tests, or acts as the command for one of them.
func TestMain(m *testing.M) {
	if args := os.Getenv("TEST_COMMAND"); args != "" {
		os.Args = append(os.Args[:1], strings.Fields(args)...)
		main()
	}
	os.Exit(m.Run())
}

// newFolder changes to an empty directory that PostgreSQL's user can enter. Without PostgreSQL
// the test is skipped, but fails in CI.
func newFolder(t *testing.T) {
	t.Helper()
	if _, err := findPrograms(); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	folder := t.TempDir()
	for parent := folder; parent != os.TempDir(); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o755))
	}
	t.Chdir(folder)
}

// run runs the command in this process.
func run(t *testing.T, p program, args string) (code int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	p.stdout, p.stderr = &out, &log
	code = p.main(t.Context(), strings.Fields(args))
	return code, out.String(), log.String()
}

func TestCommand(t *testing.T) {
	newFolder(t)
	require.NoError(t, os.WriteFile("people.csv", []byte("email,seat\na@example.com,1\nno address,2\nb@example.com,6,7\n"), 0o600))
	require.NoError(t, os.WriteFile("empty.csv", nil, 0o600))
	for _, test := range []struct {
		key, args string
		code      int
		stdout    string // its beginning, with ... for any text
		stderr    string // a part of it
	}{
		{"", "", exitUsage, "", "durable: a command or PEOPLE.csv is missing; run \"durable -h\" for help\n"},
		{"", "-h", 0, "", "usage: durable "},
		{"", "status people", exitFailed, "", "DATABASE_URL is not set, and stat durable-postgres: no such file"},
		{"", "people.csv", exitUnsent, "line,email_address,outcome,invitation_id,problem,untold\n2,a@example.com,created,inv_", "this is a fake of Clerk"},
		{"", "other.csv", exitFailed, "", "other.csv: no such file"},
		{"", "enqueue empty.csv", exitFailed, "", "the file is empty"},
		{"pk_test_dummy", "people.csv", exitFailed, "", "publishable"},
		{"", "status people", exitFailed, "", `no such campaign: "people"`},
		{"", "-instance Two enqueue people.csv", exitFailed, "", `"Two" is not a name for an instance`},
		{"", "work", exitFailed, "", "secret key is empty"},
		{"", "enqueue people.csv", 0, "people, 2 rows: 2 waiting\n", "line 4 is not in the campaign: 3 fields, but the first line names 2\n"},
		{"", "status people", 0, "people, 2 rows: 2 waiting\n", ""},
		{"", "enqueue people.csv", 0, "people, 2 rows: ", "people: 0 rows enqueued"},
		{"", "-campaign spring enqueue people.csv", 0, "spring, 2 rows: ", "spring: 2 rows enqueued"},
		{"", "-campaign spring enqueue ./more.csv", exitFailed, "", "more.csv: no such file"},
		{"", "-instance other status people", exitFailed, "", `these tables have no instance "other"`},
		{"", "report people", 0, "line,email_address,outcome,invitation_id,problem,untold\n2,a@example.com,waiting,,,\n3,no address,waiting,,,\n", ""},
		{"", "pause mistake", 0, "instance default: 90 of 90 creates...; paused until it is resumed: mistake; \"durable resume\" continues at once\n", ""},
		{"", "status people", 0, "people, 2 rows: 2 waiting; paused until it is resumed: mistake; \"durable resume\" continues at once\n", ""},
		{"", "resume", 0, "instance default: 90 of 90 creates and 25 of 25 bulk creates free for campaigns, run 0, the next ", ""},
		{"", "pause later -campaign people", 0, "people, 2 rows: 2 waiting; this campaign is paused until it is resumed: later; \"durable -campaign people resume\" continues at once\n", ""},
		{"", "status spring", 0, "spring, 2 rows: 2 waiting", ""}, // perhaps late by now
		{"", "-campaign people resume", 0, "people, 2 rows: 2 waiting", ""},
		{"", "-campaign nobody pause later", exitFailed, "", "no such campaign"},
		{"", "list", 0, "people, 2 rows: 2 waiting...\nspring, 2 rows: 2 waiting...\ninstance default: 90 of 90 creates and 25 of 25 bulk creates free for campaigns, run 0, the next ", ""},
		{"", "delete people", exitFailed, "", "has not finished"},
		{"", "cancel people", 0, "people, 2 rows: 2 cancelled\n", ""},
		{"", "delete people", 0, "", "people was deleted\n"},
		{"", "report people", exitFailed, "", "no such campaign"},
	} {
		code, stdout, stderr := run(t, program{secretKey: test.key}, test.args)
		require.Equal(t, test.code, code, "%s: %s", test.args, stderr)
		begins := "^" + strings.ReplaceAll(regexp.QuoteMeta(test.stdout), `\.\.\.`, ".*")
		require.Regexp(t, begins, stdout, test.args)
		require.Contains(t, stderr, test.stderr, test.args)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	const stopped = "durable: stopped; run the same command again\n"
	for _, test := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"people.csv", exitStopped, stopped},
		{"list", exitStopped, stopped},
		{"pause later", exitStopped, stopped},
		{"work", 0, ""},
	} {
		var stderr bytes.Buffer
		p := program{stdout: io.Discard, stderr: &stderr, secretKey: "sk_test_dummy"}
		require.Equal(t, test.code, p.main(ctx, strings.Fields(test.args)), test.args)
		require.Equal(t, test.stderr, stderr.String(), test.args)
	}
	requireStopped(t)
}

// requireStopped checks that no server is left running in the current directory.
func requireStopped(t *testing.T) {
	t.Helper()
	require.NoFileExists(t, "durable-postgres/data/postmaster.pid")
}

func TestDatabaseOfAnApplication(t *testing.T) {
	newFolder(t)
	cluster, url, err := openCluster(t.Context(), "theirs")
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.close(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\n"), 0o600))
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	p := program{databaseURL: url, secretKey: fake.SecretKey(), baseURL: baseURL}
	code, _, stderr := run(t, p, "people.csv")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, `run "durable migrate" once`)
	for range 2 {
		code, _, stderr = run(t, p, "migrate")
		require.Zero(t, code, stderr)
	}
	code, stdout, stderr := run(t, p, "people.csv")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "2,a@example.com,created,"+fake.Invitations()[0].ID)
	require.NoDirExists(t, "durable-postgres")

	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	var jobs, withAddress int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE j::text LIKE '%example.com%') FROM river_job j").Scan(&jobs, &withAddress))
	require.Positive(t, jobs)
	require.Zero(t, withAddress)
	code, _, stderr = run(t, p, "-queue theirs resume")
	require.Zero(t, code, stderr)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE queue = 'theirs'").Scan(&jobs))
	require.Positive(t, jobs)
}

// TestPeopleOfAService: the commands about a person change the campaigns of a service.
func TestPeopleOfAService(t *testing.T) {
	newFolder(t)
	cluster, url, err := openCluster(t.Context(), "theirs")
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.close(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\nb@example.com\n"), 0o600))
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	const created = "2,a@example.com,created"
	for _, test := range []struct {
		key, args string
		code      int
		stdout    string // a part of it
		stderr    string // a part of it
	}{
		{"", "migrate", 0, "", ""},
		{fake.SecretKey(), "people.csv", 0, created, ""},
		{"", "exclude B@example.com", 0, "", ""},
		{"", "-after 0s remind people", 0, "people-reminder, 1 row: ", ""},
		{"", "exclude nobody", exitFailed, "", `"nobody" is not an email address; nothing was done`},
		{fake.SecretKey(), "erase nobody", exitFailed, "", `"nobody" is not an email address; nothing was done`},
		{"", "erase a@example.com", exitFailed, "", "CLERK_SECRET_KEY is not set; nothing was erased"},
		{"pk_test_dummy", "erase a@example.com", exitFailed, "", "nothing was erased: "},
		{"", "report people", 0, created, ""},
		{"sk_test_wrong", "erase a@example.com", exitFailed, "", "erased from the campaigns, but not at Clerk; run it again: "},
		{"", "report people", 0, "\n,,created,inv_", ""},
		{"", "status people-reminder", 0, "people-reminder, 1 row: 1 erased\n", ""},
		{fake.SecretKey(), "erase a@example.com", 0, "", ""},
	} {
		code, stdout, stderr := run(t, program{databaseURL: url, baseURL: baseURL, secretKey: test.key}, test.args)
		require.Equal(t, test.code, code, "%s: %s", test.args, stderr)
		require.Contains(t, stdout, test.stdout, test.args)
		require.Contains(t, stderr, test.stderr, test.args)
	}
	require.Len(t, fake.Invitations(), 1)
	require.Equal(t, "b@example.com", fake.Invitations()[0].EmailAddress)
}

// TestServiceIsNotLate: a service's runs begin up to a minute apart.
func TestServiceIsNotLate(t *testing.T) {
	conn, url := connect(t)
	p := program{databaseURL: url}
	mustRun(t, p, "migrate", "enqueue people.csv")
	for age, isLate := range map[string]bool{"100 seconds": false, "130 seconds": true} {
		_, err := conn.Exec(t.Context(), "UPDATE clerkriver_campaigns SET not_before = 'epoch', enqueued_at = now() - $1::text::interval", age)
		require.NoError(t, err)
		code, stdout, stderr := run(t, p, "status people")
		require.Zero(t, code, stderr)
		require.Equal(t, isLate, strings.Contains(stdout, `; start the service that sends, or "durable work"`), stdout)
	}
}

// TestRemind: "work" sends the reminder to people who have not accepted.
func TestRemind(t *testing.T) {
	newFolder(t)
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\nb@example.com\n"), 0o600))
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	p := program{secretKey: fake.SecretKey(), baseURL: baseURL}
	code, _, stderr := run(t, p, "people.csv")
	require.Zero(t, code, stderr)
	require.NoError(t, fake.Accept(fake.Invitations()[0].ID))
	for _, test := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"remind nobody", exitFailed, "", `no such campaign: "nobody"`},
		{"-after 1h remind people", 0, "people-reminder, 2 rows: 2 waiting until ", "people-reminder: 2 rows enqueued\n"},
		{"-after 1h remind people", 0, "people-reminder, 2 rows: 2 waiting until ", "people-reminder: 0 rows enqueued\n"},
		{"remind people", exitFailed, "", "a campaign of that name exists with other rows or options"},
		{"-after 0s -campaign again remind people", 0, "again, 2 rows: 2 waiting\n", "again: 2 rows enqueued\n"},
	} {
		code, stdout, stderr := run(t, p, test.args)
		require.Equal(t, test.code, code, "%s: %s", test.args, stderr)
		require.True(t, strings.HasPrefix(stdout, test.stdout), "%s: %s", test.args, stdout)
		require.Contains(t, stderr, test.stderr, test.args)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		p := p
		p.stdout, p.stderr = io.Discard, io.Discard
		ended <- p.main(ctx, []string{"work"})
	}()
	require.Eventually(t, func() bool { return fake.Invitations()[1].Status == clerk.InvitationStatusRevoked }, time.Minute, 10*time.Millisecond)
	cancel()
	require.Zero(t, <-ended)
	code, stdout, stderr := run(t, p, "status again")
	require.Zero(t, code, stderr)
	require.Equal(t, "again, 2 rows: 1 skipped, 1 created\n", stdout)
	code, stdout, _ = run(t, p, "status people")
	require.Zero(t, code)
	require.Equal(t, "people, 2 rows: 1 accepted, 1 created\n", stdout)
	require.Len(t, fake.SentTo("b@example.com"), 2)
	requireStopped(t)
}

func TestRefusedKey(t *testing.T) {
	newFolder(t)
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\n"), 0o600))
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_right"))
	baseURL, stop := fake.Serve()
	defer stop()
	code, stdout, stderr := run(t, program{secretKey: "sk_test_wrong", baseURL: baseURL}, "people.csv")
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "people, 1 row: 1 waiting; paused until ")
	require.Contains(t, stderr, `: Clerk does not accept the secret key: `)
	require.Contains(t, stderr, `; "durable resume" continues at once`)
	require.Contains(t, stderr, "nothing more is sent; fix the cause, then run it again")
	code, stdout, stderr = run(t, program{secretKey: "sk_test_right", baseURL: baseURL}, "people.csv")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "2,a@example.com,created,")
	requireStopped(t)
}

// TestPauseOfAPersonStays: running the command again does not lift it.
func TestPauseOfAPersonStays(t *testing.T) {
	newFolder(t)
	require.NoError(t, os.WriteFile("people.csv", []byte("email\na@example.com\n"), 0o600))
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	p := program{secretKey: fake.SecretKey(), baseURL: baseURL}
	for _, test := range []struct {
		args   string
		code   int
		stderr string // a part of it
	}{
		{"enqueue people.csv", 0, ""},
		{"pause wrong-list", 0, ""},
		{"people.csv", exitFailed, `nothing was sent: somebody has paused sending: wrong-list; "durable resume" continues at once`},
		{"resume", 0, ""},
		{"-campaign people pause wrong-text", 0, ""},
		{"people.csv", exitFailed, "nothing more is sent until it is resumed"},
	} {
		code, _, stderr := run(t, p, test.args)
		require.Equal(t, test.code, code, "%s: %s", test.args, stderr)
		require.Contains(t, stderr, test.stderr, test.args)
	}
	require.Empty(t, fake.Invitations())
	requireStopped(t)
}

// TestKilledAndResumed: the command is killed while it runs against a fake server, and is then
// run again. PostgreSQL survives the kill, and is stopped at the end.
func TestKilledAndResumed(t *testing.T) {
	newFolder(t)
	var list strings.Builder
	list.WriteString("email_address\n")
	const rows = 200
	for i := range rows {
		fmt.Fprintf(&list, "guest%d@example.com\n", i)
	}
	require.NoError(t, os.WriteFile("people.csv", []byte(list.String()), 0o600))
	fake := clerktest.New()
	api := httptest.NewServer(fake)
	defer api.Close()
	self, err := os.Executable()
	require.NoError(t, err)
	start := func() (*exec.Cmd, *bytes.Buffer) {
		var out bytes.Buffer
		command := exec.CommandContext(t.Context(), self)
		command.Env = append(os.Environ(), "TEST_COMMAND=people.csv", "CLERK_SECRET_KEY="+fake.SecretKey(), "CLERK_BASE_URL="+api.URL+"/v1")
		command.Stdout, command.Stderr = &out, os.Stderr
		require.NoError(t, command.Start())
		return command, &out
	}
	killed, _ := start()
	require.Eventually(t, func() bool { return len(fake.Invitations()) >= 20 }, time.Minute, time.Millisecond)
	require.NoError(t, killed.Process.Kill())
	require.ErrorContains(t, killed.Wait(), "killed")
	require.Less(t, len(fake.Invitations()), rows, "it was killed too late")
	code, stdout, stderr := run(t, program{}, "status people")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "people, 200 rows: ")

	again, out := start()
	require.NoError(t, again.Wait())
	lines, err := csv.NewReader(out).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, rows+1)
	made := map[string]clerk.Invitation{}
	for _, inv := range fake.Invitations() {
		require.NotContains(t, made, inv.EmailAddress)
		made[inv.EmailAddress] = inv
	}
	for _, line := range lines[1:] {
		require.Equal(t, []string{"created", made[line[1]].ID, "", ""}, line[2:])
	}
	requireStopped(t)
}

// TestProcessesShareTheServer: the last process stops it.
func TestProcessesShareTheServer(t *testing.T) {
	newFolder(t)
	self, err := os.Executable()
	require.NoError(t, err)
	working := exec.CommandContext(t.Context(), self)
	working.Env = append(os.Environ(), "TEST_COMMAND=work", "CLERK_SECRET_KEY=sk_test_dummy", "CLERK_BASE_URL=http://127.0.0.1:1/v1")
	log, err := working.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, working.Start())
	line := make([]byte, 100)
	_, err = log.Read(line)
	require.NoError(t, err)
	require.Contains(t, string(line), `working for the instance "default"`)
	code, _, stderr := run(t, program{}, "list")
	require.Zero(t, code, stderr)
	require.FileExists(t, "durable-postgres/data/postmaster.pid")
	require.NoError(t, working.Process.Signal(os.Interrupt))
	_, _ = io.Copy(io.Discard, log)
	require.NoError(t, working.Wait())
	requireStopped(t)
}
