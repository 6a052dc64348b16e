package clerktest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// TestChangesAtATime: scheduled changes happen in the order of their times, whatever the order
// in which a test schedules them.
func TestChangesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		start := time.Now()
		var ids []string
		for i := range 4 {
			ids = append(ids, invite(t, fake, fmt.Sprintf("a%d@example.com", i)).ID)
		}
		require.NoError(t, fake.RevokeAt(ids[2], start.Add(3*time.Hour)))
		require.NoError(t, fake.AcceptAt(ids[0], start.Add(time.Hour)))
		require.NoError(t, fake.ExpireAt(ids[1], start.Add(2*time.Hour)))
		require.NoError(t, fake.AcceptAt(ids[1], start.Add(3*time.Hour))) // too late
		require.NoError(t, fake.RevokeAt(ids[0], start.Add(3*time.Hour))) // too late
		require.NoError(t, fake.AcceptAt(ids[3], start.Add(4*time.Hour)))
		require.NoError(t, fake.Delete(ids[3]))
		for _, want := range []string{
			"pending pending pending", "accepted pending pending", "accepted expired pending", "accepted expired revoked", "accepted expired revoked",
		} {
			require.Equal(t, want, statuses(fake))
			time.Sleep(time.Hour)
		}
		require.Equal(t, clerk.UnixMilli(start.Add(time.Hour).UnixMilli()), fake.Invitations()[0].UpdatedAt)
		require.Len(t, fake.Users(), 1)
		require.Equal(t, fake.Invitations()[0].UpdatedAt, fake.Users()[0].CreatedAt)
		require.Error(t, fake.AcceptAt("inv_9", start))
		require.ErrorContains(t, fake.RevokeAt(ids[0], start), "is accepted")
	})
}

func TestChangesAtATimeInThePast(t *testing.T) {
	fake := clerktest.New()
	inv := invite(t, fake, "ada@example.com")
	yesterday := time.Now().Add(-24 * time.Hour)
	require.NoError(t, fake.AcceptAt(inv.ID, yesterday))
	require.Equal(t, clerk.UnixMilli(yesterday.UnixMilli()), fake.Invitations()[0].UpdatedAt)
	require.Equal(t, "accepted", statuses(fake))
	old := invite(t, fake, "old@example.com")
	require.NoError(t, fake.ExpireAt(old.ID, yesterday))
	require.Equal(t, "accepted expired", statuses(fake))
}

func TestResetDropsChangesToCome(t *testing.T) {
	fake := clerktest.New()
	inv := invite(t, fake, "ada@example.com")
	require.NoError(t, fake.AcceptAt(inv.ID, fake.Now().Add(time.Hour)))
	fake.Reset()
	fake.Advance(time.Hour)
	require.Empty(t, fake.Users())
}

func TestAdvance(t *testing.T) {
	fake := clerktest.New(
		clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: 2, Per: time.Hour}}),
		clerktest.WithBehavior(clerktest.Behavior{ListLag: time.Minute}))
	first := invite(t, fake, "ada@example.com")
	second := invite(t, fake, "bob@example.com")
	require.NoError(t, fake.AcceptAt(second.ID, fake.Now().Add(24*time.Hour)))
	_, listed := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, "[]", listed)
	fake.Advance(time.Minute)
	resp, listed := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 2, strings.Count(listed, `"pending"`))
	date, err := http.ParseTime(resp.Header.Get("Date"))
	require.NoError(t, err)
	require.InDelta(t, time.Minute.Seconds(), time.Until(date).Seconds(), 5)
	require.Equal(t, 2, fake.RateLimitUsage().Creates.Used)
	fake.Advance(time.Hour)
	require.GreaterOrEqual(t, invite(t, fake, "cid@example.com").CreatedAt.Time().Sub(first.CreatedAt.Time()), time.Hour)
	fake.Advance(24 * time.Hour)
	require.Equal(t, "pending accepted pending", statuses(fake))
	fake.Advance(30 * 24 * time.Hour)
	require.Equal(t, "expired accepted expired", statuses(fake))
	require.Panics(t, func() { fake.Advance(-1) })
}
