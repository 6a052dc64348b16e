package clerk_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestCreateAllReportsOutcomesUnderFaults sends requests of all kinds with every fault
// injected.
func TestCreateAllReportsOutcomesUnderFaults(t *testing.T) {
	for seed := range uint64(soakSize(1, 2, 6)) {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprint(seed, ignoreExisting), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := limited(t, seed%2 == 0, clerktest.WithFaults(clerktest.FaultMix{Share: 0.2, Seed: seed}))
					n := soakSize(200, 500, 1000)
					requests := requestsFor(n, func(i int) clerk.CreateInvitationRequest {
						req := clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
						switch i % 50 {
						case 7:
							req.EmailAddress = fmt.Sprintf("user%d@example.com", i)
							l.fake.AddUser(req.EmailAddress)
							req.IgnoreExisting = false
						case 20:
							req.TemplateSlug = "none"
						}
						return req
					})
					start := time.Now()
					results, err := createAll(t, l.client, requests)
					require.NoError(t, err)
					require.Len(t, results, n)
					existing := invitationsByAddress(l.fake)
					for i, result := range results {
						invs := existing[result.Request.EmailAddress]
						switch i % 50 {
						case 7:
							require.Equal(t, clerk.OutcomeUserExists, result.Outcome)
							require.Empty(t, invs)
						case 20:
							require.Equal(t, clerk.OutcomeRejected, result.Outcome)
							require.Empty(t, invs)
						default:
							require.Equal(t, clerk.OutcomeCreated, result.Outcome)
							require.Len(t, invs, 1)
							require.Equal(t, invs[0].ID, result.Invitation.ID)
						}
					}
					t.Log(time.Since(start), len(l.fake.Requests()))
				})
			})
		}
	}
}

// Runs meet faults, partial bulks, lists that lag, latency, users, and requests that
// always fail, all at once.
func TestCreateAllAmongEverything(t *testing.T) {
	t.Parallel()
	for seed := range soakSize(6, 6, 200) {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprint(seed, "/", ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(uint64(seed), 2))
					limits := clerktest.ProductionRateLimits()
					limits.Sliding = seed%2 == 0
					fake := clerktest.New(clerktest.WithRateLimits(limits), clerktest.WithFaults(clerktest.FaultMix{
						Share: 0.15, Seed: uint64(seed), // the parts of bulks are creates
						Operations: []clerk.Operation{clerk.OperationList, clerk.OperationBulkCreate},
					}))
					names := []string{"422", "user exists", "422, cut off", "409", "500"}
					transport := partial(fake, func(_ int, addresses []string) (int, httpmock.Responder) {
						if random.IntN(8) > 0 || len(addresses) == 1 {
							return 0, nil
						}
						return random.IntN(len(addresses)), refusals[names[random.IntN(len(names))]]
					})
					transport = poisoned(transport, poisons["500"], guest(random.IntN(120)))
					transport = lagging(transport, time.Duration(random.IntN(3500))*time.Millisecond)
					transport = slowly(transport, func() time.Duration { return time.Duration(random.IntN(300)) * time.Millisecond })
					results, err := createAll(t, clientThrough(t, fake, transport), requestsFor(120, func(i int) clerk.CreateInvitationRequest {
						return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
					}))
					require.NoError(t, err)
					require.Len(t, results, 120)
					exist := invitationsByAddress(fake)
					for _, result := range results {
						invs := exist[result.Request.EmailAddress]
						require.LessOrEqual(t, len(invs), 1, "duplicated: %v", result)
						switch result.Outcome {
						case clerk.OutcomeCreated, clerk.OutcomeAlreadyInvited:
							require.Len(t, invs, 1, "lost: %v", result)
						case clerk.OutcomeRejected, clerk.OutcomeUserExists:
							require.Empty(t, invs, "%v", result)
						}
					}
				})
			})
		}
	}
}
