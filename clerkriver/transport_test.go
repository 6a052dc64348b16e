package clerkriver

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestFailingDatabaseIsAnErrorOfItsOwn(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.pool.Close()
	_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.ErrorIs(t, err, ErrLimitUnavailable)
	require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
	require.ErrorIs(t, err, clerk.ErrNotSent)
	require.False(t, IsOwnRefusal(err))
	require.Empty(t, fake.Requests())
}

// TestEndedContextIsNoFailureOfTheDatabase: the caller's own deadline is what ended.
func TestEndedContextIsNoFailureOfTheDatabase(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://example.com/v1/invitations", http.NoBody)
	require.NoError(t, err)
	_, err = a.Transport(clerktest.New()).RoundTrip(req)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrLimitUnavailable)
}
