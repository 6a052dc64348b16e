package fakeserver_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// TestForeignHostsAreRefused sends the requests that a page of another site can send
// once its name resolves to this machine.
func TestForeignHostsAreRefused(t *testing.T) {
	fake := clerktest.New()
	invite(t, fake, "ada@example.com", "")
	handler := fakeserver.Handler(fake, fakeserver.WithHosts("fakeclerk", "FAKE.test:8080", ""))
	serve := func(method, path, host string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		req.Host = host
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Authorization", "Bearer "+fake.SecretKey())
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, req)
		return recorder
	}
	for _, host := range []string{
		"evil.example.com", "evil.example.com:8080", "localhost.example.com", "127.0.0.1.example.com", "example.com:127.0.0.1",
		"192.168.1.7:8080", "0.0.0.0:8080", "[fd00::1]:8080", "xlocalhost", "fakeclerk.example.com", "", ":8080",
	} {
		for _, path := range []string{
			"/", "/sign-up", "/join", "/_fake/state", "/_fake/healthz", "/v1/invitations", "/v1/tickets/accept?ticket=ticket_of_" + ada,
		} {
			resp := serve("GET", path, host)
			require.Equal(t, 403, resp.Code, "%s of %s", path, host)
			require.NotContains(t, resp.Body.String(), "ada@example.com")
		}
		require.Equal(t, 403, serve("POST", "/_fake/reset", host).Code, host)
		require.Contains(t, serve("GET", "/", host).Body.String(), "-hosts")
	}
	require.Len(t, fake.Invitations(), 1)

	for _, host := range []string{
		"localhost", "LOCALHOST:8080", "localhost.:8080", "app.localhost", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]", "::1",
		"[::ffff:127.0.0.1]:80", "fakeclerk:8080", "FakeClerk", "fake.test", "fake.test:1",
	} {
		for _, path := range []string{"/", "/_fake/state", "/v1/invitations"} {
			require.Equal(t, 200, serve("GET", path, host).Code, "%s of %s", path, host)
		}
	}
}
