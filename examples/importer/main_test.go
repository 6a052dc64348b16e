package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// importPeople runs a campaign against a fake, and gives its exit code, what it printed,
// and the report without its first line.
func importPeople(ctx context.Context, t *testing.T, transport http.RoundTripper, dry bool, input string) (code int, printed string, report [][]string) {
	t.Helper()
	if dry {
		transport = &dryRun{next: transport}
	}
	client, err := clerk.NewClient(clerktest.SecretKey, clerk.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	list, err := people.Read([]byte(input))
	require.NoError(t, err)
	file, err := create(filepath.Join(t.TempDir(), "report.csv"))
	require.NoError(t, err)
	var out bytes.Buffer
	c := campaign{
		client: client, share: clerk.Budget{Creates: 90, BulkCreates: 25, Window: time.Hour},
		people: list, report: file, dry: dry, stdout: &out, stderr: &out,
	}
	code = c.run(ctx)
	require.Contains(t, out.String(), "report: "+file.Name()+"\n")
	return code, out.String(), readReport(t, file.Name())
}

func readReport(t *testing.T, path string) [][]string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	lines, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"line", "email_address", "outcome", "invitation_id", "problem"}, lines[0])
	return lines[1:]
}

const sample = "email,name\nada@example.com,Ada\nuser@example.com,\nnobody,\ngrace@example.com,Grace,more\nADA@example.com,\nalan@example.com,Alan\n"

func TestImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		fake.AddUser("user@example.com")
		code, printed, report := importPeople(t.Context(), t, fake, false, sample)
		require.Equal(t, exitRefused, code)
		invs := fake.Invitations()
		require.Len(t, invs, 2)
		require.JSONEq(t, `{"name":"Ada"}`, string(invs[0].PublicMetadata))
		require.Equal(t, [][]string{
			{"2", "ada@example.com", "created", invs[0].ID, ""},
			{"3", "user@example.com", "already a user", "", ""},
			{"4", "nobody", "refused", "", "clerk: CreateInvitation: email_address has no @"},
			{"5", "grace@example.com", "refused", "", "3 fields, but the first line names 2"},
			{"6", "ADA@example.com", "already invited", "", ""},
			{"7", "alan@example.com", "created", invs[1].ID, ""},
		}, report)
		require.Contains(t, printed, "6 lines: 2 created, 1 already invited, 1 already a user, 2 refused\n")
		require.Contains(t, printed, "5 of 5: 2 sent, 2 skipped, 1 refused\n")

		// Again: nobody is invited twice.
		code, printed, _ = importPeople(t.Context(), t, fake, false, sample)
		require.Equal(t, exitRefused, code)
		require.Contains(t, printed, "6 lines: 3 already invited, 1 already a user, 2 refused\n")
		require.Len(t, fake.Invitations(), 2)

		code, _, _ = importPeople(t.Context(), t, fake, false, "ada@example.com\n")
		require.Zero(t, code)
	})
}

func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client()
		require.NoError(t, err)
		_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "alan@example.com"})
		require.NoError(t, err)
		code, printed, report := importPeople(t.Context(), t, fake, true, sample)
		require.Equal(t, exitRefused, code)
		require.Equal(t, []string{"2", "ada@example.com", "would be invited", "", ""}, report[0])
		require.Contains(t, printed, "6 lines: 2 would be invited, 2 already invited, 2 refused\n")
		require.Len(t, fake.Invitations(), 1)

		var many strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&many, "guest%d@example.com\n", i)
		}
		code, printed, _ = importPeople(t.Context(), t, fake, true, many.String())
		require.Zero(t, code)
		require.Contains(t, printed, "to invite them takes about 2h0m0s, at 340 an hour\n")
		require.Len(t, fake.Invitations(), 1)
	})
}

