package clerk_test

import (
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// guests is n requests.
func guests(n int) iter.Seq[clerk.CreateInvitationRequest] {
	return func(yield func(clerk.CreateInvitationRequest) bool) {
		for i := range n {
			if !yield(clerk.CreateInvitationRequest{EmailAddress: guest(i)}) {
				return
			}
		}
	}
}

func TestCreateAllSmoke(t *testing.T) {
	for _, n := range []int{1, 7, 10, 15, 340, 341, 1000, 5000, 10000} {
		for _, sliding := range []bool{false, true} {
			t.Run(fmt.Sprint(n, sliding), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					limits := clerktest.ProductionRateLimits()
					limits.Sliding = sliding
					fake := clerktest.New(clerktest.WithRateLimits(limits))
					client, err := fake.Client()
					require.NoError(t, err)
					start := time.Now()
					got := 0
					for res, err := range client.Invitations.CreateAll(t.Context(), guests(n)) {
						require.NoError(t, err)
						require.Equal(t, clerk.OutcomeCreated, res.Outcome)
						got++
					}
					require.Equal(t, n, got)
					refused := 0
					for _, r := range fake.Requests() {
						if r.Status != 200 {
							refused++
						}
					}
					t.Log(time.Since(start), len(fake.Requests()), refused)
				})
			})
		}
	}
}
