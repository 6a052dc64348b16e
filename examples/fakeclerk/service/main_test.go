package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestServiceInvites(t *testing.T) {
	client, fake := clerktest.NewClient(t)
	app := httptest.NewServer(nil)
	defer app.Close()
	app.Config.Handler = handler(client, app.URL)
	invite := func(address string) string {
		resp, err := http.PostForm(app.URL+"/invite", url.Values{"email": {address}})
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}
	require.Contains(t, invite("ada@example.com"), "was sent")
	require.Contains(t, invite("ada@example.com"), "is invited already")
	fake.Respond(clerk.OperationCreate, clerktest.Response{Code: clerk.CodeQuotaExceeded})
	require.Contains(t, invite("grace@example.com"), "The invitation failed")

	baseURL, stop := fake.Serve()
	defer stop()
	require.True(t, strings.HasPrefix(fake.Sent()[0].Link, baseURL))
	resp, err := http.Get(fake.Sent()[0].Link)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, app.URL+"/welcome", strings.Split(resp.Request.URL.String(), "?")[0], "the link leads to the service")
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
