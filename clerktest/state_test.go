package clerktest_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestJournalAndSaveRestoreTheState changes a fake in all ways, and loads its journal and its
// saved state into others.
func TestJournalAndSaveRestoreTheState(t *testing.T) {
	var journal bytes.Buffer
	fake := clerktest.New(clerktest.WithJournal(&journal))
	client, err := fake.Client()
	require.NoError(t, err)
	invite(t, fake, "before@example.com")
	fake.Reset()
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
		EmailAddress: "quiet@example.com", RedirectURL: "https://app.example.com/join", Notify: new(false),
		PublicMetadata: map[string]any{"role": "admin"},
	})
	require.NoError(t, err)
	for _, name := range []string{"accepted", "expired", "revoked", "deleted", "pending"} {
		invite(t, fake, name+"@example.com")
	}
	all := fake.Invitations()
	require.NoError(t, fake.Accept(all[1].ID))
	require.NoError(t, fake.Expire(all[2].ID))
	require.NoError(t, fake.Revoke(all[3].ID))
	require.NoError(t, fake.Delete(all[4].ID))
	fake.AddUser("user@example.com")
	fake.AddUser("removed@example.com")
	fake.RemoveUser("removed@example.com")

	var saved bytes.Buffer
	require.NoError(t, fake.Save(&saved))
	for name, state := range map[string]string{"journal": journal.String(), "saved": saved.String()} {
		loaded := clerktest.New()
		require.NoError(t, loaded.Load(strings.NewReader(state)), name)
		require.Equal(t, fake.Invitations(), loaded.Invitations(), name)
		require.Equal(t, fake.Users(), loaded.Users(), name)
		require.Equal(t, fake.Sent(), loaded.Sent(), name)
		next := invite(t, loaded, "next@example.com")
		require.Equal(t, "inv_000000000000000000000000008", next.ID, "no id of a loaded invitation is used again")
		require.ErrorIs(t, create(t, loaded, "pending@example.com"), clerk.ErrDuplicateInvitation)
		require.ErrorIs(t, create(t, loaded, "accepted@example.com"), clerk.ErrUserExists)
	}
}

func TestLoadSeed(t *testing.T) {
	fake := clerktest.New()
	require.NoError(t, fake.Load(strings.NewReader(`
		{"invitation": {"email_address": "ada@example.com"}, "redirect_url": "https://app.example.com/join"}
		{"invitation": {"email_address": "alan@example.com", "status": "revoked", "created_at": 1000}}
		{"user": {"email_address": "grace@example.com"}}`)))
	all := fake.Invitations()
	require.Equal(t, []string{"alan@example.com", "ada@example.com"}, []string{all[0].EmailAddress, all[1].EmailAddress})
	require.True(t, all[0].Revoked)
	require.Empty(t, all[0].URL)
	require.Equal(t, clerk.UnixMilli(1000+30*24*3600*1000-2), all[0].ExpiresAt)
	require.Equal(t, clerk.InvitationStatusPending, all[1].Status)
	require.Equal(t, "https://app.example.com/join?__clerk_ticket=ticket_of_"+all[1].ID, open(t, fake, all[1].URL))
	require.ErrorIs(t, create(t, fake, "grace@example.com"), clerk.ErrUserExists)
}

func TestLoadRefusesWhatItCannotRead(t *testing.T) {
	const valid = `{"user": {"email_address": "grace@example.com"}}`
	for seed, want := range map[string]string{
		valid + `{}`: "object 2 of the state: it has neither invitation nor user",
		`{"invitation": {"email_address": "nobody"}}`:                          "email_address is invalid",
		`{"invitation": {"email_address": "a@example.com", "status": "lost"}}`: `status "lost" is unknown`,
		`{"user": {}}`:                           "email_address is invalid",
		`{"invitations": []}`:                    "unknown field",
		`[]`:                                     "object 1 of the state",
		valid + `{"user": {"email_address": "a@`: "unexpected EOF",
		`{"invitation": {"id": "inv_1", "email_address": "a@example.com"}} {"invitation": {"id": "inv_1", "email_address": "b@example.com"}}`: "invitation inv_1 has two addresses",
	} {
		fake := clerktest.New()
		require.ErrorContains(t, fake.Load(strings.NewReader(seed)), want, seed)
	}
	fake := clerktest.New()
	require.ErrorIs(t, fake.Load(strings.NewReader(valid+`{"user": {"em`)), io.ErrUnexpectedEOF)
	require.Len(t, fake.Users(), 1, "what precedes the incomplete object is loaded")
}

