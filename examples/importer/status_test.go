package main

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// readOnly returns a transport that fails the test if something is written.
func readOnly(t *testing.T, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		require.Equal(t, http.MethodGet, req.Method)
		return next.RoundTrip(req)
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New(clerktest.WithBehavior(clerktest.Behavior{Lapsed: clerktest.LapsedPending}))
		client, err := fake.Client()
		require.NoError(t, err)
		ids := map[string]string{}
		invite := func(name string, days int) {
			inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
				EmailAddress: name + "@example.com", ExpiresInDays: days, IgnoreExisting: true,
			})
			require.NoError(t, err)
			ids[name] = inv.ID
		}
		for _, name := range []string{"accepted", "revoked", "again"} {
			invite(name, 365)
		}
		require.NoError(t, fake.Accept(ids["accepted"]))
		require.NoError(t, fake.Revoke(ids["revoked"]))
		require.NoError(t, fake.Revoke(ids["again"]))
		invite("again", 365) // after a revoked one
		invite("lapsed", 1)
		invite("stranger", 365)
		fake.Advance(48 * time.Hour)
		code, printed, report := importPeople(t.Context(), t, readOnly(t, fake),
			"email\naccepted@example.com\nrevoked@example.com\nAgain@example.com\nlapsed@example.com\nnobody@example.com\na@example.com,b\nagain@example.com\n", "-status")
		require.Zero(t, code)
		require.Equal(t, [][]string{
			{"2", "accepted@example.com", "accepted", ids["accepted"], ""},
			{"3", "revoked@example.com", "revoked", ids["revoked"], ""},
			{"4", "Again@example.com", "pending", ids["again"], ""},
			{"5", "lapsed@example.com", "lapsed", ids["lapsed"], ""},
			{"6", "nobody@example.com", "not invited", "", ""},
			{"7", "a@example.com", "refused", "", "2 fields, but the first line names 1"},
			{"8", "again@example.com", "pending", ids["again"], "the same address as in line 4"},
		}, report)
		require.Contains(t, printed, "7 lines: 1 accepted, 2 pending, 1 lapsed, 1 revoked, 1 not invited, 1 refused\n")
	})
}

func TestStatusThatFailsLeavesNoReport(t *testing.T) {
	c, out, to := prepared(t, clerktest.New(clerktest.WithSecretKey("sk_test_another")), "ada@example.com\n", "-status")
	require.Equal(t, exitFailed, c.run(t.Context()))
	require.Contains(t, out.String(), "importer: Clerk does not accept the secret key")
	require.Contains(t, out.String(), "Correct CLERK_SECRET_KEY, then run")
	require.NoFileExists(t, to)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, _, to = prepared(t, clerktest.New(), "ada@example.com\n", "-status")
	require.Equal(t, exitStopped, c.run(ctx))
	require.NoFileExists(t, to)
}

// TestNewestInvitationOfARankCounts: an address has two lapsed invitations.
func TestNewestInvitationOfARankCounts(t *testing.T) {
	fake := clerktest.New()
	client, err := fake.Client()
	require.NoError(t, err)
	var last string
	for range 2 {
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com", IgnoreExisting: true})
		require.NoError(t, err)
		require.NoError(t, fake.Expire(inv.ID))
		last = inv.ID
	}
	_, _, report := importPeople(t.Context(), t, fake, "ada@example.com\n", "-status")
	require.Equal(t, [][]string{{"1", "ada@example.com", "lapsed", last, ""}}, report)
}

// TestStatusRefusesTheLinesThatARunRefuses, with the same reasons, and writes nothing.
func TestStatusRefusesTheLinesThatARunRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const input = "email,name\nada@example.com,Ada\nbroken,\n ,nobody\n@example.com,\nADA@example.com,\na@example.com b@example.com,\n"
		fake := clerktest.New()
		code, _, invitations := importPeople(t.Context(), t, fake, input)
		require.Equal(t, exitRefused, code)
		code, printed, states := importPeople(t.Context(), t, readOnly(t, fake), input, "-status")
		require.Zero(t, code)
		require.Contains(t, printed, "6 lines: 2 pending, 4 refused\n")
		require.NotContains(t, printed, "Inviting")
		require.Equal(t, []string{"3", "broken", "refused", "", "the address has no @"}, states[1])
		require.Equal(t, []string{"4", "", "refused", "", "the address is empty"}, states[2])
		for i := range states {
			if invitations[i][2] == refused || states[i][2] == refused {
				require.Equal(t, invitations[i], states[i])
			}
		}
	})
}
