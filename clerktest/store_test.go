package clerktest_test

import (
	"fmt"
	"runtime"
	"strings"
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

		second := invite(t, fake, "ada@example.com") // the address of an expired invitation can be invited again
		require.NoError(t, fake.Expire(second.ID))
		require.Equal(t, clerk.InvitationStatusExpired, fake.Invitations()[1].Status)
		require.ErrorContains(t, fake.Expire(second.ID), "is expired")
		require.ErrorContains(t, fake.Expire("inv_9"), "no invitation")
	})
}

// TestCreateAndDeleteLeaveNothingBehind measures the heap after many invitations were
// created and deleted.
func TestCreateAndDeleteLeaveNothingBehind(t *testing.T) {
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	fake := clerktest.New()
	invite(t, fake, "kept@example.com")
	before := heap()
	for round := range 2 {
		var seed strings.Builder
		for i := range 5_000 {
			fmt.Fprintf(&seed, `{"invitation":{"email_address":"%d.a%d@example.com"}}`, round, i)
		}
		require.NoError(t, fake.Load(strings.NewReader(seed.String())))
		for _, inv := range fake.Invitations() {
			if inv.EmailAddress != "kept@example.com" {
				require.NoError(t, fake.Delete(inv.ID))
			}
		}
	}
	require.Len(t, fake.Invitations(), 1)
	require.Less(t, int64(heap())-int64(before), int64(200<<10))
	require.ErrorIs(t, create(t, fake, "kept@example.com"), clerk.ErrDuplicateInvitation)
}
