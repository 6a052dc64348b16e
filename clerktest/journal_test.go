package clerktest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A disk is a journal's writer that fails while it is full.
type disk struct {
	bytes.Buffer
	full bool
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(change []byte) (int, error) {
	if d.full {
		return 0, errFull
	}
	return d.Buffer.Write(change)
}

// TestChangeThatCannotBeStoredIsNotMade tries every change while the disk is full,
// and again afterwards.
func TestChangeThatCannotBeStoredIsNotMade(t *testing.T) {
	const invitation = `{"email_address":"new@example.com"}`
	request := func(method, path, body string) func(*clerktest.Fake, clerk.Invitation) error {
		return func(fake *clerktest.Fake, inv clerk.Invitation) error {
			resp, got := send(t, fake, method, strings.ReplaceAll(path, "ID", inv.ID), body)
			if resp.StatusCode == 200 {
				return nil
			}
			require.Equal(t, 500, resp.StatusCode)
			require.Contains(t, got, `"code":"internal_clerk_error"`)
			require.Contains(t, got, "the change could not be stored: no space left on device")
			return clerktest.ErrNotStored
		}
	}
	ticket := func(inv clerk.Invitation) string { return strings.SplitAfter(inv.URL, "ticket=")[1] }
	for name, change := range map[string]func(*clerktest.Fake, clerk.Invitation) error{
		"create":      request("POST", "/v1/invitations", invitation),
		"bulk create": request("POST", "/v1/invitations/bulk", `[`+invitation+`,{"email_address":"newer@example.com"}]`),
		"revoke":      request("POST", "/v1/invitations/ID/revoke", ""),
		"delete":      request("DELETE", "/v1/invitations/ID", ""),
		"Accept":      func(fake *clerktest.Fake, inv clerk.Invitation) error { return fake.Accept(inv.ID) },
		"Expire":      func(fake *clerktest.Fake, inv clerk.Invitation) error { return fake.Expire(inv.ID) },
		"Revoke":      func(fake *clerktest.Fake, inv clerk.Invitation) error { return fake.Revoke(inv.ID) },
		"Delete":      func(fake *clerktest.Fake, inv clerk.Invitation) error { return fake.Delete(inv.ID) },
		"SignUp": func(fake *clerktest.Fake, inv clerk.Invitation) error {
			_, err := fake.SignUp(ticket(inv))
			return err
		},
		"AddUser": func(fake *clerktest.Fake, _ clerk.Invitation) error { return fake.AddUser("new@example.com") },
		"RemoveUser": func(fake *clerktest.Fake, _ clerk.Invitation) error {
			if !fake.RemoveUser("user@example.com") {
				return clerktest.ErrNotStored
			}
			return nil
		},
		"Reset": func(fake *clerktest.Fake, _ clerk.Invitation) error { return fake.TryReset() },
	} {
		t.Run(name, func(t *testing.T) {
			for _, behavior := range []clerktest.Behavior{{}, {ListLag: time.Hour}} {
				journal := &disk{}
				fake := clerktest.New(clerktest.WithJournal(journal), clerktest.WithBehavior(behavior), clerktest.WithEmailLimit(9))
				invite(t, fake, "other@example.com")
				inv := *invite(t, fake, "ada@example.com")
				require.NoError(t, fake.AddUser("user@example.com"))
				before, stored := held(t, fake), journal.String()
				journal.full = true
				require.ErrorIs(t, change(fake, inv), clerktest.ErrNotStored)
				require.Equal(t, before, held(t, fake))
				journal.full = false
				require.NoError(t, change(fake, inv))
				require.NotEqual(t, before, held(t, fake))
				require.Equal(t, 1, strings.Count(strings.TrimPrefix(journal.String(), stored), "\n"), "a line for all of a change")

				loaded := clerktest.New()
				require.NoError(t, loaded.Load(&journal.Buffer))
				require.Equal(t, fake.Invitations(), loaded.Invitations())
				require.ElementsMatch(t, fake.Users(), loaded.Users())
			}
		})
	}
}

// held returns all that a fake holds: its state and its lists.
func held(t *testing.T, fake *clerktest.Fake) string {
	t.Helper()
	_, listed := send(t, fake, "GET", "/v1/invitations", "")
	_, found := send(t, fake, "GET", "/v1/invitations?query=ada@example.com", "")
	text, err := json.Marshal([]any{listed, found, fake.Invitations(), fake.Users(), fake.Sent()})
	require.NoError(t, err)
	return string(text)
}

func TestEmailsAreCountedOnlyForWhatIsStored(t *testing.T) {
	journal := &disk{full: true}
	fake := clerktest.New(clerktest.WithJournal(journal), clerktest.WithEmailLimit(1))
	send(t, fake, "POST", "/v1/invitations", `{"email_address":"ada@example.com"}`)
	journal.full = false
	invite(t, fake, "grace@example.com")
	require.Len(t, fake.Sent(), 1)
}

func TestLoadRefusesInvalidIDsAndLines(t *testing.T) {
	for seed, want := range map[string]string{
		`{"invitation":{"id":"inv_","email_address":"a@example.com"}}`:     "id \"inv_\" is invalid",
		`{"invitation":{"id":"inv_a/b","email_address":"a@example.com"}}`:  "is invalid",
		`{"invitation":{"id":"../inv_1","email_address":"a@example.com"}}`: "is invalid",
		`{"invitation":{"id":"inv_<b>","email_address":"a@example.com"}}`:  "is invalid",
		`{"invitation":{"id":"user_1","email_address":"a@example.com"}}`:   "is invalid",
		`{"user":{"id":"inv_1","email_address":"a@example.com"}}`:          "is invalid",
		`{"user":{"id":"user_ü","email_address":"a@example.com"}}`:         "is invalid",
		`[{"user":{"email_address":"a@example.com"}},{}]`:                  "neither invitation nor user",
		`[{"user":{"email_address":"a@example.com"}},{"version":2}]`:       "unknown field",
		`[]`: "it is empty",
		`{"invitation":{"id":"inv_1","email_address":"a@example.com"},"ticket":"t"}
		 {"invitation":{"id":"inv_2","email_address":"b@example.com"},"ticket":"t"}`: "the ticket of another",
	} {
		require.ErrorContains(t, clerktest.New().Load(strings.NewReader(seed)), want, seed)
	}
	require.NoError(t, clerktest.New().Load(strings.NewReader(
		`{"invitation":{"id":"inv_2a-B_c","email_address":"a@example.com"}}{"user":{"id":"user_1","email_address":"b@example.com"}}`)))
	require.ErrorIs(t, clerktest.New().Load(strings.NewReader(`[{"user":`)), io.ErrUnexpectedEOF)
}
