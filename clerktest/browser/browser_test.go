package browser

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

var screenshots = flag.String("screenshots", "", "write screenshots of the page to this directory")

func TestInvitationIsAcceptedThroughTheEmailsLink(t *testing.T) {
	s := newSite(t)
	s.do(chromedp.Navigate(s.url))
	s.sees("#emails", "No email was sent")

	inv := s.invite(clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", RedirectURL: s.newApp() + "/join?team=one",
		PublicMetadata: map[string]any{"role": "admin"},
	})
	s.sees("#emails strong", "To ada@example.com") // without a reload
	s.sees("#invitations .status.pending", "1 pending")

	s.do(chromedp.Click(chromedp.CSS("#mail-" + inv.ID)))
	s.sees("h1", "Join team one")
	ticket := get(s, chromedp.Value(chromedp.CSS("input")))
	require.NotEmpty(t, ticket)
	require.Contains(t, inv.URL, ticket)
	require.Equal(t, clerk.InvitationStatusPending, s.status(inv.ID), "opening the link accepts nothing")

	s.do(chromedp.Click(chromedp.CSS("button")))
	s.sees("h1", "Welcome, 200")
	s.do(chromedp.Navigate(s.url))
	s.sees("#"+inv.ID+" .status", "accepted")
	s.sees("#users", `{"role":"admin"}`)
	_, err := s.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	require.ErrorIs(t, err, clerk.ErrUserExists)
}

func TestSignUpPage(t *testing.T) {
	s := newSite(t)
	inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	s.do(chromedp.Navigate(inv.URL))
	s.sees("#text", "ada@example.com")
	require.Equal(t, clerk.InvitationStatusPending, s.status(inv.ID))
	s.do(chromedp.Click(chromedp.CSS("#sign-up")))
	s.sees("h1", "Signed up")
	require.Equal(t, clerk.InvitationStatusAccepted, s.status(inv.ID))

	expired := s.invite(clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"})
	require.NoError(t, s.fake.Expire(expired.ID))
	revoked := s.invite(clerk.CreateInvitationRequest{EmailAddress: "alan@example.com"})
	require.NoError(t, s.fake.Revoke(revoked.ID))
	for url, text := range map[string]string{
		inv.URL: "already accepted", expired.URL: "has expired", revoked.URL: "was revoked",
		s.url + "/v1/tickets/accept?ticket=none": "belongs to no invitation",
	} {
		s.do(chromedp.Navigate(url))
		s.sees("h1", text)
		require.Zero(t, get(s, chromedp.Evaluate[int](`document.querySelectorAll("button").length`)), text)
		require.NotContains(t, get(s, chromedp.Location()), "ticket")
	}
}

func TestButtonsOfThePage(t *testing.T) {
	s := newSite(t)
	for button, want := range map[string]clerk.InvitationStatus{
		"accept": clerk.InvitationStatusAccepted, "expire": clerk.InvitationStatusExpired,
		"revoke": clerk.InvitationStatusRevoked, "delete": "deleted",
	} {
		inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: button + "@example.com"})
		s.do(chromedp.Navigate(s.url))
		if want == "deleted" {
			s.do(chromedp.Click(chromedp.CSS("#ask-" + inv.ID)))
		}
		s.do(chromedp.Click(chromedp.CSS("#" + button + "-" + inv.ID)))
		if want == "deleted" {
			s.do(chromedp.WaitNotPresent(chromedp.CSS("#" + inv.ID)))
		} else {
			s.sees("#"+inv.ID+" .status", string(want))
		}
		require.Equal(t, want, s.status(inv.ID))
	}
}

