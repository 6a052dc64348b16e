package fakeserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

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
