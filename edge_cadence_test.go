package clerk_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestCreateOutlastsAmbiguousFailures has the first requests of each Create with
// IgnoreExisting fail ambiguously, without being carried out.
func TestCreateOutlastsAmbiguousFailures(t *testing.T) {
	t.Parallel()
	n := soakSize(100, 100, 300)
	for _, fault := range []clerktest.Fault{clerktest.FaultErrorBefore, clerktest.FaultDropBefore} {
		for failures, limit := range map[int]time.Duration{
			1: 7 * time.Second, 2: 13 * time.Second, 3: 19 * time.Second, 4: 26 * time.Second,
		} {
			t.Run(fmt.Sprint(fault, " ", failures), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var total, longest time.Duration
					for range n {
						l := newLife(t)
						l.fake.Fail(clerk.OperationCreate, slices.Repeat([]clerktest.Fault{fault}, failures)...)
						start := time.Now()
						inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
						require.NoError(t, err)
						require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
						total += time.Since(start)
						longest = max(longest, time.Since(start))
					}
					mean := total / time.Duration(n)
					t.Logf("mean %s, longest %s", mean, longest)
					require.LessOrEqual(t, mean, limit)
				})
			})
		}
	}
}

// TestFaultMix has every operation meet every fault, and measures how long a Create with
// IgnoreExisting takes.
func TestFaultMix(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for seed := range soakSize(1, 1, 30) {
		synctest.Test(t, func(t *testing.T) {
			l := lifeWith(t, clerktest.WithFaults(clerktest.FaultMix{Share: 0.2, Seed: uint64(seed)}))
			took = append(took, mixedCalls(t, l)...)
		})
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[len(took)*percent/100] }
	t.Logf("%d creates: p50 %s, p90 %s, p98 %s, p99 %s, max %s", len(took), at(50), at(90), at(98), at(99), took[len(took)-1])
	// Of the few calls of one seed, the slowest in a hundred vary too much.
	require.LessOrEqual(t, at(98), 11*time.Second)
	if len(took) > 10_000 {
		require.LessOrEqual(t, at(99), 11*time.Second)
	}
}

// mixedCalls makes 950 calls one after the other, checks that each one succeeds with the
// invitations that exist, and returns how long the creates with IgnoreExisting took.
func mixedCalls(t *testing.T, l life) (took []time.Duration) {
	t.Helper()
	ctx := context.Background()
	var ids []string
	expected := 0
	for i := range 350 {
		start := time.Now()
		inv, err := l.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true})
		require.NoError(t, err, "create %d", i)
		took = append(took, time.Since(start))
		ids = append(ids, inv.ID)
		expected++
		require.Len(t, l.fake.Invitations(), expected)
	}
	for i := range 250 {
		_, err := l.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: guest(1000 + i)})
		require.NoError(t, err, "create %d", i)
		expected++
		require.Len(t, l.fake.Invitations(), expected)
	}
	for i := range 100 {
		invs, err := l.client.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{
			{EmailAddress: guest(2000 + 2*i), IgnoreExisting: i%2 == 0}, {EmailAddress: guest(2001 + 2*i)},
		})
		require.NoError(t, err, "bulk %d", i)
		expected += 2
		require.Len(t, l.fake.Invitations(), expected)
		require.Equal(t, l.fake.Invitations()[expected-2:], invs)
	}
	for _, id := range ids[:250] {
		inv, err := l.client.Invitations.Revoke(ctx, id)
		require.NoError(t, err)
		require.True(t, inv.Revoked)
	}
	return took
}
