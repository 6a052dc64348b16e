package fakeserver_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestControlReadsAndResets(t *testing.T) {
	control(t, map[string]operation{
		"healthz":                {"GET /_fake/healthz", "", 200, `"status": "ok"`, changedNothing},
		"state":                  {"GET /_fake/state", "", 200, `"email_address": "ada@example.com"`, changedNothing},
		"emails":                 {"GET /_fake/emails", "", 200, `"invitation_id": "` + ada + `"`, changedNothing},
		"emails to":              {"GET /_fake/emails?to=ADA@example.com", "", 200, ada, changedNothing},
		"emails to nobody":       {"GET /_fake/emails?to=da@example.com", "", 200, `[]`, changedNothing},
		"requests":               {"GET /_fake/requests", "", 200, `"operation": "CreateInvitation"`, changedNothing},
		"no requests":            {"GET /_fake/requests?limit=0", "", 200, `[]`, changedNothing},
		"reset":                  {"POST /_fake/reset", "", 204, "", hasUsers(0)},
		"an unknown operation 2": {"POST /_fake/nothing", "", 404, "", changedNothing},
		"GET of a change":        {"GET /_fake/reset", "", 405, "", changedNothing},
		"GET of another change":  {"GET /_fake/invitations/" + ada + "/delete", "", 405, "", changedNothing},
		"GET of users to remove": {"GET /_fake/users/remove", "", 405, "", changedNothing},
		"an email":               {"GET /_fake/emails/" + ada, "", 200, `"invitation_id": "` + ada + `"`, changedNothing},
		"an unknown email":       {"GET /_fake/emails/inv_", "", 404, "no email belongs", changedNothing},
		"emails by query":        {"GET /_fake/emails?query=AD", "", 200, ada, changedNothing},
		"emails by no query":     {"GET /_fake/emails?query=xy", "", 200, "[]", changedNothing},
		"no emails":              {"GET /_fake/emails?to=ada@example.com&limit=0", "", 200, "[]", changedNothing},
		"older emails":           {"GET /_fake/emails?to=ada@example.com&offset=1", "", 200, "[]", changedNothing},
		"a request":              {"GET /_fake/requests/1", "", 200, `"response_body": "{\"object\":\"invitation\"`, changedNothing},
		"an unknown request":     {"GET /_fake/requests/2", "", 404, "no request 2", changedNothing},
		"older requests":         {"GET /_fake/requests?offset=1", "", 200, "[]", changedNothing},
		"state by status":        {"GET /_fake/state?status=accepted", "", 200, `"invitations": []`, changedNothing},
		"state by no status":     {"GET /_fake/state?status=bogus", "", 400, `status \"bogus\" is none of pending, accepted, expired, revoked`, changedNothing},
		"no limit":               {"GET /_fake/requests?limit=all", "", 400, `limit \"all\" is not a number of at least 0`, changedNothing},
		"no offset":              {"GET /_fake/emails?offset=-1", "", 400, `offset \"-1\" is not a number of at least 0`, changedNothing},
		"invitations":            {"GET /_fake/invitations?query=ada&status=pending", "", 200, `"email_address": "ada@example.com"`, changedNothing},
		"no invitations":         {"GET /_fake/invitations?query=zoe", "", 200, "[]", changedNothing},
		"users":                  {"GET /_fake/users", "", 200, `"email_address": "user@example.com"`, changedNothing},
		"older users":            {"GET /_fake/users?offset=1", "", 200, "[]", changedNothing},
		"limits":                 {"GET /_fake/limits", "", 200, `"bulks": null`, changedNothing},
		"latency":                {"GET /_fake/latency", "", 200, `"latency": "0s"`, changedNothing},
		"the paths":              {"GET /_fake/", "", 200, `"POST /_fake/sign-up"`, changedNothing},
		"known faults":           {"GET /_fake/faults", "", 200, `"text": "performs the request, then breaks the connection"`, changedNothing},
		"a method it hasn't":     {"DELETE /_fake/state", "", 405, "", changedNothing},
	})
}

func TestResetEndsWhatWasSet(t *testing.T) {
	fake := clerktest.New(clerktest.WithLatency(time.Nanosecond))
	for path, body := range map[string]string{
		"time": "advance=720h", "faults/share": "share=1", "latency": "latency=0s", "limits": "preset=production", "behavior": "behavior=list-lag=1s",
	} {
		resp, _ := call(t, fake, "POST /_fake/"+path, body)
		require.Less(t, resp.StatusCode, 300, path)
	}
	resp, _ := call(t, fake, "POST /_fake/reset", "")
	require.Equal(t, 204, resp.StatusCode)
	state := fake.State(clerktest.Filter{})
	require.Zero(t, state.Ahead)
	require.Zero(t, state.Faults)
	require.Equal(t, time.Nanosecond, state.Latency)
	require.Zero(t, state.Limits)
	require.Zero(t, state.Behavior)
}

func TestDocsShowEveryPath(t *testing.T) {
	docs, err := os.ReadFile("../../docs/testing.md")
	require.NoError(t, err)
	_, body := call(t, clerktest.New(), "GET /_fake/", "")
	var index struct{ Paths []string }
	require.NoError(t, json.Unmarshal([]byte(body), &index))
	require.NotEmpty(t, index.Paths)
	for _, pattern := range index.Paths {
		_, path, ok := strings.Cut(pattern, " /_fake/")
		require.True(t, ok, pattern)
		path = strings.NewReplacer("{id}", "inv_...", "{number}", "7", "{change}", "accept").Replace(path)
		require.Contains(t, string(docs), "$F/"+path, pattern)
	}
}
