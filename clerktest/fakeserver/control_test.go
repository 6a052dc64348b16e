package fakeserver_test

import (
	"testing"
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
		"an unknown operation 2": {"POST /_fake/nothing", "", 405, "", changedNothing},
		"a method it hasn't":     {"DELETE /_fake/state", "", 405, "", changedNothing},
	})
}
