package clerktest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRevokeAndDeleteInTheDashboard(t *testing.T) {
	fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
		Share: 1, Operations: []clerk.Operation{clerk.OperationRevoke, clerk.OperationDelete},
	}))
	inv := invite(t, fake, "ada@example.com")
	require.NoError(t, fake.Revoke(inv.ID))
	require.EqualError(t, fake.Revoke(inv.ID),
		"clerktest: invitation "+inv.ID+": invitation_already_revoked: Invitation is already revoked")
	require.NoError(t, fake.Delete(inv.ID))
	require.ErrorContains(t, fake.Delete(inv.ID), "resource_not_found")
	require.Len(t, fake.Requests(), 1)
}

func TestRemoveUser(t *testing.T) {
	client, fake := clerktest.NewClient(t)
	fake.AddUser("ada@example.com")
	_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "Ada@example.com"})
	require.ErrorIs(t, err, clerk.ErrUserExists)
	require.True(t, fake.RemoveUser("ADA@example.com"))
	require.False(t, fake.RemoveUser("ada@example.com"))
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "Ada@example.com"})
	require.NoError(t, err)
}
