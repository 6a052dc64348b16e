package fakeserver_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestControlOfFaults(t *testing.T) {
	control(t, map[string]operation{
		"a fault":                {"POST /_fake/faults", `{"operation":"RevokeInvitation","fault":"drop after","count":2}`, 204, "", hasPlanned("RevokeInvitation: drop after", "RevokeInvitation: drop after")},
		"a code":                 {"POST /_fake/faults", `{"operation":"ListInvitations","code":"quota_exceeded","delay":"1.5s"}`, 204, "", hasPlanned("ListInvitations: quota_exceeded in 1.5s")},
		"a fault for an address": {"POST /_fake/faults", `{"operation":"RevokeInvitation","fault":"drop after","email_address":"ada@example.com"}`, 204, "", hasPlanned("RevokeInvitation for one address: drop after")},
		"a code for an address":  {"POST /_fake/faults", `operation=ListInvitations&code=conflict&email_address=ada%40example.com`, 204, "", hasPlanned("ListInvitations for one address: conflict")},
		"a share of an address": {"POST /_fake/faults/share", `{"share":1,"code":"conflict","headers":{"x-own":"a"},"empty_body":true,"email_addresses":["ada@example.com"]}`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, clerktest.FaultMix{
				Share: 1, Addresses: []string{"ada@example.com"},
				Responses: []clerktest.Response{{Code: "conflict", EmptyBody: true, Header: http.Header{"X-Own": {"a"}}}},
			}, fake.State(clerktest.Filter{}).Faults)
		}},
		"an unknown fault":     {"POST /_fake/faults", `{"operation":"ListInvitations","fault":"drop"}`, 400, `unknown fault \"drop\"`, changedNothing},
		"an unknown operation": {"POST /_fake/faults", `{"operation":"List","fault":"drop after"}`, 400, `unknown operation \"List\"`, changedNothing},
		"an unknown code":      {"POST /_fake/faults", `{"operation":"ListInvitations","code":"own"}`, 400, "needs a status", changedNothing},
		"no fault":             {"POST /_fake/faults", `{"operation":"ListInvitations"}`, 400, "either a fault, or a response", changedNothing},
		"both":                 {"POST /_fake/faults", `{"operation":"ListInvitations","fault":"drop after","status":500}`, 400, "either a fault, or a response", changedNothing},
		"too many":             {"POST /_fake/faults", `{"operation":"ListInvitations","fault":"drop after","count":1000000}`, 400, "count", changedNothing},
		"a share": {"POST /_fake/faults/share", `{"share":0.25,"faults":["drop before"],"operations":["ListInvitations"],"seed":7}`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, clerktest.FaultMix{
				Share: 0.25, Seed: 7, Faults: []clerktest.Fault{"drop before"}, Operations: []clerk.Operation{"ListInvitations"},
			}, fake.State(clerktest.Filter{}).Faults)
		}},
		"a share of a code": {"POST /_fake/faults/share", `share=1&code=conflict`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, []clerktest.Response{{Code: "conflict"}}, fake.State(clerktest.Filter{}).Faults.Responses)
		}},
		"a share beyond all": {"POST /_fake/faults/share", `{"share":2}`, 400, "share 2 is not between 0 and 1", changedNothing},
		"clear faults":       {"POST /_fake/faults/clear", "", 204, "", hasPlanned()},
		"latency": {"POST /_fake/latency", `{"latency":"250ms"}`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, 250*time.Millisecond, fake.State(clerktest.Filter{}).Latency)
		}},
		"negative latency": {"POST /_fake/latency", `{"latency":"-1s"}`, 400, "latency is missing or negative", changedNothing},
	})
}
