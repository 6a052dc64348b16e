package fakeserver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// call sends a request to the handler of fake, and returns the status and the body.
func call(t *testing.T, fake *clerktest.Fake, request, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	fakeserver.Handler(fake).ServeHTTP(recorder, req)
	resp := recorder.Result()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(got)
}

func invite(t *testing.T, fake *clerktest.Fake, address, redirectURL string) *clerk.Invitation {
	t.Helper()
	client, err := fake.Client()
	require.NoError(t, err)
	inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, RedirectURL: redirectURL})
	require.NoError(t, err)
	return inv
}

const ada = "inv_000000000000000000000000001"

// A check checks what an operation did.
type check func(*testing.T, *clerktest.Fake)

func hasStatus(want clerk.InvitationStatus) check {
	return func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Equal(t, want, fake.Invitations()[0].Status)
	}
}

func hasPlanned(want ...string) check {
	return func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Equal(t, append([]string{}, want...), fake.Planned())
	}
}

func hasUsers(want int) check {
	return func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Len(t, fake.Users(), want)
	}
}

func changedNothing(t *testing.T, fake *clerktest.Fake) {
	t.Helper()
	hasStatus("pending")(t, fake)
	hasPlanned()(t, fake)
	hasUsers(1)(t, fake)
}

// operations has a row for each operation of the control API: what it responds, and
// a check of what it did. See TestControl for what exists beforehand.
var operations = map[string]struct {
	request, body string
	status        int
	response      string // a part of it
	check         check
}{
	"healthz":               {"GET /_fake/healthz", "", 200, `"status": "ok"`, changedNothing},
	"state":                 {"GET /_fake/state", "", 200, `"email_address": "ada@example.com"`, changedNothing},
	"emails":                {"GET /_fake/emails", "", 200, `"invitation_id": "` + ada + `"`, changedNothing},
	"emails to":             {"GET /_fake/emails?to=ADA@example.com", "", 200, ada, changedNothing},
	"emails to nobody":      {"GET /_fake/emails?to=da@example.com", "", 200, `[]`, changedNothing},
	"requests":              {"GET /_fake/requests", "", 200, `"operation": "CreateInvitation"`, changedNothing},
	"no requests":           {"GET /_fake/requests?limit=0", "", 200, `[]`, changedNothing},
	"accept":                {"POST /_fake/invitations/" + ada + "/accept", "", 200, `"status": "accepted"`, hasStatus("accepted")},
	"expire":                {"POST /_fake/invitations/" + ada + "/expire", "", 200, `"status": "expired"`, hasStatus("expired")},
	"revoke":                {"POST /_fake/invitations/" + ada + "/revoke", "", 200, `"status": "revoked"`, hasStatus("revoked")},
	"delete":                {"POST /_fake/invitations/" + ada + "/delete", "", 204, "", func(t *testing.T, fake *clerktest.Fake) { t.Helper(); require.Empty(t, fake.Invitations()) }},
	"an unknown change":     {"POST /_fake/invitations/" + ada + "/lose", "", 404, "accept, expire, revoke and delete", changedNothing},
	"an unknown id":         {"POST /_fake/invitations/inv_/accept", "", 404, `no invitation \"inv_\"`, changedNothing},
	"reset":                 {"POST /_fake/reset", "", 204, "", hasUsers(0)},
	"sign up":               {"POST /_fake/sign-up", `{"ticket":"ticket_of_` + ada + `"}`, 200, `"email_address": "ada@example.com"`, hasStatus("accepted")},
	"an unknown ticket":     {"POST /_fake/sign-up", `{"ticket":"none"}`, 404, "no invitation has this ticket", changedNothing},
	"no ticket":             {"POST /_fake/sign-up", "", 404, "no invitation has this ticket", changedNothing},
	"add a user":            {"POST /_fake/users", `{"email_address":"new@example.com"}`, 204, "", hasUsers(2)},
	"add nobody":            {"POST /_fake/users", `{}`, 400, "email_address is missing", changedNothing},
	"remove a user":         {"POST /_fake/users/remove", `{"email_address":"USER@example.com"}`, 204, "", hasUsers(0)},
	"remove nobody":         {"POST /_fake/users/remove", `{"email_address":"new@example.com"}`, 404, "no user has this address", changedNothing},
	"a fault":               {"POST /_fake/faults", `{"operation":"RevokeInvitation","fault":"drop after","count":2}`, 204, "", hasPlanned("RevokeInvitation: drop after", "RevokeInvitation: drop after")},
	"a fault by form":       {"POST /_fake/faults", `operation=DeleteInvitation&fault=hide+after&code=`, 204, "", hasPlanned("DeleteInvitation: hide after")},
	"a code":                {"POST /_fake/faults", `{"operation":"ListInvitations","code":"quota_exceeded","delay":"1.5s"}`, 204, "", hasPlanned("ListInvitations: quota_exceeded in 1.5s")},
	"a status by form":      {"POST /_fake/faults", `operation=ListInvitations&status=503&after=true&retry_after=1m`, 204, "", hasPlanned("ListInvitations: Service Unavailable")},
	"an unknown fault":      {"POST /_fake/faults", `{"operation":"ListInvitations","fault":"drop"}`, 400, `unknown fault \"drop\"`, changedNothing},
	"an unknown operation":  {"POST /_fake/faults", `{"operation":"List","fault":"drop after"}`, 400, `unknown operation \"List\"`, changedNothing},
	"an unknown code":       {"POST /_fake/faults", `{"operation":"ListInvitations","code":"own"}`, 400, "needs a status", changedNothing},
	"no fault":              {"POST /_fake/faults", `{"operation":"ListInvitations"}`, 400, "either a fault, or a response", changedNothing},
	"both":                  {"POST /_fake/faults", `{"operation":"ListInvitations","fault":"drop after","status":500}`, 400, "either a fault, or a response", changedNothing},
	"too many":              {"POST /_fake/faults", `{"operation":"ListInvitations","fault":"drop after","count":1000000}`, 400, "count", changedNothing},
	"an unknown parameter":  {"POST /_fake/faults", `{"op":"ListInvitations"}`, 400, `unknown field \"op\"`, changedNothing},
	"no JSON":               {"POST /_fake/faults", `{"operation"`, 400, "the request body is invalid", changedNothing},
	"a number that is none": {"POST /_fake/faults", `status=five`, 400, "a number that is none", changedNothing},
	"no form":               {"POST /_fake/faults", `%zz`, 400, "neither a JSON object nor a form", changedNothing},
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
	"no latency":       {"POST /_fake/latency", `{"latency":"soon"}`, 400, `\"soon\" is not a duration such as 1.5s`, changedNothing},
	"negative latency": {"POST /_fake/latency", `{"latency":"-1s"}`, 400, "latency is negative", changedNothing},
	"preset limits": {"POST /_fake/limits", `preset=production`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Equal(t, clerktest.ProductionRateLimits().Creates, fake.RateLimitUsage().Creates.Limit)
	}},
	"own limits": {"POST /_fake/limits", `{"creates":{"requests":3,"per":"1m"}}`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Equal(t, clerktest.Limit{Requests: 3, Per: time.Minute}, fake.RateLimitUsage().Creates.Limit)
	}},
	"unknown limits":         {"POST /_fake/limits", `{"preset":"staging"}`, 400, "none of off, development, production", changedNothing},
	"limits without a time":  {"POST /_fake/limits", `{"creates":{"requests":3}}`, 400, "has no duration", changedNothing},
	"an unknown operation 2": {"POST /_fake/nothing", "", 405, "", changedNothing},
	"a method it hasn't":     {"DELETE /_fake/state", "", 405, "", changedNothing},
}