// TestGoesOn interrupts a campaign at random times, until it is done: everybody is
// invited once, and each report has a line for each line of the input.
func TestGoesOn(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()),
				clerktest.WithFaults(clerktest.FaultMix{Share: 0.1, Seed: seed}))
			const n = 1500
			var input strings.Builder
			for i := range n {
				fmt.Fprintf(&input, "guest%d@example.com\n", i)
			}
			interrupted := 0
			for {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Duration(random.Int64N(int64(3*time.Hour))), cancel)
				code, printed, report := importPeople(ctx, t, fake, false, input.String())
				cancel()
				require.Len(t, report, n)
				if code == 0 {
					break
				}
				interrupted++
				require.Equal(t, exitStopped, code)
				require.Contains(t, printed, "To go on, run the same command again")
				require.Contains(t, printed, " not sent\n")
			}
			require.Positive(t, interrupted)
			times := map[string]int{}
			for _, inv := range fake.Invitations() {
				times[inv.EmailAddress]++
			}
			require.Len(t, times, n)
			require.Len(t, fake.Invitations(), n)
		})
	}
}

func TestFailures(t *testing.T) {
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_another"))
	code, printed, report := importPeople(t.Context(), t, fake, false, sample)
	require.Equal(t, exitFailed, code)
	require.Contains(t, printed, "importer: clerk: ListInvitations: 401 clerk_key_invalid")
	require.Equal(t, []string{"2", "ada@example.com", "not sent", "", ""}, report[0])

	for _, args := range [][]string{{"-nonsense"}, {"a.csv", "b.csv"}, {"no such file"}, {"main.go"}} {
		var out bytes.Buffer
		require.Equal(t, exitUsage, command(t.Context(), args, &out, &out, ""), args)
		require.NotEmpty(t, out.String())
	}
	var out bytes.Buffer
	require.Equal(t, exitUsage, command(t.Context(), nil, &out, &out, "sk_test_dummy"))
	require.Equal(t, exitUsage, command(t.Context(), []string{"people.csv"}, &out, &out, "pk_test_dummy"))
	require.Contains(t, out.String(), "is a publishable key")
	require.Zero(t, command(t.Context(), []string{"-h"}, &out, &out, ""))
}

// TestReportIsNew also when it is named: what is there is not overwritten, and nothing
// is done.
func TestReportIsNew(t *testing.T) {
	input := filepath.Join(t.TempDir(), "guests.csv")
	require.NoError(t, os.WriteFile(input, []byte("ada@example.com\n"), 0o600))
	var out bytes.Buffer
	for range 2 {
		require.Zero(t, command(t.Context(), []string{input}, &out, &out, ""), out.String())
		require.Zero(t, command(t.Context(), []string{"-dry-run", input}, &out, &out, ""), out.String())
		time.Sleep(2 * time.Millisecond) // the reports' names hold milliseconds
	}
	for kind, n := range map[string]int{"fake": 2, "dry-run": 2} {
		reports, err := filepath.Glob(strings.TrimSuffix(input, ".csv") + "." + kind + "-*.csv")
		require.NoError(t, err)
		require.Len(t, reports, n)
	}
	for _, path := range []string{input, filepath.Join(input, "nowhere")} {
		out.Reset()
		require.Equal(t, exitUsage, command(t.Context(), []string{"-report", path, input}, &out, &out, ""))
		require.NotContains(t, out.String(), "created")
	}
	content, err := os.ReadFile(input)
	require.NoError(t, err)
	require.Equal(t, "ada@example.com\n", string(content))
}

// TestInterruptedProcess sends the program the signal of Ctrl-C.
func TestInterruptedProcess(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "importer")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	var out lineBuffer
	out.seen = make(chan string, 1)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "CLERK_SECRET_KEY=") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	require.NoError(t, cmd.Start())
	<-out.seen
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	err = cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, err)
	require.Equal(t, exitStopped, exit.ExitCode())
	require.Contains(t, out.text.String(), "10000 lines: ")
	require.Contains(t, out.text.String(), "nobody was invited, for Clerk was a fake")
	require.Contains(t, out.text.String(), "importer: stopped\n")
	reports, err := filepath.Glob(filepath.Join(dir, "people.fake-*.csv"))
	require.NoError(t, err)
	require.Len(t, reports, 1)
	require.Len(t, readReport(t, reports[0]), 10_000)
}

// A lineBuffer tells once it has seen the first line about progress.
type lineBuffer struct {
	text bytes.Buffer
	seen chan string
}

func (b *lineBuffer) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(" of 10000: ")) {
		select {
		case b.seen <- "":
		default:
		}
	}
	return b.text.Write(p)
}