func TestFaultsLatencyAndLimitsAreSetOnThePage(t *testing.T) {
	s := newSite(t)
	list := func() error {
		_, err := s.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{},
			clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		return err
	}
	form := func(action string) string { return `form[action="/_fake/` + action + `"] ` }
	s.do(chromedp.Navigate(s.url),
		chromedp.SetValue(chromedp.CSS(form("faults")+`[name=operation]`), string(clerk.OperationList)),
		chromedp.SetValue(chromedp.CSS(form("faults")+`[name=code]`), "quota_exceeded"),
		chromedp.Click(chromedp.CSS(form("faults")+"button")))
	s.sees("#faults", "ListInvitations: quota_exceeded")
	refused, ok := errors.AsType[*clerk.ClerkErrors](list())
	require.True(t, ok)
	require.Equal(t, clerk.CodeQuotaExceeded, refused.Errors[0].Code)
	s.sees("#requests td", "quota_exceeded")

	s.do(chromedp.SetValue(chromedp.CSS(form("faults/share")+`[name=share]`), "1"),
		chromedp.SetValue(chromedp.CSS(form("faults/share")+`[name=faults]`), "drop before"),
		chromedp.Click(chromedp.CSS(form("faults/share")+"button")))
	s.sees("#faults", "100 %, drop before")
	require.Error(t, list())
	s.sees("#requests td", "broken")
	s.do(chromedp.Click(chromedp.CSS(form("faults/clear") + "button")))
	s.sees("#faults dl", "Requests that fail0 %")
	require.NoError(t, list())

	s.do(chromedp.SetValue(chromedp.CSS(form("faults/share")+`[name=share]`), "0.5"),
		chromedp.SetValue(chromedp.CSS(form("faults/share")+`[name=operations]`), string(clerk.OperationList)),
		chromedp.Click(chromedp.CSS(form("faults/share")+"button")))
	s.sees("#faults", "50 % of ListInvitations")
	require.Equal(t, clerktest.FaultMix{Share: 0.5, Operations: []clerk.Operation{clerk.OperationList}}, s.fake.State(clerktest.Filter{}).Faults)
	s.do(chromedp.SetValue(chromedp.CSS(form("faults")+`[name=operation]`), string(clerk.OperationList)),
		chromedp.SetValue(chromedp.CSS(form("faults")+`[name=code]`), "too_many_requests"),
		chromedp.SetValue(chromedp.CSS(form("faults")+`[name=retry_after]`), "30s"),
		chromedp.SetValue(chromedp.CSS(form("faults")+`[name=count]`), "3"),
		chromedp.Click(chromedp.CSS(form("faults")+"button")))
	s.sees("#faults", "3 × ListInvitations: too_many_requests")
	meta, ok := clerk.MetaFromError(list())
	require.True(t, ok)
	require.Equal(t, 30*time.Second, meta.RetryAfter)
	s.sees("#faults", "2 × ListInvitations: too_many_requests")
	s.do(chromedp.Click(chromedp.CSS(form("faults/clear") + "button")))
	s.sees("#faults dl", "Requests that fail0 %")

	s.do(chromedp.SetValue(chromedp.CSS(form("latency")+`[name=latency]`), "100ms"),
		chromedp.Click(chromedp.CSS(form("latency")+"button")))
	s.sees("#faults dd", "100ms")
	require.Equal(t, 100*time.Millisecond, s.fake.State(clerktest.Filter{}).Latency)

	s.do(chromedp.SetValue(chromedp.CSS(form("limits")+`[name=preset]`), "production"),
		chromedp.Click(chromedp.CSS(form("limits")+"button")))
	s.sees("#limits", "100 of 100 left per 1h")
	s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	s.sees("#limits", "99 of 100 left")
	s.do(chromedp.Click(chromedp.CSS(form("limits/reset") + "button")))
	s.sees("#limits", "100 of 100 left")
}

// TestSettingsOfOthersStayUntilSomethingIsChosen: the buttons send nothing that replaces what
// the control API has set, even if the page was open before.
func TestSettingsOfOthersStayUntilSomethingIsChosen(t *testing.T) {
	s := newSite(t)
	s.do(chromedp.Navigate(s.url))
	s.fake.SetRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: 7, Per: time.Hour}})
	s.fake.SetFaults(clerktest.FaultMix{Share: 0.3})
	s.fake.SetLatency(7 * time.Millisecond)
	s.fake.SetBehavior(clerktest.Behavior{NullMetadata: true})
	const sends = `(form => form.checkValidity() ? new URLSearchParams(new FormData(form)).toString() : "")(document.querySelector('form[action="/_fake/%s"]'))`
	for range 2 {
		s.sees("#limits", "7 of 7 left per 1h")
		s.sees("#faults", "30 %")
		s.sees("#faults", "7ms")
		s.sees("#behavior", "null-metadata")
		for action, want := range map[string]string{"limits": "", "faults/share": "", "latency": "", "behavior": "behavior=null-metadata"} {
			require.Equal(t, want, get(s, chromedp.Evaluate[string](fmt.Sprintf(sends, action))), action)
		}
		s.do(chromedp.Navigate(s.url)) // again, on a page that is opened afterwards
	}
}

