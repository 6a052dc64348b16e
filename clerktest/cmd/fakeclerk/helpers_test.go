package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestMain runs the tests, or acts as the command for one of them.
func TestMain(m *testing.M) {
	if os.Getenv("FAKECLERK_TEST_COMMAND") != "" {
		main()
		return
	}
	m.Run()
}

// A process is a running fakeclerk.
type process struct {
	*exec.Cmd

	page, baseURL string
	client        *clerk.Client
	lines         *bufio.Scanner
	log           *bytes.Buffer
}

// command returns the command that starts fakeclerk at a free port.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "FAKECLERK_TEST_COMMAND=1")
	return cmd
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startCommand(t, command(t, args...))
}

func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, log: &bytes.Buffer{}}
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

// get requests a URL and returns the status and the body.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}
