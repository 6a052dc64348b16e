package fakeserver_test

import (
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
