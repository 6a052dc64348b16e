package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestWritesReportTheirOutcomeUnderFaults has a thousand writes of each kind at once meet every fault, for several
// shares and seeds, and compares what they report with what stands: nothing is lost
// or doubled, and no write that stands is reported as failed.
func TestWritesReportTheirOutcomeUnderFaults(t *testing.T) {
	for _, share := range []float64{0.05, 0.2, 0.5} {
		for seed := range uint64(3) {
			for name, soak := range map[string]func(*testing.T, *clerk.Client, *clerktest.Fake) map[string]int{
				"create": soakCreate(false), "create, ignoring others": soakCreate(true),
				"bulk": soakBulk(false), "bulk, ignoring others": soakBulk(true), "revoke": soakRevoke,
			} {
				t.Run(fmt.Sprintf("%s/%v/%d", name, share, seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{Share: share, Seed: seed}))
						client := clientOf(t, fake)
						outcomes := soak(t, client, fake)
						t.Log(outcomes)
						// Now and then faults leave no time within the minute. By chance there
						// are more than this less than once in 10^5 runs.
						total := outcomes["done"] + outcomes["unknown"]
						require.Less(t, float64(outcomes["unknown"]), 0.1*share*float64(total)+5)
					})
				})
			}
		}
	}
}

// atOnce calls do with the numbers below n, all at once, and counts what came of it.
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
				t.Errorf("an error that does not tell the truth: %v", err)
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
		const n = 1000
		made := make([]*clerk.Invitation, n)
		failed := make([]error, n)
		outcomes := atOnce(t, n, func(i int) error {
			made[i], failed[i] = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
				EmailAddress: guest(i), IgnoreExisting: ignoreExisting,
			})
			return failed[i]
		})
		stand := invitationsByAddress(fake)
		for i := range n {
			invs := stand[guest(i)]
			require.LessOrEqual(t, len(invs), 1, "doubled")
			switch {
			case failed[i] == nil:
				require.Len(t, invs, 1, "lost")
				require.Equal(t, invs[0].ID, made[i].ID)
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
		const n, size = 100, clerk.MaxBulkInvitations
		made := make([][]clerk.Invitation, n)
		failed := make([]error, n)
		outcomes := atOnce(t, n, func(i int) error {
			reqs := make([]clerk.CreateInvitationRequest, size)
			for j := range reqs {
				reqs[j] = clerk.CreateInvitationRequest{EmailAddress: guest(i*size + j), IgnoreExisting: ignoreExisting}
			}
			made[i], failed[i] = client.Invitations.BulkCreate(context.Background(), reqs)
			return failed[i]
		})
		stand := invitationsByAddress(fake)
		for i := range n * size {
			invs := stand[guest(i)]
			require.LessOrEqual(t, len(invs), 1, "doubled")
			switch {
			case failed[i/size] == nil:
				require.Len(t, invs, 1, "lost")
				require.Equal(t, invs[0].ID, made[i/size][i%size].ID)
			case len(invs) == 1:
				require.ErrorIs(t, failed[i/size], clerk.ErrOutcomeUnknown)
			}
		}
		return outcomes
	}
}

func soakRevoke(t *testing.T, client *clerk.Client, fake *clerktest.Fake) map[string]int {
	t.Helper()
	const n = 1000
	made := make([]*clerk.Invitation, n)
	atOnce(t, n, func(i int) (err error) {
		made[i], err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		return err
	})
	failed := make([]error, n)
	outcomes := atOnce(t, n, func(i int) error {
		if made[i] == nil {
			return nil
		}
		_, failed[i] = client.Invitations.Revoke(context.Background(), made[i].ID)
		return failed[i]
	})
	for i := range n {
		if made[i] == nil {
			continue
		}
		inv := invitationsByAddress(fake)[guest(i)][0]
		switch {
		case failed[i] == nil:
			require.True(t, inv.Revoked, "lost")
		case inv.Revoked:
			require.ErrorIs(t, failed[i], clerk.ErrOutcomeUnknown)
		}
	}
	return outcomes
}
