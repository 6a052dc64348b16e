package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A terminal is a terminal of 60 columns in which the program runs.
type terminal struct {
	t      *testing.T
	keys   io.Writer
	screen vt10x.Terminal
	cmd    *exec.Cmd
	read   chan error
}

// build builds the program, and returns its path.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "importer")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// start starts a program. It reports to a new file in a new folder.
func start(t *testing.T, program, baseURL string, args ...string) *terminal {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-report", filepath.Join(t.TempDir(), "r.csv")}, args...)...)
	cmd.Env = append(os.Environ(), "CLERK_SECRET_KEY="+clerktest.SecretKey, "CLERK_BASE_URL="+baseURL)
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 60})
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	s := &terminal{t, file, vt10x.New(vt10x.WithSize(60, 24)), cmd, make(chan error, 1)}
	go func() {
		_, err := io.Copy(s.screen, file) // its error says that the program has ended
		s.read <- err
	}()
	return s
}

// text returns the screen without empty lines and spaces at the end of lines.
func (s *terminal) text() string {
	var lines []string
	for line := range strings.Lines(s.screen.String()) {
		if line = strings.TrimRight(line, " \n"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// await waits until the screen matches a pattern, and returns its text.
func (s *terminal) await(pattern string) (text string) {
	s.t.Helper()
	matches := regexp.MustCompile(pattern)
	require.Eventually(s.t, func() bool { text = s.text(); return matches.MatchString(text) }, 20*time.Second, 10*time.Millisecond, "%s", pattern)
	return text
}

func (s *terminal) press(key string) {
	s.t.Helper()
	_, err := io.WriteString(s.keys, key)
	require.NoError(s.t, err)
}

// end waits until the program has ended, and returns its exit code and the screen.
func (s *terminal) end() (code int, text string) {
	s.t.Helper()
	<-s.read
	err := s.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), s.text()
	}
	require.NoError(s.t, err)
	return 0, s.text()
}

const ctrlC = "\x03"

func TestInTerminal(t *testing.T) {
	program := build(t)
	for name, test := range map[string]func(*testing.T, string){
		"resumes": resumes, "stops": stops, "cannot reach Clerk": cannotReach,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// peopleFile creates a file with 400 people, one line that is refused and one repeated
// address.
func peopleFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people.csv")
	var people strings.Builder
	people.WriteString("email,name,team\n")
	for i := range 400 {
		fmt.Fprintf(&people, "guest%d@example.com,Guest,engines\n", i)
	}
	people.WriteString("nobody,,\n\nGUEST1@example.com,,\n")
	require.NoError(t, os.WriteFile(path, []byte(people.String()), 0o600))
	return path
}

// resumes stops an import at Clerk's hourly limit, and resumes it.
func resumes(t *testing.T, program string) {
	t.Helper()
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	input := peopleFile(t)

	s := start(t, program, baseURL, "-metadata", "team", input)
	waiting := s.await("All is well")
	readme := regexp.QuoteMeta(readmeBlock(t, "$ go run -C examples/importer . -metadata team people.csv\n"))
	readme = strings.NewReplacer("15:04:05", `\d\d:\d\d:\d\d`, "59m59s", `(1h0m0s|59m\d+s)`).Replace(readme)
	require.Regexp(t, "^"+readme+"$", waiting)
	left := regexp.MustCompile(`\(.* left\)`)
	require.Eventually(t, func() bool { return left.FindString(s.text()) != left.FindString(waiting) }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, 1, strings.Count(s.text(), "["), "it is drawn in place")

	s.press(ctrlC)
	code, stopped := s.end()
	require.Equal(t, exitStopped, code)
	require.Regexp(t, `\n\[#{20}\.{4}\] 340 of 402 lines
402 lines: 340 invited, 62 not sent
importer: stopped
To resume, run the same command again\. It skips everybody
who is invited already\.
report: `, stopped)

	s = start(t, program, baseURL, "-metadata", "team", input)
	code, done := s.end()
	require.Equal(t, exitRefused, code)
	require.Regexp(t, `\n\[#{24}\] 402 of 402 lines
402 lines: 60 invited, 341 already invited, 1 refused
report: `, done)

	s = start(t, program, baseURL, input)
	_, noted := s.end()
	require.Regexp(t, `^Note: 400 addresses have earlier invitations with other
metadata than in this run, and keep it: the report marks
them\.
\[#{24}\] 402 of 402 lines
402 lines: 401 already invited, 1 refused
report: `, noted)

	addresses := map[string]bool{}
	for _, inv := range fake.Invitations() {
		addresses[inv.EmailAddress] = true
		require.JSONEq(t, `{"team":"engines"}`, string(inv.PublicMetadata))
	}
	require.Len(t, fake.Invitations(), 400)
	require.Len(t, addresses, 400)
}

// stops presses Ctrl-C while a request is under way. The request's result counts.
func stops(t *testing.T, program string) {
	t.Helper()
	fake := clerktest.New(clerktest.WithLatency(3 * time.Second))
	baseURL, stop := fake.Serve()
	defer stop()
	s := start(t, program, baseURL, "people.csv")
	s.await(`Connecting to http://\S+/v1 \(\d s\)`)
	s.await("Inviting")
	s.await(`Waiting for Clerk's answer \(\d s\)`)
	s.press(ctrlC)
	s.await(`\n3 to go\nStopping: the request under way may take 15 seconds\. To\nend at once, press Ctrl-C again\.\n`)
	code, stopped := s.end()
	require.Zero(t, code, "everybody is invited")
	require.Regexp(t, `^\[#{24}\] 3 of 3 lines\n3 lines: 3 invited\nreport: `, stopped)
}

func cannotReach(t *testing.T, program string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	baseURL := "http://" + listener.Addr().String() + "/v1"
	s := start(t, program, baseURL, "people.csv")
	screen := s.await("Clerk cannot be reached")
	require.Regexp(t, `^\[\.{24}\] 0 of 3 lines\n3 to go\nClerk cannot be reached; trying again for up to (1m0s|5\ds)\n\(`+regexp.QuoteMeta(baseURL)+`\)\.\n$`, screen)
	s.await(`for up to 5[0-7]s`)
	s.press(ctrlC)
	code, stopped := s.end()
	require.Equal(t, exitStopped, code)
	require.Contains(t, stopped, "3 lines: 3 not sent\nimporter: stopped\n")
}
