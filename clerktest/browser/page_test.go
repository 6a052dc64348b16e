package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// place returns where an element is on the screen.
func (s *site) place(selector string) string {
	return get(s, chromedp.Evaluate[string](fmt.Sprintf(
		`(({x, y, width, height}) => [x, y, width, height].join())(document.querySelector(%q).getBoundingClientRect())`, selector)))
}

// point moves the pointer to the middle of an element.
func (s *site) point(selector string) {
	s.t.Helper()
	at := get(s, chromedp.Evaluate[[]float64](fmt.Sprintf(
		`(({x, y, width, height}) => [x + width / 2, y + height / 2])(document.querySelector(%q).getBoundingClientRect())`, selector)))
	s.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
}

func (s *site) withoutJavaScript() {
	s.t.Helper()
	_, err := chromedp.Call(s.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(s.t, err)
}

func TestRowsDoNotMoveUnderThePointer(t *testing.T) {
	s := newSite(t)
	inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	s.do(chromedp.Navigate(s.url))
	s.point("#ask-" + inv.ID)
	before := s.place("#ask-" + inv.ID)
	later := s.invite(clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"})
	s.sees("#emails strong", "To grace@example.com") // lists that the pointer is not over are refreshed
	s.sees("#requests a", "POST")
	require.Equal(t, before, s.place("#ask-"+inv.ID))
	require.Zero(t, get(s, chromedp.Evaluate[int](`document.querySelectorAll("#`+later.ID+`").length`)))

	s.point("h1")
	s.sees("#"+later.ID, "grace@example.com")
}

func TestDeleteAndResetAskFirst(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		s := newSite(t)
		inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		if !scripts {
			s.withoutJavaScript()
		}
		s.do(chromedp.Navigate(s.url), chromedp.Click(chromedp.CSS("#ask-"+inv.ID)), chromedp.WaitVisible(chromedp.CSS("#delete-"+inv.ID)))
		require.Equal(t, clerk.InvitationStatusPending, s.status(inv.ID))
		s.do(chromedp.Click(chromedp.CSS("#delete-"+inv.ID)), chromedp.WaitNotPresent(chromedp.CSS("#"+inv.ID)))
		require.Equal(t, clerk.InvitationStatus("deleted"), s.status(inv.ID))

		other := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		s.do(chromedp.Navigate(s.url), chromedp.Click(chromedp.CSS("nav .ask summary")), chromedp.WaitVisible(chromedp.CSS("nav .ask button")))
		require.Len(t, s.fake.Invitations(), 1)
		s.do(chromedp.Click(chromedp.CSS("nav .ask button")), chromedp.WaitNotPresent(chromedp.CSS("#"+other.ID)))
		require.Empty(t, s.fake.Invitations())
	}
}

func TestFindFilterAndPauseSurviveAButtonAndEachOther(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		s := newSite(t)
		inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		other := s.invite(clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"})
		if !scripts {
			s.withoutJavaScript()
		}
		s.do(chromedp.Navigate(s.url), chromedp.Click(chromedp.CSS("nav > a:last-of-type")), chromedp.WaitVisible(chromedp.CSS("h1")))
		s.do(chromedp.SetValue(chromedp.CSS("[name=query]"), "ada"), chromedp.Click(chromedp.CSS("[role=search] button")),
			chromedp.WaitNotPresent(chromedp.CSS("#"+other.ID)), chromedp.Click(chromedp.CSS("a.status.pending")),
			chromedp.WaitVisible(chromedp.CSS("a[aria-current]")))
		address := get(s, chromedp.Location())
		for _, parameter := range []string{"query=ada", "refresh=off", "status=pending"} {
			require.Contains(t, address, parameter)
		}
		require.Equal(t, 1, get(s, chromedp.Evaluate[int](`document.querySelectorAll("#emails li").length`)), "the search covers emails")
		s.do(chromedp.Click(chromedp.CSS("#accept-"+inv.ID)), chromedp.WaitNotPresent(chromedp.CSS("#"+inv.ID)))
		require.Equal(t, address, get(s, chromedp.Location()))
		require.Equal(t, clerk.InvitationStatusAccepted, s.status(inv.ID))
	}
}

func TestTypedTextStays(t *testing.T) {
	s := newSite(t)
	inv := s.invite(clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	s.do(chromedp.Navigate(s.url), chromedp.SetValue(chromedp.CSS("#users ~ form [name=email_address]"), "half an addr"),
		chromedp.Click(chromedp.CSS("#accept-"+inv.ID)))
	s.sees("#"+inv.ID+" .status", "accepted")
	typed := func() string { return get(s, chromedp.Value(chromedp.CSS("#users ~ form [name=email_address]"))) }
	require.Equal(t, "half an addr", typed())

	s.withoutJavaScript()
	s.do(chromedp.Navigate(s.url))
	require.Zero(t, get(s, chromedp.Evaluate[int](`document.querySelectorAll("meta[http-equiv=refresh]").length`)))
}

func TestTimesAreInTheReadersZone(t *testing.T) {
	s := newSite(t)
	_, err := chromedp.Call(s.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"})
	require.NoError(t, err)
	require.NoError(t, s.fake.Load(strings.NewReader(
		`{"invitation": {"id": "inv_1", "email_address": "ada@example.com", "created_at": 1767225000000, "expires_at": 1798761000000}}`)))
	s.do(chromedp.Navigate(s.url))
	s.sees("#inv_1 time", "Jan 1, 2026, 05:20 AM GMT+5:30")
	s.sees("#inv_1 time", "Jan 1, 2027, 05:20 AM GMT+5:30")
	s.withoutJavaScript()
	s.do(chromedp.Navigate(s.url))
	s.sees("#inv_1 time", "31 Dec 2025, 23:50 UTC")
}

func TestInviteReadEmailAndCopyRequest(t *testing.T) {
	s := newSite(t)
	form := func(name string) string { return `form[action="/_fake/invitations"] [name=` + name + `]` }
	s.do(chromedp.Navigate(s.url), chromedp.Click(chromedp.CSS(".more summary")),
		chromedp.SendKeys(chromedp.CSS(form("email_address")), "ada@example.com"),
		chromedp.SendKeys(chromedp.CSS(form("public_metadata")), `{"role":"it's admin"}`),
		chromedp.Click(chromedp.CSS(`form[action="/_fake/invitations"] button`)))
	s.sees("#invitations strong", "ada@example.com")
	inv := s.fake.Invitations()[0]
	require.JSONEq(t, `{"role":"it's admin"}`, string(inv.PublicMetadata))
	require.Empty(t, get(s, chromedp.Value(chromedp.CSS(form("email_address")))))

	s.do(chromedp.Click(chromedp.CSS(".more summary")), chromedp.SetValue(chromedp.CSS(form("email_address")), "ada@example.com"),
		chromedp.Click(chromedp.CSS(`form[action="/_fake/invitations"] button`)))
	s.sees("#problem", "already pending invitations")

	s.do(chromedp.Navigate(s.url + "/_fake/invitations/" + inv.ID))
	s.sees("#metadata", `"role": "it's admin"`)
	s.do(chromedp.Click(chromedp.CSS(".rows a")))
	s.sees("h1", "Your invitation")
	require.Equal(t, inv.URL, get(s, chromedp.Evaluate[string](`document.getElementById("open").href`)))

	s.do(chromedp.Navigate(s.url), chromedp.Click(chromedp.CSS("#requests tr:last-child a")))
	s.sees("#curl", `--data-raw '{"email_address":"ada@example.com"`)
	s.sees("#curl", `it'\''s admin`)
	s.sees("pre", `"status":"pending"`)
	s.do(chromedp.Click(chromedp.CSS("main .note a")))
	s.sees("h2", "Last requests")
}

// TestLinksLeadToEveryPartOfALongPage: the last parts are thousands of pixels down the page.
func TestLinksLeadToEveryPartOfALongPage(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		s := newSite(t)
		s.fillAndFail()
		if !scripts {
			s.withoutJavaScript()
		}
		isSeen := func(id string) bool {
			return get(s, chromedp.Evaluate[bool](fmt.Sprintf(
				`(({top, bottom}) => top >= 0 && bottom <= innerHeight)(document.getElementById(%q).getBoundingClientRect())`, id)))
		}
		s.do(chromedp.Navigate(s.url))
		require.False(t, isSeen("emails-title"))
		for _, id := range []string{"requests-title", "users-title", "emails-title", "invitations-title"} {
			s.do(chromedp.Click(chromedp.CSS(`header a[href="#` + id + `"]`)))
			require.Eventually(t, func() bool { return isSeen(id) }, 5*time.Second, 20*time.Millisecond, id)
		}
		s.do(chromedp.Click(chromedp.CSS(`[aria-label="Older emails"]`)), chromedp.WaitVisible(chromedp.CSS(`[aria-label="Newer emails"]`)))
		require.Eventually(t, func() bool { return isSeen("emails-title") }, 5*time.Second, 20*time.Millisecond, "the list is still in view")
	}
}

// TestNoAccessibilityViolations runs axe on every page.
func TestNoAccessibilityViolations(t *testing.T) {
	axe, err := os.ReadFile(filepath.Join("node", "node_modules", "axe-core", "axe.min.js"))
	if os.IsNotExist(err) {
		require.NotEqual(t, "true", os.Getenv("CI"), "npm ci has not been run in clerktest/browser/node")
		t.Skip("needs npm ci in clerktest/browser/node")
	}
	require.NoError(t, err)
	s := newSite(t)
	inv := s.fillAndFail()
	pages := []string{
		"/?query=guest2&requests=20", "/?query=ada&status=pending&refresh=off&requests=25",
		"/?invitations=25&emails=25&requests=25", "/nowhere", "/sign-up", "/sign-up?link=expired",
		"/sign-up?__clerk_ticket=" + strings.SplitAfter(inv.URL, "ticket=")[1],
		"/_fake/invitations/" + inv.ID, "/_fake/emails/" + inv.ID, "/_fake/requests/1", "/_fake/requests/9999", "/_fake/reset",
	}
	for _, scheme := range []string{"light", "dark"} {
		_, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		require.NoError(t, err)
		for _, width := range []int64{360, 1280} {
			s.do(chromedp.EmulateViewport(width, 900))
			for _, page := range pages {
				s.do(chromedp.Navigate(s.url+page), chromedp.Evaluate[chromedp.Void](
					`document.querySelectorAll("details").forEach(d => d.open = true)`), chromedp.Evaluate[chromedp.Void](string(axe)))
				found, err := chromedp.Run(s.ctx, chromedp.Evaluate[[]string]( // axe takes a while
					`axe.run().then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).join(" | ")))`, chromedp.EvalAwaitPromise))
				require.NoError(t, err)
				require.Empty(t, found, "%s, %s, %d", page, scheme, width)
				overflow := get(s, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
				require.LessOrEqual(t, overflow, 0, "%s, %d: nothing is wider than the screen", page, width)
			}
		}
	}
}

// fillAndFail fills every list of the page, and returns an invitation.
func (s *site) fillAndFail() *clerk.Invitation {
	s.t.Helper()
	for i := range 27 {
		s.invite(clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("guest%d@example.com", i)})
	}
	all := s.fake.Invitations()
	require.NoError(s.t, s.fake.Accept(all[26].ID))
	require.NoError(s.t, s.fake.Expire(all[25].ID))
	require.NoError(s.t, s.fake.Revoke(all[24].ID))
	s.fake.SetRateLimits(clerktest.ProductionRateLimits())
	_, err := s.client.Invitations.Create(s.t.Context(), clerk.CreateInvitationRequest{EmailAddress: "nobody"})
	require.Error(s.t, err)
	_, err = s.client.Invitations.Create(s.t.Context(), clerk.CreateInvitationRequest{EmailAddress: "guest1@example.com"})
	require.ErrorIs(s.t, err, clerk.ErrDuplicateInvitation)
	s.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	s.fake.Fail(clerk.OperationRevoke, clerktest.FaultDropAfter)
	return s.invite(clerk.CreateInvitationRequest{
		EmailAddress:   "a-rather-long-name-before-the-at-sign-of-an-address-0123456789@example.com",
		RedirectURL:    "https://app.example.com/join?team=one",
		PublicMetadata: map[string]any{"role": strings.Repeat("admin", 60)},
	})
}
