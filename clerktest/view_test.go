package clerktest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestState(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
	for i := range 5 {
		invite(t, fake, fmt.Sprintf("a%d@example.com", i))
	}
	require.NoError(t, fake.Accept(fake.Invitations()[1].ID))
	require.NoError(t, fake.Expire(fake.Invitations()[2].ID))
	s := fake.State(clerktest.Filter{Limit: 2})
	require.Equal(t, map[clerk.InvitationStatus]int{"pending": 3, "accepted": 1, "expired": 1}, s.Counts)
	require.Len(t, s.Invitations, 2)
	require.Equal(t, "a4@example.com", s.Invitations[0].EmailAddress)
	require.True(t, s.Invitations[0].Emailed)
	require.Len(t, s.Emails, 2)
	require.Equal(t, "a4@example.com", s.Emails[0].EmailAddress)
	require.Len(t, s.Users, 1)
	require.Equal(t, []int{5, 4}, []int{s.Requests[0].Number, s.Requests[1].Number})
	require.Equal(t, 5, s.Limits.Creates.Used)
	require.Equal(t, 5, fake.RateLimitUsage().Requests.Used)
	require.Len(t, fake.State(clerktest.Filter{Query: "A3@", Limit: 9}).Invitations, 1)
	fake.ResetRateLimits()
	require.Zero(t, fake.RateLimitUsage().Creates.Used)
}
