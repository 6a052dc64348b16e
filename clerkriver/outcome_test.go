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

// TestUnknownIsTheLastResort: later runs look up a row whose outcome CreateAll does not know.
// It is reported as unknown only if that does not help.
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

// TestHandlersInvitationIsNotTheCampaigns: a runner died while it held the rows, and others
// invited the same people: a request handler in the meantime, and another program long after
// the runner's last request had ended.
func TestHandlersInvitationIsNotTheCampaigns(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", guests(5))
	begun(t, a)
	_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)})
	require.NoError(t, err)
	_, err = a.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: guest(1)}, {EmailAddress: guest(2)}})
	require.NoError(t, err)
	expire(t, a)
	second, _ := begun(t, a)
	require.NoError(t, second.end(t.Context(), verdict{}))
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET may_exist_until = may_exist_until - interval '5 minutes' WHERE place = 3")
	require.NoError(t, err)
	other, err := fake.Client()
	require.NoError(t, err)
	for i := range 2 { // the runner's own request may have been late for the second of them
		_, err = other.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(3 + i)})
		require.NoError(t, err)
	}
	require.Zero(t, a.work(t))
	results := a.all(t, "spring")
	for i, want := range []State{StateAlreadyInvited, StateAlreadyInvited, StateAlreadyInvited, StateAlreadyInvited, StateCreated} {
		require.Equal(t, want, results[i].State, i)
		require.Equal(t, fake.Invitations()[i].ID, results[i].InvitationID)
	}
}

// TestOnlyAnAnswerShowsThatClerkAccepts requests again: a row may end without a request.
func TestOnlyAnAnswerShowsThatClerkAccepts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		made clerk.CreateResult
		want bool
	}{
		{clerk.CreateResult{Outcome: clerk.OutcomeCreated}, true},
		{clerk.CreateResult{Outcome: clerk.OutcomeUserExists}, true},
		{clerk.CreateResult{Outcome: clerk.OutcomeRejected, Err: &clerk.ClerkErrors{}}, true},
		{clerk.CreateResult{Outcome: clerk.OutcomeRejected, Err: errors.New("email_address has no @")}, false},
		{clerk.CreateResult{Outcome: clerk.OutcomeAlreadyInvited}, false},
		{clerk.CreateResult{Outcome: clerk.OutcomeUnknown, Err: &clerk.ClerkErrors{}}, false},
	} {
		require.Equal(t, test.want, isAnswer(test.made), test.made)
	}
}