func TestPageWorksWithKeyboardAlone(t *testing.T) {
	s := newSite(t)
	inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	s.do(chromedp.Navigate(s.url))
	focused := func() string { return get(s, chromedp.Evaluate[string](`document.activeElement.id`)) }
	for presses := 0; focused() != "accept-"+inv.ID; presses++ {
		require.Less(t, presses, 20)
		s.do(chromedp.KeyEvent(kb.Tab))
	}
	s.invite(clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"})
	s.sees("#invitations", "grace@example.com") // the page has refreshed itself
	require.Equal(t, "accept-"+inv.ID, focused(), "refreshing keeps the focus")
	s.do(chromedp.KeyEvent(kb.Enter))
	s.sees("#"+inv.ID+" .status", "accepted")
}

func TestPageWorksWithoutJavaScript(t *testing.T) {
	s := newSite(t)
	inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	_, err := chromedp.Call(s.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	s.do(chromedp.Navigate(s.url),
		chromedp.Click(chromedp.CSS("#expire-"+inv.ID)), chromedp.WaitVisible(chromedp.CSS("#"+inv.ID+" .expired")))
	later := s.invite(clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"})
	s.do(chromedp.Navigate(later.URL), chromedp.Click(chromedp.CSS("#sign-up")),
		chromedp.WaitNotPresent(chromedp.CSS("#sign-up")))
	require.Equal(t, clerk.InvitationStatusAccepted, s.status(later.ID))
}

func TestNothingThatARequestBringsIsExecutedOrFollowed(t *testing.T) {
	s := newSite(t)
	const address = "o'{{ada}}&#60@example.com"
	s.fake.AddUser("<img src=x onerror=alert(1)>@example.com")
	require.NoError(t, s.fake.Load(strings.NewReader(
		`{"user": {"email_address": "grace@example.com", "public_metadata": {"a": "<script>alert(4)</script>"}}}`)))
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/%3Cscript%3Ealert(6)%3C/script%3E", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	inv := s.invite(clerk.CreateInvitationRequest{
		EmailAddress: address, RedirectURL: "javascript:alert(2)//<script>alert(3)</script>",
	})
	s.do(chromedp.Navigate(s.url+"/?query=%22%3E%3Cscript%3Ealert(5)%3C/script%3E"), chromedp.Navigate(s.url))
	s.sees("#"+inv.ID+" strong", address)
	s.sees("#users strong", "<img src=x")
	s.sees("#requests code", "<script>alert(6)")
	s.sees("#"+inv.ID+" code", "javascript:alert(2)")
	s.do(chromedp.Click(chromedp.CSS("#open-" + inv.ID)))
	s.sees("#text", address)
	s.sees("code", "javascript:alert(2)")
	s.do(chromedp.Click(chromedp.CSS("#sign-up")))
	s.sees("h1", "Signed up")
	s.do(chromedp.Navigate(s.url))
	s.sees("#users code", "<script>alert(4)</script>")
	require.Zero(t, get(s, chromedp.Evaluate[int](`document.querySelectorAll("main img, main script").length`)))
	require.Zero(t, s.alerts.Load())
}

func TestOtherSitesCannotControlTheFake(t *testing.T) {
	s := newSite(t)
	s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	s.do(chromedp.Navigate(s.newApp() + "/join"))
	require.True(t, get(s, chromedp.Evaluate[bool](
		`fetch("`+s.url+`/_fake/reset", {method: "POST", mode: "no-cors"}).then(() => true)`, chromedp.EvalAwaitPromise)))
	s.do(chromedp.Evaluate[chromedp.Void](
		`document.querySelector("form").action = "` + s.url + `/_fake/reset"; document.querySelector("form").submit()`))
	s.sees("body", "cross-origin")
	require.Len(t, s.fake.Invitations(), 1)
}

func TestPageFitsPhonesAndDesktops(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"a-rather-long-name-before-the-at-sign-of-an-address-0123456789", "ada", "grace", "alan", "katherine"} {
		s.invite(clerk.CreateInvitationRequest{EmailAddress: name + "@example.com", RedirectURL: "https://app.example.com/join?team=one"})
	}
	all := s.fake.Invitations()
	require.NoError(t, s.fake.Accept(all[1].ID))
	require.NoError(t, s.fake.Expire(all[2].ID))
	require.NoError(t, s.fake.Revoke(all[3].ID))
	s.fake.SetRateLimits(clerktest.ProductionRateLimits())
	_, err := s.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	require.ErrorIs(t, err, clerk.ErrUserExists)
	s.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	s.invite(clerk.CreateInvitationRequest{EmailAddress: "hedy@example.com"})
	for name, width := range map[string]int64{"fakeclerk-phone.png": 390, "fakeclerk.png": 1280} {
		s.do(chromedp.EmulateViewport(width, 960), chromedp.Navigate(s.url))
		overflow := get(s, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
		require.LessOrEqual(t, overflow, 0, "nothing is wider than the screen")
		if *screenshots != "" {
			image := get(s, chromedp.CaptureScreenshot())
			require.NoError(t, os.WriteFile(filepath.Join(*screenshots, name), image, 0o644))
		}
	}
}