// TestControl calls each of operations. Beforehand ada@example.com (id 1) is invited,
// and user@example.com is a user.
func TestControl(t *testing.T) {
	for name, test := range operations {
		t.Run(name, func(t *testing.T) {
			fake := clerktest.New()
			invite(t, fake, "ada@example.com", "")
			fake.AddUser("user@example.com")
			resp, body := call(t, fake, test.request, test.body)
			require.Equal(t, test.status, resp.StatusCode, body)
			require.Contains(t, body, test.response)
			if test.response != "" {
				require.True(t, json.Valid([]byte(body)), body)
			}
			test.check(t, fake)
		})
	}
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

func TestTheHourIsOver(t *testing.T) {
	fake := clerktest.New()
	fake.SetRateLimits(clerktest.ProductionRateLimits())
	invite(t, fake, "ada@example.com", "")
	_, body := call(t, fake, "GET /_fake/state", "")
	require.Contains(t, body, `"left": 99`)
	resp, _ := call(t, fake, "POST /_fake/limits/reset", "")
	require.Equal(t, 204, resp.StatusCode)
	_, body = call(t, fake, "GET /_fake/state", "")
	require.Contains(t, body, `"left": 100`)
}

func TestFormsOfBrowsersRedirectToThePage(t *testing.T) {
	const accept = "text/html,application/xhtml+xml"
	fake := clerktest.New()
	invite(t, fake, "ada@example.com", "")
	resp, _ := call(t, fake, "POST /_fake/sign-up", "ticket=ticket_of_"+ada, "Accept", accept)
	require.Equal(t, 303, resp.StatusCode)
	require.Equal(t, "/sign-up?link=signed-up", resp.Header.Get("Location"))
	resp, _ = call(t, fake, "POST /_fake/reset", "", "Accept", accept)
	require.Equal(t, 303, resp.StatusCode)
	require.Equal(t, "/", resp.Header.Get("Location"))
	resp, body := call(t, fake, "POST /_fake/users", "email_address=<b>", "Accept", accept)
	require.Equal(t, 400, resp.StatusCode)
	require.Contains(t, body, "That did not work")
	require.NotContains(t, body, "<b>")
}

func TestCrossOriginRequestsOfBrowsersAreRefused(t *testing.T) {
	for name, headers := range map[string][]string{
		"by Sec-Fetch-Site": {"Sec-Fetch-Site", "cross-site"},
		"by Origin":         {"Origin", "https://elsewhere.example.com"},
	} {
		fake := clerktest.New()
		invite(t, fake, "ada@example.com", "")
		resp, _ := call(t, fake, "POST /_fake/reset", "", headers...)
		require.Equal(t, 403, resp.StatusCode, name)
		require.Len(t, fake.Invitations(), 1)
	}
}

func TestPagesEscapeAndForbidScripts(t *testing.T) {
	fake := clerktest.New()
	inv := invite(t, fake, "o'{{ada}}&#60@example.com", `javascript:alert("<script>")`)
	fake.AddUser("<img src=x onerror=alert(1)>@example.com")
	link, err := url.Parse(inv.URL)
	require.NoError(t, err)
	resp, _ := call(t, fake, "GET "+link.RequestURI(), "")
	require.Equal(t, "/sign-up?__clerk_ticket=ticket_of_"+inv.ID, resp.Header.Get("Location"))
	for _, path := range []string{"/", "/?query=%22%3E%3Cscript%3E", resp.Header.Get("Location")} {
		resp, body := call(t, fake, "GET "+path, "")
		require.Equal(t, 200, resp.StatusCode)
		require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'self'; script-src 'self';")
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		require.NotContains(t, body, "<img")
		require.NotContains(t, body, "<script>")
		require.NotContains(t, body, `href="javascript:`)
	}
}

func TestSignUpPageSaysWhatBecameOfTheLink(t *testing.T) {
	for want, change := range map[string]func(*clerktest.Fake, string) error{
		"is already accepted": (*clerktest.Fake).Accept, "has expired": (*clerktest.Fake).Expire,
		"was revoked": (*clerktest.Fake).Revoke, "belongs to no invitation": (*clerktest.Fake).Delete,
	} {
		fake := clerktest.New()
		inv := invite(t, fake, "ada@example.com", "https://app.example.com/join")
		require.NoError(t, change(fake, inv.ID))
		resp, _ := call(t, fake, "GET /v1/tickets/accept?ticket=ticket_of_"+inv.ID, "")
		require.Equal(t, 302, resp.StatusCode)
		for _, path := range []string{resp.Header.Get("Location"), "/sign-up?__clerk_ticket=ticket_of_" + inv.ID} {
			_, body := call(t, fake, "GET "+path, "")
			require.Contains(t, body, want)
			require.NotContains(t, body, "<form")
		}
	}
	_, body := call(t, clerktest.New(), "GET /sign-up?link=%3Cb%3E", "")
	require.Contains(t, body, "Open the link of an invitation")
}

func TestOtherPathsAreTheFakesExceptInBrowsers(t *testing.T) {
	fake := clerktest.New()
	resp, body := call(t, fake, "GET /invitations", "", "Authorization", "Bearer "+fake.SecretKey())
	require.Equal(t, 404, resp.StatusCode)
	require.Contains(t, body, "the base URL ends in /v1")
	resp, _ = call(t, fake, "GET /v1//invitations", "", "Authorization", "Bearer "+fake.SecretKey())
	require.Equal(t, 404, resp.StatusCode, "it is not redirected")
	resp, body = call(t, fake, "GET /join?__clerk_ticket=x", "", "Accept", "text/html")
	require.Equal(t, 404, resp.StatusCode)
	require.Contains(t, body, "With an absolute URL it leads to your application")
	for path, contentType := range map[string]string{"page.css": "text/css", "page.js": "text/javascript"} {
		resp, _ := call(t, fake, "GET /_fake/"+path, "")
		require.Equal(t, 200, resp.StatusCode)
		require.Contains(t, resp.Header.Get("Content-Type"), contentType)
	}
}
