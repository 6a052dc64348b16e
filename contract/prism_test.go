package contract_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// startPrism runs Prism, a server that knows only Clerk's OpenAPI document, and returns its
// URL.
func startPrism(t *testing.T, mode string, args ...string) string {
	t.Helper()
	spec := specPath(t)
	needNode(t, "@stoplight/prism-cli")
	port := freePort(t)
	// Prism ends with the test's context.
	cmd := exec.CommandContext(t.Context(), filepath.Join("node", "node_modules", ".bin", "prism"),
		append([]string{mode, "--errors", "-h", "127.0.0.1", "-p", port, spec}, args...)...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() }) // its error says that it was ended
	require.Eventually(t, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, time.Minute, 50*time.Millisecond, "Prism does not listen")
	return "http://127.0.0.1:" + port
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// violations is a transport that records the violations that Prism reports.
type violations struct{ found []string }

func (v *violations) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && resp.Header.Get("Sl-Violations") != "" {
		v.found = append(v.found, fmt.Sprintf("%s %s: %s", req.Method, req.URL.Path, resp.Header.Get("Sl-Violations")))
	}
	return resp, err
}

// TestAgainstAMock: package clerk talks to a server that is derived from Clerk's OpenAPI
// document alone. The server refuses everything that the document does not allow.
func TestAgainstAMock(t *testing.T) {
	baseURL := startPrism(t, "mock") // it ignores the path of the document's server
	v := &violations{}
	client, err := clerk.NewClient("sk_test_dummy", clerk.WithBaseURL(baseURL), clerk.WithHTTPClient(&http.Client{Transport: v}))
	require.NoError(t, err)
	page, err := client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{
		Status: clerk.InvitationStatusAccepted, Query: "ada@example.com", OrderBy: clerk.OrderByCreatedAt, Limit: 500, Offset: 7,
	})
	require.NoError(t, err)
	require.Len(t, page.Data, 1)
	require.Equal(t, -1, page.TotalCount, "the document describes the bare array only")
	everything := clerk.CreateInvitationRequest{
		// Every response of the mock is for this address.
		EmailAddress: page.Data[0].EmailAddress, PublicMetadata: map[string]any{"role": "admin"}, RedirectURL: "/welcome",
		Notify: new(false), IgnoreExisting: true, ExpiresInDays: 365, TemplateSlug: clerk.TemplateSlugInvitation,
	}
	inv, err := client.Invitations.Create(t.Context(), everything)
	require.NoError(t, err)
	require.Equal(t, clerk.InvitationStatusPending, inv.Status)
	invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{everything})
	require.ErrorIs(t, err, clerk.ErrMetadataLost, "the mock answers with metadata of its own")
	require.Len(t, invs, 1)
	inv, err = client.Invitations.Revoke(t.Context(), inv.ID)
	require.NoError(t, err)
	require.True(t, inv.Revoked)
	require.Empty(t, v.found)

	// Prism does report violations.
	everything.ExpiresInDays = 366
	_, err = client.Invitations.Create(t.Context(), everything)
	refused, ok := errors.AsType[*clerk.ClerkErrors](err)
	require.True(t, ok, err)
	require.Equal(t, 422, refused.StatusCode)
}

// TestThroughAProxy puts Prism between package clerk and the fake. Prism answers with an error
// if a request or a response violates the document.
func TestThroughAProxy(t *testing.T) {
	fake := clerktest.New()
	upstream, stop := fake.Serve()
	t.Cleanup(stop)
	baseURL := startPrism(t, "proxy", upstream)
	v := &violations{}
	client, err := clerk.NewClient(fake.SecretKey(), clerk.WithBaseURL(baseURL), clerk.WithHTTPClient(&http.Client{Transport: v}),
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.NoError(t, err)
	fake.AddUser(guest(0).EmailAddress)

	inv, err := client.Invitations.Create(t.Context(), guest(1))
	require.NoError(t, err)
	invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{guest(2), guest(3)})
	require.NoError(t, err)
	for _, status := range []clerk.InvitationStatus{"", clerk.InvitationStatusPending, clerk.InvitationStatusRevoked} {
		// The document does not describe the list that paginated=true asks for.
		_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{Status: status, Paginated: new(false), Limit: 2})
		require.NoError(t, err)
	}
	_, err = client.Invitations.Revoke(t.Context(), inv.ID)
	require.NoError(t, err)
	require.NoError(t, fake.Accept(invs[0].ID))

	for want, call := range map[error]func(context.Context) error{
		clerk.ErrUserExists: func(ctx context.Context) error {
			_, err := client.Invitations.Create(ctx, guest(0))
			return err
		},
		clerk.ErrDuplicateInvitation: func(ctx context.Context) error {
			_, err := client.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{guest(4), guest(3)})
			return err
		},
		clerk.ErrAlreadyRevoked: func(ctx context.Context) error {
			_, err := client.Invitations.Revoke(ctx, inv.ID)
			return err
		},
		clerk.ErrAlreadyAccepted: func(ctx context.Context) error {
			_, err := client.Invitations.Revoke(ctx, invs[0].ID)
			return err
		},
		clerk.ErrNotFound: func(ctx context.Context) error {
			_, err := client.Invitations.Revoke(ctx, "inv_unknown")
			return err
		},
	} {
		err := call(t.Context())
		require.ErrorIs(t, err, want)
		_, ok := errors.AsType[*clerk.ClerkErrors](err)
		require.True(t, ok, err)
	}
	require.Empty(t, v.found)

	// Prism does report what the document does not describe.
	_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
	require.Error(t, err)
}
