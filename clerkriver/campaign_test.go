package clerkriver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestCampaignIsSentAndReported(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	fake.AddUser("user@example.com")
	client, err := fake.Client()
	require.NoError(t, err)
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "old@example.com"})
	require.NoError(t, err)
	a := newApp(t, shared.database(t), Config{}, fake)
	require.Equal(t, 6, a.enqueue(t, "spring", to("a@example.com", "user@example.com", "old@example.com", "no address", "A@example.com", "b@example.com")))
	require.Equal(t, map[State]int{StateWaiting: 6}, a.counts(t, "spring"))

	a.start(t)
	s := a.wait(t, "spring", (*Status).Done)
	require.Equal(t, map[State]int{StateCreated: 2, StateAlreadyInvited: 1, StateRepeated: 1, StateUserExists: 1, StateRejected: 1}, s.Counts)
	made := fake.Invitations()
	require.Len(t, made, 3)
	results := a.all(t, "spring")
	for i := range results {
		require.WithinDuration(t, time.Now(), results[i].ChangedAt, time.Minute)
		results[i].ChangedAt = time.Time{}
	}
	require.Equal(t, []Result{
		{Campaign: "spring", Place: 0, EmailAddress: "a@example.com", State: StateCreated, InvitationID: made[1].ID},
		{Campaign: "spring", Place: 1, EmailAddress: "user@example.com", State: StateUserExists},
		{Campaign: "spring", Place: 2, EmailAddress: "old@example.com", State: StateAlreadyInvited, InvitationID: made[0].ID},
		{Campaign: "spring", Place: 3, EmailAddress: "no address", State: StateRejected, Problem: "clerk: CreateInvitation: email_address has no @"},
		{Campaign: "spring", Place: 4, EmailAddress: "A@example.com", State: StateRepeated, InvitationID: made[1].ID},
		{Campaign: "spring", Place: 5, EmailAddress: "b@example.com", State: StateCreated, InvitationID: made[2].ID},
	}, results)
}

// TestRejectedRowKeepsClerksWords: of a bulk that Clerk rejects, one row is to blame.
func TestRejectedRowKeepsClerksWords(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", to("a@example.com", "b..@@example.com", "c@example.com"))
	a.work(t)
	results := a.all(t, "spring")
	require.Equal(t, []State{StateCreated, StateRejected, StateCreated}, []State{results[0].State, results[1].State, results[2].State})
	require.Contains(t, results[1].Problem, "form_param_format_invalid: is invalid (email_address)")
}
