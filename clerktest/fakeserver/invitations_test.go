package fakeserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestControlOfInvitationsAndUsers(t *testing.T) {
	control(t, map[string]operation{
		"accept":                {"POST /_fake/invitations/" + ada + "/accept", "", 200, `"status": "accepted"`, hasStatus("accepted")},
		"expire":                {"POST /_fake/invitations/" + ada + "/expire", "", 200, `"status": "expired"`, hasStatus("expired")},
		"revoke":                {"POST /_fake/invitations/" + ada + "/revoke", "", 200, `"status": "revoked"`, hasStatus("revoked")},
		"delete":                {"POST /_fake/invitations/" + ada + "/delete", "", 204, "", func(t *testing.T, fake *clerktest.Fake) { t.Helper(); require.Empty(t, fake.Invitations()) }},
		"an invitation":         {"GET /_fake/invitations/" + ada, "", 200, `"email_address": "ada@example.com"`, changedNothing},
		"an unknown invitation": {"GET /_fake/invitations/inv_", "", 404, `no invitation \"inv_\"`, changedNothing},
		"invite": {"POST /_fake/invitations", `{"email_address":"new@example.com","public_metadata":{"role":"admin"}}`, 200, `"role": "admin"`, func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Len(t, fake.Sent(), 2)
			require.Equal(t, "/v1/invitations", fake.Requests()[1].Path)
		}},
		"invite by form": {"POST /_fake/invitations", `email_address=new%40example.com&public_metadata=%7B%22a%22%3A1%7D&expires_in_days=365&notify=false&redirect_url=`, 200, `"notify": false`, func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Len(t, fake.Sent(), 1)
			require.JSONEq(t, `{"a":1}`, string(fake.Invitations()[1].PublicMetadata))
		}},
		"invite again":        {"POST /_fake/invitations", `{"email_address":"ada@example.com"}`, 400, "already pending invitations", changedNothing},
		"invite a user":       {"POST /_fake/invitations", `{"email_address":"user@example.com"}`, 422, "That email address is taken", changedNothing},
		"invite without JSON": {"POST /_fake/invitations", `email_address=new%40example.com&public_metadata=%7B`, 400, `"the field public_metadata is not JSON"`, changedNothing},
		"an unknown change":   {"POST /_fake/invitations/" + ada + "/lose", "", 404, "accept, expire, revoke and delete", changedNothing},
		"an unknown id":       {"POST /_fake/invitations/inv_/accept", "", 404, `no invitation \"inv_\"`, changedNothing},
		"sign up":             {"POST /_fake/sign-up", `{"ticket":"ticket_of_` + ada + `"}`, 200, `"email_address": "ada@example.com"`, hasStatus("accepted")},
		"an unknown ticket":   {"POST /_fake/sign-up", `{"ticket":"none"}`, 404, "no invitation has this ticket", changedNothing},
		"no ticket":           {"POST /_fake/sign-up", "", 404, "no invitation has this ticket", changedNothing},
		"add a user":          {"POST /_fake/users", `{"email_address":"new@example.com"}`, 204, "", hasUsers(2)},
		"add nobody":          {"POST /_fake/users", `{}`, 400, "email_address is missing", changedNothing},
		"remove a user":       {"POST /_fake/users/remove", `{"email_address":"USER@example.com"}`, 204, "", hasUsers(0)},
		"remove nobody":       {"POST /_fake/users/remove", `{"email_address":"new@example.com"}`, 404, "no user has this address", changedNothing},
	})
}

func TestControlRefusesWhatTheStateForbids(t *testing.T) {
	fake := clerktest.New()
	invite(t, fake, "ada@example.com", "")
	require.NoError(t, fake.Accept(ada))
	for request, text := range map[string]string{
		"POST /_fake/sign-up":                        "the invitation is not pending",
		"POST /_fake/invitations/" + ada + "/expire": "is accepted",
		"POST /_fake/invitations/" + ada + "/revoke": "invitation_already_accepted",
	} {
		resp, body := call(t, fake, request, "ticket=ticket_of_"+ada)
		require.Equal(t, 409, resp.StatusCode)
		require.Contains(t, body, text)
	}
}

func TestInvitingMeetsFaults(t *testing.T) {
	for fault, text := range map[clerktest.Fault]string{
		clerktest.FaultDropBefore: "connection reset", clerktest.FaultBadGatewayAfter: "502", clerktest.FaultErrorBefore: "internal error",
	} {
		fake := clerktest.New()
		fake.Fail(clerk.OperationCreate, fault)
		resp, body := call(t, fake, "POST /_fake/invitations", `{"email_address":"ada@example.com"}`)
		require.GreaterOrEqual(t, resp.StatusCode, 500)
		require.Contains(t, body, text)
	}
}
