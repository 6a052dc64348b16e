package fakeserver_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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

func TestPageFiltersAndPages(t *testing.T) {
	fake := clerktest.New()
	for i := range 60 {
		invite(t, fake, fmt.Sprintf("guest%02d@example.com", i), "")
	}
	require.NoError(t, fake.Revoke(fake.Invitations()[7].ID))
	rows := func(address string) (found []string, page string) {
		_, page = call(t, fake, "GET "+address, "")
		for _, match := range regexp.MustCompile(`<strong>(To )?(guest\d\d)@`).FindAllStringSubmatch(page, -1) {
			found = append(found, match[1]+match[2])
		}
		return found, page
	}
	found, page := rows("/")
	require.Len(t, found, 50, "25 invitations and emails")
	require.Contains(t, page, `href="/?invitations=25#invitations-title" aria-label="Older invitations"`)
	found, page = rows("/?invitations=50&emails=25&query=guest")
	require.Equal(t, "guest09", found[0])
	require.Equal(t, "To guest34", found[10])
	require.Contains(t, page, `href="/?emails=25&amp;invitations=25&amp;query=guest#invitations-title" aria-label="Newer invitations"`)
	require.NotContains(t, page, "Older invitations")
	found, _ = rows("/?status=revoked")
	require.Equal(t, "guest07", found[0])
	require.Equal(t, "To guest59", found[1])
	found, _ = rows("/?query=guest3&status=pending")
	require.Len(t, found, 20, "the search covers emails")
	_, page = rows("/?invitations=-1&emails=x&status=lost&requests=99999")
	require.Contains(t, page, "guest59")
}

// TestPageLinksToItsSections, as the lists before most of them are long.
func TestPageLinksToItsSections(t *testing.T) {
	_, page := call(t, clerktest.New(), "GET /", "")
	nav, _, _ := strings.Cut(page, "<main>")
	var links, headings []string
	for _, match := range regexp.MustCompile(`<a href="#([\w-]+)">([^<]+)</a>`).FindAllStringSubmatch(nav, -1) {
		links = append(links, match[1]+" "+match[2])
	}
	for _, match := range regexp.MustCompile(`<h2 id="([\w-]+)">([^<]+)</h2>`).FindAllStringSubmatch(page, -1) {
		headings = append(headings, match[1]+" "+match[2])
	}
	require.Len(t, headings, 8)
	require.Equal(t, headings, links)
}

func TestPageShowsFaults(t *testing.T) {
	fake := clerktest.New()
	fake.SetFaults(clerktest.FaultMix{
		Share: 0.2, Operations: []clerk.Operation{clerk.OperationCreate, clerk.OperationList},
		Faults: []clerktest.Fault{clerktest.FaultDropAfter, clerktest.FaultRateLimit},
	})
	for _, fault := range []clerktest.Fault{
		clerktest.FaultDropAfter, clerktest.FaultDropAfter, clerktest.FaultRefuse, clerktest.FaultDropAfter,
	} {
		fake.Fail(clerk.OperationList, fault)
	}
	_, body := call(t, fake, "GET /", "")
	require.Contains(t, body, `<dd>20 % of CreateInvitation and ListInvitations, drop after, rate limit</dd>`)
	var planned []string
	for _, found := range regexp.MustCompile(`<dt>Planned</dt><dd>(.*?)</dd>`).FindAllStringSubmatch(body, -1) {
		planned = append(planned, found[1])
	}
	require.Equal(t, []string{"2 × ListInvitations: drop after", "ListInvitations: refuse", "ListInvitations: drop after"}, planned)
	fake.ClearFaults()
	_, body = call(t, fake, "GET /", "")
	require.Contains(t, body, `<dd>0 %</dd>`)
}

func TestTimesHaveYearAndZone(t *testing.T) {
	fake := clerktest.New()
	require.NoError(t, fake.Load(strings.NewReader(
		`{"invitation": {"email_address": "ada@example.com", "created_at": 1767225000000, "expires_at": 1798761000000}}`)))
	_, body := call(t, fake, "GET /", "")
	require.Contains(t, body, `<time datetime="2025-12-31T23:50:00Z">31 Dec 2025, 23:50 UTC</time>`)
	require.Contains(t, body, `<time datetime="2026-12-31T23:50:00Z">31 Dec 2026, 23:50 UTC</time>`)
}

func TestDoubtfulRequestsAreMarked(t *testing.T) {
	fake := clerktest.New()
	call(t, fake, "GET /v1/invitations?paginated=x", "", "Authorization", "Bearer "+fake.SecretKey())
	for _, path := range []string{"/", "/_fake/requests/1"} {
		_, body := call(t, fake, "GET "+path, "", "Accept", "text/html")
		require.Regexp(t, `(?i)doubtful: [^<]*paginated`, body)
	}
}
