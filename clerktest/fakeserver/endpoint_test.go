package fakeserver_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

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

func TestButtonsReturnToThePageWithItsSearch(t *testing.T) {
	const accept = "text/html"
	for from, want := range map[string]string{
		"http://localhost:8080/?query=ada&refresh=off":   "/?query=ada&refresh=off",
		"http://localhost:8080/_fake/invitations/" + ada: "/_fake/invitations/" + ada,
		"http://localhost:8080/sign-up?__clerk_ticket=x": "/",
		"http://localhost:8080//evil.example.com/":       "/",
		"https://evil.example.com/?query=ada":            "/",
		"":                                               "/",
		"%":                                              "/",
	} {
		fake := clerktest.New()
		invite(t, fake, "ada@example.com", "")
		resp, _ := call(t, fake, "POST /_fake/invitations/"+ada+"/accept", "", "Accept", accept, "Referer", from)
		require.Equal(t, 303, resp.StatusCode)
		require.Equal(t, want, resp.Header.Get("Location"), from)
		_, body := call(t, fake, "POST /_fake/invitations/"+ada+"/accept", "", "Accept", accept, "Referer", from)
		require.Contains(t, body, "is accepted")
		require.Contains(t, body, `<a href="`+strings.ReplaceAll(want, "&", "&amp;")+`">Back</a>`, "a page error leads back")
	}
	fake := clerktest.New()
	invite(t, fake, "ada@example.com", "")
	resp, _ := call(t, fake, "POST /_fake/invitations/"+ada+"/delete", "", "Accept", accept, "Referer", "http://localhost:8080/_fake/invitations/"+ada)
	require.Equal(t, "/", resp.Header.Get("Location"), "its page is gone")
	for _, path := range []string{"/_fake/reset", "/_fake/nothing"} {
		resp, body := call(t, fake, "GET "+path, "", "Accept", accept)
		require.Contains(t, []int{404, 405}, resp.StatusCode)
		require.Contains(t, body, "Back</a>")
	}
}

// TestNestedMetadataStaysSmall reads an invitation whose metadata is nested as deeply as
// encoding/json permits.
func TestNestedMetadataStaysSmall(t *testing.T) {
	const depth = 9_990
	fake := clerktest.New()
	for _, nested := range []string{
		strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
		`{"a":[` + strings.Repeat(`"\\\"",`, 100_000) + `0]}`,
	} {
		require.NoError(t, fake.Load(strings.NewReader(`{"invitation":{"email_address":"ada@example.com","public_metadata":`+nested+`}}`)))
	}
	for _, path := range []string{"/_fake/state", "/_fake/invitations/" + ada, "/"} {
		_, body := call(t, fake, "GET "+path, "")
		require.Less(t, len(body), 3<<20, path)
	}
	_, body := call(t, fake, "GET /_fake/invitations/"+ada, "", "Accept", "text/html")
	require.Less(t, len(body), 1<<20)
}
