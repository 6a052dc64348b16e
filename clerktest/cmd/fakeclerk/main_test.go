package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fakeclerk")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "fakeclerk")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	if err != nil {
		err = errors.New(string(out))
	}
	return program, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// A process is a running fakeclerk.
type process struct {
	*exec.Cmd

	page, baseURL string
	client        *clerk.Client
	lines         *bufio.Scanner
	log           *bytes.Buffer
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	program, err := build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	p := &process{Cmd: exec.CommandContext(ctx, program, append([]string{"-addr", "127.0.0.1:0"}, args...)...), log: &bytes.Buffer{}}
	p.Stderr = p.log
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	p.lines = bufio.NewScanner(stdout)
	value := func(name string) string {
		require.True(t, p.lines.Scan())
		text, ok := strings.CutPrefix(p.lines.Text(), name+":")
		require.True(t, ok, p.lines.Text())
		return strings.TrimSpace(text)
	}
	p.page, p.baseURL = value("page"), value("base URL")
	p.client, err = clerk.NewClient(value("secret key"), clerk.WithBaseURL(p.baseURL))
	require.NoError(t, err)
	return p
}

func (p *process) invite(t *testing.T, address string) *clerk.Invitation {
	t.Helper()
	inv, err := p.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
	require.NoError(t, err)
	return inv
}

func (p *process) addresses(t *testing.T) []string {
	t.Helper()
	list, err := p.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
	require.NoError(t, err)
	found := []string{}
	for _, inv := range list.Data {
		found = append(found, inv.EmailAddress)
	}
	return found
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Process.Kill())
	require.Error(t, p.Wait())
}

func TestServesUntilASignal(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			p := start(t)
			p.invite(t, "ada@example.com")
			resp, err := http.Get(p.page)
			require.NoError(t, err)
			page, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Contains(t, string(page), "ada@example.com")

			idle, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.page, "http://"), "/"))
			require.NoError(t, err)
			defer idle.Close()

			require.NoError(t, p.Process.Signal(signal))
			require.True(t, p.lines.Scan())
			require.Equal(t, "stopped", p.lines.Text())
			require.NoError(t, p.Wait(), "its exit code is 0")
		})
	}
}

