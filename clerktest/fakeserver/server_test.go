package fakeserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestCrossOriginChangesOfBrowsersAreRefused(t *testing.T) {
	for name, headers := range map[string][]string{
		"by Sec-Fetch-Site": {"Sec-Fetch-Site", "cross-site"},
		"by Origin":         {"Origin", "https://elsewhere.example.com"},
	} {
		fake := clerktest.New()
		invite(t, fake, "ada@example.com", "")
		resp, _ := call(t, fake, "POST /_fake/reset", "", headers...)
		require.Equal(t, 403, resp.StatusCode, name)
		require.Len(t, fake.Invitations(), 1)
		resp, _ = call(t, fake, "GET /_fake/state", "", headers...)
		require.Equal(t, 200, resp.StatusCode, "links lead here from other sites")
		require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"), "the other page does not see it")
	}
}

// TestPathsOfNobodyNeedNoKey: who types a path by hand learns which ones there are, and not
// that a key is missing.
func TestPathsOfNobodyNeedNoKey(t *testing.T) {
	fake := clerktest.New()
	resp, body := call(t, fake, "GET /_fake", "")
	require.Equal(t, 200, resp.StatusCode)
	_, paths := call(t, fake, "GET /_fake/", "")
	require.Equal(t, paths, body)
	resp, _ = call(t, fake, "POST /_fake", "share=1")
	require.Equal(t, 405, resp.StatusCode)
	for _, request := range []string{"GET /foo", "POST /invitations", "GET /_fakes", "GET /v1"} {
		resp, body := call(t, fake, request, "")
		require.Equal(t, 404, resp.StatusCode, request)
		require.Contains(t, body, "the page is at /, the control API at /_fake/, and Clerk's API at /v1/")
	}
	require.Empty(t, fake.Requests())
	resp, _ = call(t, fake, "GET /v1/invitations", "")
	require.Equal(t, 401, resp.StatusCode, "Clerk's API needs a key")
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
