package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// key is an environment with a dummy key.
func key(name string) string {
	return map[string]string{"CLERK_SECRET_KEY": clerktest.SecretKey}[name]
}

// noKey is an environment without a key.
func noKey(string) string { return "" }

// importPeople runs the program against a fake, and returns its exit code, what it
// printed, and the report without its first line.
func importPeople(ctx context.Context, t *testing.T, api http.RoundTripper, input string, flags ...string) (code int, printed string, report [][]string) {
	t.Helper()
	dir := t.TempDir()
	file, to := filepath.Join(dir, "people.csv"), filepath.Join(dir, "report.csv")
	require.NoError(t, os.WriteFile(file, []byte(input), 0o600))
	var out bytes.Buffer
	set, err := parse(append(flags, "-report", to, file), &out, key)
	require.NoError(t, err, out.String())
	c := campaign{settings: set, api: api, stdout: &out, stderr: &out}
	require.NoError(t, c.prepare())
	code = c.run(ctx)
	require.Contains(t, out.String(), "report: "+to+"\n")
	return code, out.String(), readReport(t, to)
}

func readReport(t *testing.T, path string) [][]string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	text, ok := strings.CutPrefix(string(content), "\ufeff")
	require.True(t, ok, "it has a byte order mark")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"line", "email_address", "outcome", "invitation_id", "problem"}, lines[0])
	return lines[1:]
}

const sample = "email,name,team\nada@example.com,Ada,engines\nuser@example.com,\n\nnobody,\n  ,\ngrace@example.com,Grace,a,b\nADA@example.com,\nalan@example.com,Alan\n"

func TestImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		fake.AddUser("user@example.com")
		code, printed, report := importPeople(t.Context(), t, fake, sample, "-metadata", "Team, ")
		require.Equal(t, exitRefused, code)
		invs := fake.Invitations()
		require.Len(t, invs, 2)
		require.JSONEq(t, `{"team":"engines"}`, string(invs[0].PublicMetadata))
		require.Equal(t, [][]string{
			{"2", "ada@example.com", "invited", invs[0].ID, ""},
			{"3", "user@example.com", "has an account", "", ""},
			{"5", "nobody", "refused", "", "the address has no @"},
			{"7", "grace@example.com", "refused", "", "4 fields, but the first line names 3"},
			{"8", "ADA@example.com", "repeated", invs[0].ID, "the same address as in line 2"},
			{"9", "alan@example.com", "invited", invs[1].ID, ""},
		}, report)
		const counts = "2 invited, 1 has an account, 1 repeated, 2 refused"
		require.Contains(t, printed, "6 lines: "+counts+"\n")

		// On a second run, nobody is invited twice.
		require.NoError(t, fake.Accept(invs[1].ID))
		code, printed, report = importPeople(t.Context(), t, fake, sample)
		require.Equal(t, exitRefused, code)
		require.Contains(t, printed, "6 lines: 2 already invited, 1 already accepted, 1 has an account, 2 refused\n")
		require.Equal(t, []string{"8", "ADA@example.com", "already invited", invs[0].ID, "the same address as in line 2"}, report[4])
		require.Equal(t, []string{"9", "alan@example.com", "already accepted", invs[1].ID, ""}, report[5])
		require.Len(t, fake.Invitations(), 2)

		code, _, _ = importPeople(t.Context(), t, fake, "ada@example.com\n")
		require.Zero(t, code)
	})
}

func TestColumnsAreNoMetadataUnlessNamed(t *testing.T) {
	fake := clerktest.New()
	code, _, _ := importPeople(t.Context(), t, fake, "email,name,team\nada@example.com,Ada,engines\n")
	require.Zero(t, code)
	require.JSONEq(t, `{}`, string(fake.Invitations()[0].PublicMetadata))
}

func TestFlagsSetTheRequests(t *testing.T) {
	fake := clerktest.New()
	code, _, _ := importPeople(t.Context(), t, fake, "ada@example.com\n",
		"-redirect-url", "/join", "-expires", "7", "-notify=false", "-template", "waitlist_invitation")
	require.Zero(t, code)
	requests := fake.Requests()
	require.JSONEq(t, `[{"email_address":"ada@example.com","redirect_url":"/join","expires_in_days":7,"notify":false,"template_slug":"waitlist_invitation"}]`,
		"["+strings.Trim(string(requests[len(requests)-1].Body), "[]")+"]")
}

