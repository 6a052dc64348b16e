package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// soakSize returns how much a soak test does: full if CLERK_SOAK is set, as in CI, and less
// by default and with -short.
func soakSize(short, normal, full int) int {
	switch {
	case os.Getenv("CLERK_SOAK") != "":
		return full
	case testing.Short():
		return short
	}
	return normal
}

// TestWritesReportTheirOutcomeUnderFaults makes many concurrent writes of each kind with
// every fault injected, and compares what they report with the existing invitations.
// Nothing is lost or duplicated, and no write that succeeded is reported as failed.
func TestWritesReportTheirOutcomeUnderFaults(t *testing.T) {
	for _, share := range []float64{0.05, 0.2, 0.5} {
		for seed := range uint64(soakSize(1, 1, 3)) {
			for name, soak := range map[string]func(*testing.T, *clerk.Client, *clerktest.Fake) map[string]int{
				"create": soakCreate(false), "create, ignoring others": soakCreate(true),
				"bulk": soakBulk(false), "bulk, ignoring others": soakBulk(true), "revoke": soakRevoke,
			} {
				t.Run(fmt.Sprintf("%s/%v/%d", name, share, seed), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{Share: share, Seed: seed}))
						client := clientOf(t, fake)
						outcomes := soak(t, client, fake)
						t.Log(outcomes)
						// Sometimes faults leave no time within the minute. There are more than
						// this by chance in less than one of 10^5 runs.
						total := outcomes["done"] + outcomes["unknown"]
						require.Less(t, float64(outcomes["unknown"]), 0.1*share*float64(total)+5)
					})
				})
			}
		}
	}
}

// atOnce calls do concurrently with the numbers below n, and counts the outcomes.
func atOnce(t *testing.T, n int, do func(i int) error) map[string]int {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	outcomes := map[string]int{}
	for i := range n {
		group.Go(func() {
			err := do(i)
			outcome := "done"
			switch {
			case err == nil:
			case errors.Is(err, clerk.ErrOutcomeUnknown):
				outcome = "unknown"
			case errors.Is(err, clerk.ErrRateLimited):
				outcome = "rate limited"
			default:
				t.Errorf("an error that does not report the outcome: %v", err)
			}
			mu.Lock()
			outcomes[outcome]++
			mu.Unlock()
		})
	}
	group.Wait()
	return outcomes
}

func soakCreate(ignoreExisting bool) func(*testing.T, *clerk.Client, *clerktest.Fake) map[string]int {
	return func(t *testing.T, client *clerk.Client, fake *clerktest.Fake) map[string]int {
		t.Helper()
		n := soakSize(100, 300, 1000)
		created := make([]*clerk.Invitation, n)
		failed := make([]error, n)
		outcomes := atOnce(t, n, func(i int) error {
			created[i], failed[i] = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
				EmailAddress: guest(i), IgnoreExisting: ignoreExisting,
			})
			return failed[i]
		})
		existing := invitationsByAddress(fake)
		for i := range n {
			invs := existing[guest(i)]
			require.LessOrEqual(t, len(invs), 1, "duplicated")
			switch {
			case failed[i] == nil:
				require.Len(t, invs, 1, "lost")
				require.Equal(t, invs[0].ID, created[i].ID)
			case len(invs) == 1:
				require.ErrorIs(t, failed[i], clerk.ErrOutcomeUnknown)
			}
		}
		return outcomes
	}
}

func soakBulk(ignoreExisting bool) func(*testing.T, *clerk.Client, *clerktest.Fake) map[string]int {
	return func(t *testing.T, client *clerk.Client, fake *clerktest.Fake) map[string]int {
		t.Helper()
		const size = clerk.MaxBulkInvitations
		n := soakSize(10, 30, 100)
		created := make([][]clerk.Invitation, n)
		failed := make([]error, n)
		outcomes := atOnce(t, n, func(i int) error {
			reqs := make([]clerk.CreateInvitationRequest, size)
			for j := range reqs {
				reqs[j] = clerk.CreateInvitationRequest{EmailAddress: guest(i*size + j), IgnoreExisting: ignoreExisting}
			}
			created[i], failed[i] = client.Invitations.BulkCreate(context.Background(), reqs)
			return failed[i]
		})
		existing := invitationsByAddress(fake)
		for i := range n * size {
			invs := existing[guest(i)]
			require.LessOrEqual(t, len(invs), 1, "duplicated")
			switch {
			case failed[i/size] == nil:
				require.Len(t, invs, 1, "lost")
				require.Equal(t, invs[0].ID, created[i/size][i%size].ID)
			case len(invs) == 1:
				require.ErrorIs(t, failed[i/size], clerk.ErrOutcomeUnknown)
			}
		}
		return outcomes
	}
}

func soakRevoke(t *testing.T, client *clerk.Client, fake *clerktest.Fake) map[string]int {
	t.Helper()
	n := soakSize(100, 300, 1000)
	created := make([]*clerk.Invitation, n)
	atOnce(t, n, func(i int) (err error) {
		created[i], err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		return err
	})
	failed := make([]error, n)
	outcomes := atOnce(t, n, func(i int) error {
		if created[i] == nil {
			return nil
		}
		_, failed[i] = client.Invitations.Revoke(context.Background(), created[i].ID)
		return failed[i]
	})
	existing := invitationsByAddress(fake)
	for i := range n {
		if created[i] == nil {
			continue
		}
		inv := existing[guest(i)][0]
		switch {
		case failed[i] == nil:
			require.True(t, inv.Revoked, "lost")
		case inv.Revoked:
			require.ErrorIs(t, failed[i], clerk.ErrOutcomeUnknown)
		}
	}
	return outcomes
}

// The first requests of each Create with IgnoreExisting fail ambiguously, and are not
// carried out.
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

// Every operation meets every fault, and the time that a Create with IgnoreExisting takes
// is measured.
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
