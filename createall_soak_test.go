package clerk_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

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
