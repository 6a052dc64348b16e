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

func TestStateFiltersAndSkips(t *testing.T) {
	fake := clerktest.New()
	for i := range 6 {
		invite(t, fake, fmt.Sprintf("a%d@example.com", i))
		require.NoError(t, fake.AddUser(fmt.Sprintf("user%d@example.com", i)))
	}
	require.NoError(t, fake.Expire(fake.Invitations()[1].ID))
	require.NoError(t, fake.Expire(fake.Invitations()[2].ID))
	addresses := func(filter clerktest.Filter) (found []string) {
		for _, inv := range fake.State(filter).Invitations {
			found = append(found, inv.EmailAddress)
		}
		return found
	}
	require.Equal(t, []string{"a2@example.com", "a1@example.com"}, addresses(clerktest.Filter{Status: "expired", Limit: 9}))
	require.Equal(t, []string{"a1@example.com"}, addresses(clerktest.Filter{Status: "expired", Limit: 9, Skip: clerktest.Skip{Invitations: 1}}))
	require.Empty(t, addresses(clerktest.Filter{Limit: 9, Skip: clerktest.Skip{Invitations: 6}}))
	s := fake.State(clerktest.Filter{Query: "a", Limit: 2, Skip: clerktest.Skip{Emails: 1, Users: 4, Requests: 5}})
	require.Equal(t, "a4@example.com", s.Emails[0].EmailAddress)
	require.Equal(t, "user0@example.com", s.Users[1].EmailAddress)
	require.Len(t, s.Requests, 1)
	require.Equal(t, 1, s.Requests[0].Number)
	require.Empty(t, fake.State(clerktest.Filter{Query: "none", Limit: 2}).Emails)

	inv, ok := fake.Invitation(s.Invitations[0].ID)
	require.True(t, ok)
	require.Equal(t, s.Invitations[0], inv)
	_, ok = fake.Invitation("inv_none")
	require.False(t, ok)
}
