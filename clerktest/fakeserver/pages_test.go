package fakeserver_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

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
