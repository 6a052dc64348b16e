package fakeserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestControlOfInvitationsAndUsers(t *testing.T) {
	control(t, map[string]operation{
		"accept":            {"POST /_fake/invitations/" + ada + "/accept", "", 200, `"status": "accepted"`, hasStatus("accepted")},
		"expire":            {"POST /_fake/invitations/" + ada + "/expire", "", 200, `"status": "expired"`, hasStatus("expired")},
		"revoke":            {"POST /_fake/invitations/" + ada + "/revoke", "", 200, `"status": "revoked"`, hasStatus("revoked")},
		"delete":            {"POST /_fake/invitations/" + ada + "/delete", "", 204, "", func(t *testing.T, fake *clerktest.Fake) { t.Helper(); require.Empty(t, fake.Invitations()) }},
		"an unknown change": {"POST /_fake/invitations/" + ada + "/lose", "", 404, "accept, expire, revoke and delete", changedNothing},
		"an unknown id":     {"POST /_fake/invitations/inv_/accept", "", 404, `no invitation \"inv_\"`, changedNothing},
		"sign up":           {"POST /_fake/sign-up", `{"ticket":"ticket_of_` + ada + `"}`, 200, `"email_address": "ada@example.com"`, hasStatus("accepted")},
		"an unknown ticket": {"POST /_fake/sign-up", `{"ticket":"none"}`, 404, "no invitation has this ticket", changedNothing},
		"no ticket":         {"POST /_fake/sign-up", "", 404, "no invitation has this ticket", changedNothing},
		"add a user":        {"POST /_fake/users", `{"email_address":"new@example.com"}`, 204, "", hasUsers(2)},
		"add nobody":        {"POST /_fake/users", `{}`, 400, "email_address is missing", changedNothing},
		"remove a user":     {"POST /_fake/users/remove", `{"email_address":"USER@example.com"}`, 204, "", hasUsers(0)},
		"remove nobody":     {"POST /_fake/users/remove", `{"email_address":"new@example.com"}`, 404, "no user has this address", changedNothing},
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
