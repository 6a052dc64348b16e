package clerkriver

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/riverqueue/river"
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

// TestKeyCanBeRotated while a campaign is sent: the client asks for the key of each request.
func TestKeyCanBeRotated(t *testing.T) {
	t.Parallel()
	const oldKey, newKey = "sk_test_old", "sk_test_new"
	current, accepted := oldKey, oldKey // by the service, and by Clerk
	fake := clerktest.New(clerktest.WithSecretKey(newKey))
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 2, Window: time.Hour}, Budget: clerk.Budget{Creates: 2, Window: time.Hour}}, fake)
	var err error
	a.client, err = a.NewClient("", roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Header.Get("Authorization") != "Bearer "+accepted {
			return stray(-1, http.StatusUnauthorized, "application/json", unauthorized, nil).RoundTrip(req)
		}
		req.Header.Set("Authorization", "Bearer "+newKey)
		return fake.RoundTrip(req)
	}), clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return current, nil }))
	require.NoError(t, err)
	require.NoError(t, a.Install(&river.Config{}, a.client))
	a.enqueue(t, "spring", guests(3))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 2, StateWaiting: 1}, a.counts(t, "spring"))
	accepted = newKey
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_slots SET free_at = 'epoch'")
	require.NoError(t, err)
	_, err = a.Work(t.Context(), a.client)
	require.ErrorIs(t, err, clerk.ErrUnauthorized)
	current = newKey
	a.nextWindow(t)
	require.Equal(t, map[State]int{StateCreated: 3}, a.counts(t, "spring"))
}
