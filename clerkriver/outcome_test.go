package clerkriver

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestInvitationHasOneOwner: two campaigns invited the same person when their runner died.
func TestInvitationHasOneOwner(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", guests(1))
	a.enqueue(t, "summer", guests(1))
	interrupted(t, a)
	expire(t, a)
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateAlreadyInvited: 1}, a.counts(t, "summer"))
	require.Equal(t, fake.Invitations()[0].ID, a.all(t, "summer")[0].InvitationID)
}

// TestUnknownIsTheLastResort: a row whose outcome CreateAll does not know is looked up by
// later runs, and reported as unknown when that did not help.
func TestUnknownIsTheLastResort(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(1))
	for attempt := range maxAttempts {
		require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "spring"))
		r, rows := begun(t, a)
		require.Equal(t, attempt, rows[0].attempts)
		r.settle(t.Context(), rows[0], clerk.CreateResult{Err: errors.New("Clerk never answered")})
		require.NoError(t, r.end(t.Context(), verdict{}))
	}
	result := a.all(t, "spring")[0]
	require.Equal(t, StateUnknown, result.State)
	require.Equal(t, "Clerk never answered", result.Problem)
}
