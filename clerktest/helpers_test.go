package clerktest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// send sends a raw request through transport, and returns the response with its body.
func send(t *testing.T, transport http.RoundTripper, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	if strings.HasPrefix(url, "/") {
		url = "https://api.clerk.com" + url
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+clerktest.SecretKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(got)
}

func invite(t *testing.T, fake *clerktest.Fake, address string) *clerk.Invitation {
	t.Helper()
	client, err := fake.Client()
	require.NoError(t, err)
	inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
	require.NoError(t, err)
	return inv
}

func create(t *testing.T, fake *clerktest.Fake, address string) error {
	t.Helper()
	client, err := fake.Client()
	require.NoError(t, err)
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
	return err
}

type closeNoting struct {
	io.Reader
	closed bool
}

func (c *closeNoting) Close() error { c.closed = true; return nil }

// open opens a link in process, and returns where it redirects to.
func open(t *testing.T, fake *clerktest.Fake, link string) string {
	t.Helper()
	resp, _ := send(t, fake, "GET", link, "", "Authorization", "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
	require.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"))
	return resp.Header.Get("Location")
}

// statuses returns the statuses of all invitations, oldest first.
func statuses(fake *clerktest.Fake) string {
	var all []string
	for _, inv := range fake.Invitations() {
		all = append(all, string(inv.Status))
	}
	return strings.Join(all, " ")
}
