package clerk_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestResendCreatesThenRevokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
			EmailAddress: address, PublicMetadata: map[string]any{"seat": uint64(1<<64 - 1)},
		})
		require.NoError(t, err)
		inv, err := l.client.Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{ExpiresInDays: 7})
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
		require.Equal(t, address, inv.EmailAddress)
		require.Equal(t, `{"seat":18446744073709551615}`, string(inv.PublicMetadata))
		require.Equal(t, inv.CreatedAt+7*24*3600*1000-2, inv.ExpiresAt)
		require.True(t, l.fake.Invitations()[0].Revoked)

		// Creating fails: nothing changes.
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{ExpiresInDays: 1000})
		require.Equal(t, clerk.CodeFormParamValueInvalid, asClerkErrors(t, err).Errors[0].Code)
		require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{}, once)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
		require.Len(t, l.fake.Invitations(), 2)
		require.False(t, l.fake.Invitations()[1].Revoked)

		// Revoking fails: both links work.
		l.fake.Fail(clerk.OperationRevoke, clerktest.FaultErrorBefore)
		again, err := l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{}, once)
		require.ErrorIs(t, err, clerk.ErrOldNotRevoked)
		require.ErrorContains(t, err, "created "+again.ID+", but did not revoke the old invitation: ")
		require.Equal(t, l.fake.Invitations()[2], *again)
		for _, both := range l.fake.Invitations()[1:] {
			require.Equal(t, clerk.InvitationStatusPending, both.Status)
		}

		// A revoked invitation is re-created.
		_, err = l.client.Invitations.Revoke(t.Context(), inv.ID)
		require.NoError(t, err)
		again, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{})
		require.NoError(t, err)
		require.Equal(t, inv.PublicMetadata, again.PublicMetadata)

		// What cannot be resent does not change.
		require.NoError(t, l.fake.Accept(again.ID))
		_, err = l.client.Invitations.Resend(t.Context(), again.ID, clerk.CreateInvitationRequest{})
		require.ErrorIs(t, err, clerk.ErrAlreadyAccepted)
		_, err = l.client.Invitations.Resend(t.Context(), "inv_9", clerk.CreateInvitationRequest{})
		require.ErrorIs(t, err, clerk.ErrNotFound)
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{PublicMetadata: map[string]any{"c": make(chan int)}})
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.Len(t, l.fake.Invitations(), 4)
	})
}

// TestResendKnowsTheOldInvitation has a Resend right after the Create, whose own create
// fails: the old invitation must not be taken for the new one, and revoked.
func TestResendKnowsTheOldInvitation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		inv, err := l.client.Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{})
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
		require.Equal(t, clerk.InvitationStatusPending, l.fake.Invitations()[1].Status)
	})
}
