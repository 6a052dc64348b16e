package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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

// lines returns n lines of a state, each with an invitation.
func lines(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"invitation":{"id":"inv_%d","email_address":"a%d@example.com"},"ticket":"ticket_%d"}`, i+1, i+1, i+1)
	}
	return all
}

// TestStartThatFailsChangesNothing starts fakeclerk with files that it cannot use.
func TestStartThatFailsChangesNothing(t *testing.T) {
	damaged := lines(1000)
	damaged[499] = damaged[499][:40]
	newer := lines(1000)
	newer[0] = `{"version":7}`
	valid := strings.Join(lines(3), "\n") + "\n"
	for name, test := range map[string]struct{ state, seed, want string }{
		"a damaged line":               {strings.Join(damaged, "\n"), "", "object 500"},
		"a damaged last line":          {valid + `{"invitation":{"id":"inv_9"}` + "\n", "", "object 4"},
		"a line of a newer version":    {strings.Join(newer, "\n"), "", "object 1"},
		"another program's file":       {`{"name": "app", "version": "1.0.0"}`, "", "not a state"},
		"another program's, truncated": {`{"name": "app", "vers`, "", "not a state"},
		"a text":                       {"hello\n", "", "not a state"},
		"an unknown status":            {valid + `{"invitation":{"email_address":"a@example.com","status":"lost"}}`, "", "object 4"},
		"a seed with an error":         {"", strings.Join(lines(2), "\n") + "{}", "object 3"},
		"an invalid seed for a state of nobody": {
			`{"user":{"id":"user_1","email_address":"a@example.com"}}` + "\n" + `{"removed_user":"a@example.com"}` + "\n" + `{"res`, "{}", "object 1",
		},
		"a torn seed":                {"", strings.Join(lines(2), "\n") + `{"user"`, "object 3"},
		"a seed that does not exist": {"", "none", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			state, seed := filepath.Join(dir, "state"), filepath.Join(dir, "seed")
			args := []string{"-addr", "127.0.0.1:0", "-state", state}
			if test.state != "" {
				require.NoError(t, os.WriteFile(state, []byte(test.state), 0o640))
			}
			if test.seed != "" {
				args = append(args, "-seed-file", seed)
			}
			if test.seed != "" && test.seed != "none" {
				require.NoError(t, os.WriteFile(seed, []byte(test.seed), 0o600))
			}
			before := files(t, dir)
			cfg, err := parse(args, io.Discard)
			require.NoError(t, err)
			for range 2 {
				require.ErrorContains(t, run(t.Context(), cfg, io.Discard, io.Discard), test.want)
				require.Equal(t, before, files(t, dir))
			}
		})
	}
}

// files returns the contents, modes and times of the files in a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		all[entry.Name()] = fmt.Sprint(info.Mode(), info.ModTime(), string(content))
	}
	return all
}

func TestTwoProcessesNeverShareAState(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	first := start(t, "-state", state)
	first.invite(t, "ada@example.com")
	require.NoError(t, os.Symlink(state, filepath.Join(dir, "link")))
	before := files(t, dir)
	for text, args := range map[string][]string{
		"another process uses it": {"-state", filepath.Join(dir, "link")},
		"address already in use":  {"-state", state, "-addr", strings.TrimSuffix(strings.TrimPrefix(first.page, "http://"), "/")},
	} {
		out, err := command(t, args...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), text)
		require.Equal(t, before, files(t, dir))
	}
	first.invite(t, "grace@example.com")
	first.kill(t)
	second := start(t, "-state", state)
	require.Equal(t, []string{"grace@example.com", "ada@example.com"}, second.addresses(t))
}

// TestOneOfManyStartsHasTheState opens a state several times at once. The start that gets it
// replaces the file.
func TestOneOfManyStartsHasTheState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for range 20 {
		var group sync.WaitGroup
		having := make(chan *stateFile, 8)
		for range 8 {
			group.Go(func() {
				state, err := openState(path)
				if err != nil {
					return
				}
				fake := clerktest.New()
				if err := state.load(fake, io.Discard); err != nil {
					panic(err)
				}
				state.compact(fake, io.Discard)
				having <- state
			})
		}
		group.Wait()
		require.Len(t, having, 1)
		(<-having).close(true)
		require.NoError(t, os.Remove(path))
	}
}

func TestFileThatIsReplacedBeforeItIsLockedIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for _, name := range []string{path, path + ".next"} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, os.Rename(path+".next", path))
	require.ErrorIs(t, (&stateFile{file: file}).take(path), errReplaced)
}

