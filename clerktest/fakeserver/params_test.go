package fakeserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestParametersAreJSONOrAForm(t *testing.T) {
	control(t, map[string]operation{
		"a fault by form":       {"POST /_fake/faults", `operation=DeleteInvitation&fault=hide+after&code=`, 204, "", hasPlanned("DeleteInvitation: hide after")},
		"a status by form":      {"POST /_fake/faults", `operation=ListInvitations&status=503&after=true&retry_after=1m`, 204, "", hasPlanned("ListInvitations: Service Unavailable")},
		"an unknown parameter":  {"POST /_fake/faults", `{"op":"ListInvitations"}`, 400, `unknown field \"op\"`, changedNothing},
		"no JSON":               {"POST /_fake/faults", `{"operation"`, 400, "the request body is invalid", changedNothing},
		"a number that is none": {"POST /_fake/faults", `status=five`, 400, `"the field status is not a number"`, changedNothing},
		"two wrong numbers":     {"POST /_fake/faults", `status=five&count=two`, 400, `"the field count is not a number"`, changedNothing},
		"no form":               {"POST /_fake/faults", `%zz`, 400, "neither a JSON object nor a form", changedNothing},
		"no latency":            {"POST /_fake/latency", `{"latency":"soon"}`, 400, `\"soon\" is not a duration such as 1.5s`, changedNothing},
	})
}

// TestParametersAreNotGuessed: a request that says nothing, or nothing that is understood,
// changes nothing.
func TestParametersAreNotGuessed(t *testing.T) {
	set := []string{"limits", "preset=production", "faults/share", "share=0.5", "latency", "latency=1ns", "time", "advance=1h", "behavior", "behavior=list-lag=1s"}
	for path, bodies := range map[string][]string{
		"faults/share": {"", "0.5", "foo=", "foo=1", "share=", "null", "{}", `{"share":null}`, "faults=drop+after"},
		"limits":       {"", "production", "preset=", "{}", `{"sliding":true}`, `{"creates":{}}`},
		"latency":      {"", "250ms", "latency=", "{}"},
		"time":         {"", "1h", "advance=", "{}"},
		"behavior":     {"", "list-lag", "{}"},
	} {
		for _, body := range bodies {
			fake := clerktest.New()
			for i := 0; i < len(set); i += 2 {
				call(t, fake, "POST /_fake/"+set[i], set[i+1])
			}
			before := fake.State(clerktest.Filter{})
			resp, answer := call(t, fake, "POST /_fake/"+path, body)
			require.Equal(t, 400, resp.StatusCode, "%s %q", path, body)
			require.Contains(t, answer, `"error": "`)
			after := fake.State(clerktest.Filter{})
			after.Now = before.Now
			require.Equal(t, before, after, "%s %q", path, body)
		}
	}
}

func TestEmptyBehaviorIsTheAssumedOne(t *testing.T) {
	fake := clerktest.New(clerktest.WithBehavior(clerktest.Behavior{NullMetadata: true}))
	resp, _ := call(t, fake, "POST /_fake/behavior", "behavior=") // as the page's form sends it
	require.Equal(t, 200, resp.StatusCode)
	require.Zero(t, fake.State(clerktest.Filter{}).Behavior)
}

func TestEmptyFieldsOfAFormAreNotSent(t *testing.T) {
	fake := clerktest.New()
	resp, _ := call(t, fake, "POST /_fake/invitations", "email_address=ada%40example.com&redirect_url=&public_metadata=&expires_in_days=&notify=")
	require.Equal(t, 200, resp.StatusCode)
	require.JSONEq(t, `{"email_address":"ada@example.com"}`, string(fake.Requests()[0].Body))
}