func TestRefusalsAreInPlainWords(t *testing.T) {
	param := func(code clerk.ErrorCode, name string) error {
		return &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: code, Message: "m", LongMessage: "A sentence.", Meta: []byte(`{"param_name":"` + name + `"}`)}}}
	}
	for text, err := range map[string]error{
		"the address is not valid":        param(clerk.CodeFormParamFormatInvalid, "email_address"),
		"the redirect URL is too long":    param(clerk.CodeFormParamMaxLengthExceeded, "redirect_url"),
		"the address is missing":          param(clerk.CodeFormParamMissing, "email_address"),
		"A sentence.":                     param(clerk.CodeActionBlocked, ""),
		"the number of days is too small": &clerk.InputError{Field: "expires_in_days", Problem: "is too small"},
		"another":                         errors.New("another"),
		"Clerk's settings do not allow the address to sign up":                           param(clerk.CodeNotAllowedAccess, ""),
		"Clerk did not say whether it was invited; run the file again later to find out": clerk.ErrOutcomeUnknown,
	} {
		require.Equal(t, text, explain(err))
	}
}

// TestWaitIsReported: a run waits for the hourly limit.
func TestWaitIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var many strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&many, "guest%d@example.com\n", i)
		}
		code, printed, _ := importPeople(t.Context(), t, clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits())), many.String())
		require.Zero(t, code)
		until := time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC).Local()
		require.Contains(t, printed, "340 of 1000 lines: 340 invited, 660 to go: All is well: waiting for Clerk's hourly limit until "+
			until.Format(time.TimeOnly)+" (1h0m0s left). It ends about "+until.Add(time.Hour).Format(time.TimeOnly)+".")
		require.Contains(t, printed, "1000 lines: 1000 invited\n")
	})
}

// TestOutageIsReported: Clerk fails in the middle of a run.
func TestOutageIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		for range 60 {
			fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorBefore)
			fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		}
		code, printed, _ := importPeople(t.Context(), t, fake, "ada@example.com\ngrace@example.com\n")
		require.Zero(t, code, printed)
		require.Regexp(t, `Waiting to try again until \d\d:\d\d:\d\d \([\dms]+ left\), for up to a day \(until \w{3} \d\d:\d\d\): `, printed)
		require.Contains(t, printed, "Clerk has a problem (status 500).\n")
	})
}

// TestResumes interrupts a campaign at random times, until it is done: everybody is
// invited once, and each report has a line for each line of the input.
func TestResumes(t *testing.T) {
	for seed := range uint64(3) {
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
				code, printed, report := importPeople(ctx, t, fake, input.String())
				cancel()
				require.Len(t, report, n)
				if code == 0 {
					break
				}
				interrupted++
				require.Equal(t, exitStopped, code)
				require.Contains(t, printed, "To resume, run the same command again")
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
	code, printed, report := importPeople(t.Context(), t, fake, sample)
	require.Equal(t, exitFailed, code)
	require.Contains(t, printed, "importer: Clerk does not accept the secret key in CLERK_SECRET_KEY (clerk: ListInvitations: 401 clerk_key_invalid")
	require.Equal(t, []string{"2", "ada@example.com", "not sent", "", ""}, report[0])

	for text, args := range map[string][]string{
		"more than one file":          {"a.csv", "b.csv"},
		"no such file or directory":   {"no such file"},
		"name it with -column":        {"main.go"},
		`no column is called "role"`:  {"-metadata", "role", "people.csv"},
		"-expires is not from 1 to":   {"-expires", "366", "people.csv"},
		"CLERK_SECRET_KEY is not set": {"-base-url", "http://127.0.0.1:8080/v1", "people.csv"},
		"file exists":                 {"-report", "main.go", "people.csv"},
		`invalid boolean value "x"`:   {"-notify=x"},
	} {
		var out bytes.Buffer
		require.Equal(t, exitUsage, command(t.Context(), args, &out, &out, noKey), args)
		require.Contains(t, out.String(), text)
	}
	for text, env := range map[string][2]string{
		"is a publishable key":        {"pk_test_dummy", ""},
		"neither https nor http to a": {"sk_test_dummy", "http://example.com/v1"},
	} {
		var out bytes.Buffer
		getenv := func(name string) string {
			return map[string]string{"CLERK_SECRET_KEY": env[0], "CLERK_BASE_URL": env[1]}[name]
		}
		require.Equal(t, exitUsage, command(t.Context(), []string{"people.csv"}, &out, &out, getenv))
		require.Contains(t, out.String(), text)
	}
}

// Nothing is sent or written, and the message does not get lost in a long usage text.
func TestWrongUsageIsTwoLines(t *testing.T) {
	t.Chdir(t.TempDir())
	for problem, args := range map[string][]string{
		"no file": nil,
		"flag provided but not defined: -nonsense": {"-nonsense"},
	} {
		for _, env := range []func(string) string{key, noKey} {
			var out bytes.Buffer
			require.Equal(t, exitUsage, command(t.Context(), args, &out, &out, env))
			require.Equal(t, "importer: "+problem+"\nusage: importer [flags] PEOPLE.csv; -h lists the flags\n", out.String())
		}
	}
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	require.Zero(t, command(t.Context(), []string{"-h"}, &out, &out, noKey))
	for _, text := range []string{
		"CLERK_SECRET_KEY", "CLERK_BASE_URL", "rehearsal", "nobody is invited", "-one-by-one", "-column",
		"Exit codes:", "  0  ", "  1  ", "  2  ", "  3  ", "  130  ", "before or after the file",
	} {
		require.Contains(t, out.String(), text)
	}
	require.Less(t, strings.Count(out.String(), "\n"), 50, "it fits on a screen")
}

func TestCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		started := time.Now()
		code, printed, _ := importPeople(t.Context(), t, roundTripper(refused), sample)
		require.Equal(t, exitFailed, code)
		require.LessOrEqual(t, time.Since(started), time.Minute)
		require.Contains(t, printed, "Connecting to https://api.clerk.com/v1 (0 s).\n")
		require.Contains(t, printed, "Clerk cannot be reached; trying again for up to 1m0s (https://api.clerk.com/v1).\n")
		require.Regexp(t, `trying again for up to \d\d?s \(`, printed, "it counts down")
		require.Contains(t, printed, "importer: Clerk cannot be reached (clerk: ListInvitations: ")
		require.Contains(t, printed, "6 lines: 1 refused, 5 not sent\n")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, printed, _ = importPeople(ctx, t, roundTripper(refused), sample)
		require.Contains(t, printed, "Clerk cannot be reached; trying again", "within a second")
	})
}