func TestTornChangesAreDropped(t *testing.T) {
	complete := strings.Join(lines(2), "\n") + "\n"
	path := filepath.Join(t.TempDir(), "state")
	next := lines(3)[2]
	for cut := 1; cut < len(next); cut++ {
		require.NoError(t, os.WriteFile(path, []byte(complete+next[:cut]), 0o600))
		var log strings.Builder
		state, err := openState(path)
		require.NoError(t, err)
		fake := clerktest.New(clerktest.WithJournal(state))
		require.NoError(t, state.load(fake, &log), next[:cut])
		require.Contains(t, log.String(), "incomplete change")
		require.Len(t, fake.Invitations(), 2)
		fake.AddUser("grace@example.com")
		state.close(true)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Regexp(t, `^`+regexp.QuoteMeta(complete)+`\{"user":\{.*\}\}\n$`, string(content))
	}
}

func TestLastLineNeedsNoNewline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines(2), "\n")), 0o600))
	state, err := openState(path)
	require.NoError(t, err)
	fake := clerktest.New(clerktest.WithJournal(state))
	require.NoError(t, state.load(fake, io.Discard))
	fake.AddUser("grace@example.com")
	state.close(true)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(content), "\n"))
}

func TestLinkAndModeStay(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(target, nil, 0o600))
	require.NoError(t, os.Chmod(target, 0o664))
	before, err := os.Stat(target)
	require.NoError(t, err)
	require.NoError(t, os.Symlink("target", link))
	for i := range 2 {
		p := start(t, "-state", link)
		p.invite(t, fmt.Sprintf("a%d@example.com", i))
		p.kill(t)
	}
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.Equal(t, os.ModeSymlink, info.Mode().Type())
	after, err := os.Stat(target)
	require.NoError(t, err)
	require.Equal(t, before.Mode(), after.Mode())
	require.Len(t, start(t, "-state", link).addresses(t), 2)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)

	dangling := filepath.Join(dir, "dangling")
	require.NoError(t, os.Symlink("created", dangling))
	start(t, "-state", dangling).invite(t, "ada@example.com")
	require.FileExists(t, filepath.Join(dir, "created"))
}

// TestStateWorksWhereItCannotBeReplaced puts a directory in the place of the file that would
// replace the state. A file that is mounted into a container cannot be replaced, either.
func TestStateWorksWhereItCannotBeReplaced(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.Mkdir(state+".fakeclerk.tmp", 0o700))
	for i := range 3 {
		p := start(t, "-state", state)
		require.Len(t, p.addresses(t), i)
		p.invite(t, fmt.Sprintf("a%d@example.com", i))
		p.kill(t)
		require.Contains(t, p.log.String(), "cannot be replaced")
	}
}

// TestFullDisk limits the size of files, so that writes fail as on a full disk.
func TestFullDisk(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	limited := func(args ...string) *process {
		cmd := command(t, append(args, "-state", state)...)
		quoted := "exec \"$0\" \"$@\""
		cmd.Args = append([]string{"bash", "-c", "ulimit -f 2; " + quoted}, cmd.Args...)
		bash, err := exec.LookPath("bash")
		require.NoError(t, err)
		cmd.Path = bash
		return startCommand(t, cmd)
	}
	p := limited()
	stored := []string{}
	for i := range 60 {
		address := fmt.Sprintf("a%02d@example.com", i)
		resp, err := http.Post(p.page+"_fake/users", "application/json", strings.NewReader(`{"email_address":"`+address+`"}`))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		if resp.StatusCode == http.StatusNoContent {
			stored = append(stored, address)
		}
	}
	require.NotEmpty(t, stored)
	require.Less(t, len(stored), 60)
	_, err := p.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.ErrorContains(t, err, "internal_clerk_error")
	_, page := get(t, p.page+"_fake/requests")
	require.Contains(t, page, "the change could not be stored: file too large")
	require.Empty(t, p.addresses(t))
	content, err := os.ReadFile(state)
	require.NoError(t, err)
	require.Equal(t, byte('\n'), content[len(content)-1], "no part of a change stays")
	p.kill(t)

	again := limited()
	fake := clerktest.New()
	require.NoError(t, fake.Load(bytes.NewReader(content)))
	kept := []string{}
	for _, user := range fake.Users() {
		kept = append(kept, user.EmailAddress)
	}
	require.ElementsMatch(t, stored, kept)
	again.kill(t)
}