func TestReset(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1, Per: 1 << 40}}))
	first := invite(t, fake, "ada@example.com")
	fake.AddUser("grace@example.com")
	fake.Fail(clerk.OperationRevoke, clerktest.FaultDropAfter)
	fake.Reset()
	require.Empty(t, fake.Invitations())
	require.Empty(t, fake.Users())
	require.Empty(t, fake.Requests())
	require.Empty(t, fake.Sent())
	require.Empty(t, fake.Planned())
	second := invite(t, fake, "ada@example.com") // the window of the limit has restarted
	require.NotEqual(t, first.ID, second.ID)
}

func TestResetRestoresWhatTheOptionsSet(t *testing.T) {
	mix := clerktest.FaultMix{Share: 0.5, Seed: 1, Faults: []clerktest.Fault{clerktest.FaultDropAfter}, Operations: []clerk.Operation{clerk.OperationRevoke}}
	for name, opts := range map[string][]clerktest.Option{
		"no options": nil,
		"options": {
			clerktest.WithFaults(mix), clerktest.WithLatency(time.Nanosecond), clerktest.WithLinkBase("http://localhost:1"),
			clerktest.WithRateLimits(clerktest.ProductionRateLimits()), clerktest.WithBehavior(clerktest.Behavior{ListLag: time.Second}),
		},
	} {
		fake := clerktest.New(opts...)
		want := fake.State(clerktest.Filter{})
		fake.SetFaults(clerktest.FaultMix{Share: 1})
		fake.SetLatency(time.Hour)
		fake.SetRateLimits(clerktest.RateLimits{Bulks: clerktest.Limit{Requests: 1, Per: time.Minute}})
		fake.SetBehavior(clerktest.Behavior{NullMetadata: true, DeletedLinksWork: true, Windows: clerktest.WindowsSliding})
		fake.SetLinkBase("http://localhost:2")
		fake.Advance(30 * 24 * time.Hour)
		fake.Reset()
		got := fake.State(clerktest.Filter{})
		require.WithinDuration(t, want.Now, got.Now, time.Minute)
		want.Now = got.Now
		require.Equal(t, want, got, name)
		require.Contains(t, invite(t, fake, "ada@example.com").URL, "http://localhost:2/", "where the fake is served stays")
	}
}

// TestResetRepeatsTheChoiceOfFaults: each test of a suite that resets the fake meets the
// same faults, whatever the tests before it were.
func TestResetRepeatsTheChoiceOfFaults(t *testing.T) {
	fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{Share: 0.5, Faults: []clerktest.Fault{clerktest.FaultErrorBefore}}))
	var choices [2]string
	for i := range choices {
		for range 20 {
			resp, _ := send(t, fake, "GET", "/v1/invitations", "")
			choices[i] += fmt.Sprint(resp.StatusCode, " ")
		}
		fake.Reset()
	}
	require.Equal(t, choices[0], choices[1])
	require.Contains(t, choices[0], "500")
}

// TestLoadedExpiredInvitationsHaveExpired loads invitations with status expired that omit some
// of their times.
func TestLoadedExpiredInvitationsHaveExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * 60 * 60 * 1000
		now := time.Now().UnixMilli()
		for times, want := range map[string][2]int64{
			``: {now - 30*day + 1, now - 1},
			fmt.Sprintf(`,"created_at":%d`, now-60*day):                           {now - 60*day, now - 30*day - 2},
			fmt.Sprintf(`,"created_at":%d`, now-day):                              {now - day, now - 1},
			fmt.Sprintf(`,"expires_at":%d`, now-day):                              {now - 31*day + 2, now - day},
			fmt.Sprintf(`,"created_at":%d,"expires_at":%d`, now-9*day, now-8*day): {now - 9*day, now - 8*day},
		} {
			fake := clerktest.New()
			require.NoError(t, fake.Load(strings.NewReader(`{"invitation":{"email_address":"ada@example.com","status":"expired"`+times+`}}`)))
			inv := fake.Invitations()[0]
			require.Equal(t, want, [2]int64{int64(inv.CreatedAt), int64(inv.ExpiresAt)}, times)
			require.Equal(t, inv.CreatedAt, inv.UpdatedAt)
		}
	})
}