func TestStateSurvivesSIGKILL(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.jsonl")
	first := start(t, "-state", state)
	inv := first.invite(t, "ada@example.com")
	gone := first.invite(t, "grace@example.com")
	first.kill(t)

	second := start(t, "-state", state)
	require.Equal(t, []string{"grace@example.com", "ada@example.com"}, second.addresses(t))
	_, err := second.client.Invitations.Revoke(t.Context(), gone.ID)
	require.NoError(t, err)
	second.kill(t)

	file, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"invitation":{"id":"inv_1","email_ad`)
	require.NoError(t, errors.Join(err, file.Close()))
	third := start(t, "-state", state)
	require.Equal(t, []string{"ada@example.com"}, third.addresses(t))
	third.kill(t)
	require.Contains(t, third.log.String(), "incomplete change")

	fourth := start(t, "-state", state)
	list, err := fourth.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
	require.NoError(t, err)
	require.Equal(t, inv.ID, list.Data[0].ID)
	ticket := func(url string) string { _, after, _ := strings.Cut(url, "ticket="); return after }
	require.Equal(t, ticket(inv.URL), ticket(list.Data[0].URL), "links that were sent keep working")
	require.True(t, strings.HasPrefix(list.Data[0].URL, fourth.page))
	fourth.kill(t)
	require.NotContains(t, fourth.log.String(), "incomplete")
}

func TestSeedIsLoadedOnce(t *testing.T) {
	dir := t.TempDir()
	seed, state := filepath.Join(dir, "seed.json"), filepath.Join(dir, "state.jsonl")
	require.NoError(t, os.WriteFile(seed, []byte(`{"invitation":{"email_address":"ada@example.com"}}`), 0o600))
	for range 2 {
		p := start(t, "-seed-file", seed, "-state", state)
		require.Equal(t, []string{"ada@example.com"}, p.addresses(t))
		p.kill(t)
	}
	require.NoError(t, os.WriteFile(seed, []byte(`{}`), 0o600))
	cfg, err := parse([]string{"-addr", "127.0.0.1:0", "-seed-file", seed}, io.Discard)
	require.NoError(t, err)
	require.ErrorContains(t, run(t.Context(), cfg, io.Discard, io.Discard), "seed.json: clerktest: object 1")
}

func TestFlagsConfigureTheFake(t *testing.T) {
	p := start(t, "-key", "sk_test_own", "-limits", "development", "-ids", "sequential", "-url", "https://clerk.test", "-latency", "5ms")
	inv := p.invite(t, "ada@example.com")
	require.Equal(t, "inv_000000000000000000000000001", inv.ID)
	require.True(t, strings.HasPrefix(inv.URL, "https://clerk.test/v1/tickets/accept?ticket="))
	resp, err := http.Get(p.page + "_fake/state")
	require.NoError(t, err)
	state, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Contains(t, string(state), `"left": 99`)
	require.Contains(t, string(state), `"latency": "5ms"`)
	p.kill(t)
	require.Regexp(t, `^\d\d:\d\d:\d\d POST "/v1/invitations" \d[\d.]*ms 200\n$`, p.log.String())
}

func TestAccessLogShowsErrorsAndNoAddresses(t *testing.T) {
	p := start(t, "-faults", "1:drop before,error after")
	for range 10 {
		_, err := p.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{Query: "ada@example.com"},
			clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.Error(t, err)
	}
	p.kill(t)
	require.Contains(t, p.log.String(), " broken\n")
	require.Contains(t, p.log.String(), " 500 internal_clerk_error\n")
	require.NotContains(t, p.log.String(), "ada")

	quiet := start(t, "-quiet")
	quiet.invite(t, "ada@example.com")
	quiet.kill(t)
	require.Empty(t, quiet.log.String())
}

func TestInvalidArgumentsAreRefused(t *testing.T) {
	for text, args := range map[string][]string{
		`-limits "none" is none of`:             {"-limits", "none"},
		`unknown argument "8080"`:               {"8080"},
		"not defined: -port":                    {"-port", "8080"},
		`-ids "own" is neither`:                 {"-ids", "own"},
		"-key is empty":                         {"-key", ""},
		`-faults "many" does not begin`:         {"-faults", "many"},
		"share 2 is not between":                {"-faults", "2"},
		`unknown fault "drop"`:                  {"-faults", "0.5:drop"},
		"-latency is negative":                  {"-latency", "-1s"},
		`-url "fakeclerk:8080" is no http`:      {"-url", "fakeclerk:8080"},
		`-url "javascript:alert(1)" is no http`: {"-url", "javascript:alert(1)"},
		"invalid value":                         {"-latency", "long"},
	} {
		_, err := parse(args, io.Discard)
		require.ErrorContains(t, err, text)
	}
	_, err := parse([]string{"-h"}, io.Discard)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, args := range [][]string{
		{"-addr", "127.0.0.1:99999"}, {"-state", t.TempDir()}, {"-state", "/nowhere/state"}, {"-seed-file", "/nowhere/seed"},
	} {
		cfg, err := parse(append([]string{"-addr", "127.0.0.1:0"}, args...), io.Discard)
		require.NoError(t, err)
		require.Error(t, run(t.Context(), cfg, io.Discard, io.Discard), args)
	}
}

// TestUnwritableStateEndsTheProgram closes the state's file behind its back.
func TestUnwritableStateEndsTheProgram(t *testing.T) {
	var failure error
	state := &stateFile{path: filepath.Join(t.TempDir(), "state"), failed: func(err error) { failure = err }}
	fake := clerktest.New(clerktest.WithJournal(state))
	require.NoError(t, state.compact(fake))
	fake.AddUser("ada@example.com")
	require.NoError(t, failure)
	state.close()
	fake.AddUser("grace@example.com")
	require.ErrorIs(t, failure, os.ErrClosed)
	require.ErrorAs(t, failure, &stateError{})
}

func TestRootURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80", "[::]:8080": "http://localhost:8080", "0.0.0.0:8080": "http://localhost:8080",
		"[::1]:8080": "http://[::1]:8080",
	} {
		resolved, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		require.Equal(t, want, rootURL(resolved))
	}
}
