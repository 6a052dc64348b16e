package clerktest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestInvitationsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		status := func() clerk.InvitationStatus { return fake.Invitations()[0].Status }
		first := invite(t, fake, "ada@example.com")
		time.Sleep(30*24*time.Hour - 3*time.Millisecond)
		require.Equal(t, clerk.InvitationStatusPending, status())
		time.Sleep(time.Millisecond)
		require.Equal(t, clerk.InvitationStatusExpired, status())
		require.ErrorContains(t, fake.Accept(first.ID), "is expired")

		second := invite(t, fake, "ada@example.com") // the address of an expired one can be invited
		require.NoError(t, fake.Expire(second.ID))
		require.Equal(t, clerk.InvitationStatusExpired, fake.Invitations()[1].Status)
		require.ErrorContains(t, fake.Expire(second.ID), "is expired")
		require.ErrorContains(t, fake.Expire("inv_9"), "no invitation")
	})
}
