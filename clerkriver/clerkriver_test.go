package clerkriver

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestClientMustUseTheTransport(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	url := shared.database(t)
	a := newApp(t, url, Config{}, fake)
	a.enqueue(t, "spring", guests(1))
	for name, transport := range map[string]http.RoundTripper{
		"none": nil, "that of another instance": newApp(t, url, Config{Instance: "other"}, nil).Transport(nil),
	} {
		client, err := clerk.NewClient(clerktest.SecretKey, clerk.WithHTTPClient(&http.Client{Transport: transport}))
		require.NoError(t, err)
		_, err = a.Work(t.Context(), client)
		require.ErrorIs(t, err, ErrNoTransport, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Work(ctx, a.client)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, fake.Requests())
}