// A roundTripper is a function that answers requests.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// readmeBlock returns the output of a command in ../README.md.
func readmeBlock(t *testing.T, command string) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, block, ok := strings.Cut(string(readme), command)
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	return block
}

// TestReadme compares the output in ../README.md with that of the program.
func TestReadme(t *testing.T) {
	block, _, _ := strings.Cut(readmeBlock(t, "$ go run -C examples/importer . people.csv\n"), "report: ")
	var out bytes.Buffer
	to := filepath.Join(t.TempDir(), "report.csv")
	synctest.Test(t, func(t *testing.T) {
		require.Zero(t, command(t.Context(), []string{"-report", to, "people.csv"}, &out, &out, noKey))
	})
	require.Equal(t, block+"report: "+to+"\n", out.String())
}

func TestWrap(t *testing.T) {
	for text, want := range map[string][]string{
		"":                  {""},
		"one two three":     {"one two", "three"},
		"1234567 8":         {"1234567", "8"},
		"a 1234567890123 b": {"a", "1234567", "890123", "b"},
	} {
		require.Equal(t, want, wrap(text, 7))
	}
}

// TestReportOverwritesNothing, even if -report names an existing file: then nothing is sent.
func TestReportOverwritesNothing(t *testing.T) {
	input := filepath.Join(t.TempDir(), "guests.csv")
	require.NoError(t, os.WriteFile(input, []byte("ada@example.com\n"), 0o600))
	var out bytes.Buffer
	for range 2 {
		require.Zero(t, command(t.Context(), []string{input}, &out, &out, noKey), out.String())
		require.Zero(t, command(t.Context(), []string{"-dry-run", input}, &out, &out, noKey), out.String())
		time.Sleep(2 * time.Millisecond) // the reports' names contain milliseconds
	}
	for kind, n := range map[string]int{"fake": 2, "dry-run": 2} {
		reports, err := filepath.Glob(strings.TrimSuffix(input, ".csv") + "." + kind + "-*.csv")
		require.NoError(t, err)
		require.Len(t, reports, n)
	}
	for _, path := range []string{input, filepath.Join(input, "nowhere")} {
		out.Reset()
		require.Equal(t, exitUsage, command(t.Context(), []string{"-report", path, input}, &out, &out, noKey))
		require.NotContains(t, out.String(), "invited")
	}
	content, err := os.ReadFile(input)
	require.NoError(t, err)
	require.Equal(t, "ada@example.com\n", string(content))
}
