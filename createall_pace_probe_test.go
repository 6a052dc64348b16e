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

// TestOutageCostsARunItsOwnLength: all writes fail for a while from the start of a run, or
// all requests in its middle. Creates test whether Clerk is back.
func TestOutageCostsARunItsOwnLength(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{time.Minute, 10 * time.Minute} {
		for _, isCounted := range []bool{false, true} {
			for _, begins := range []time.Duration{0, 7 * time.Second} {
				for _, ignoreExisting := range []bool{false, true} {
					for _, sliding := range []bool{false, true} {
						t.Run(fmt.Sprint(outage, "/counted=", isCounted, "/after ", begins, "/", ignoreExisting, sliding), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								testOutageOfARun(t, outage, isCounted, begins, ignoreExisting, sliding)
							})
						})
					}
				}
			}
		}
	}
}

func testOutageOfARun(t *testing.T, outage time.Duration, isCounted bool, begins time.Duration, ignoreExisting, sliding bool) {
	t.Helper()
	const n = 340
	l := limited(t, sliding, clerktest.WithLatency(200*time.Millisecond), clerktest.WithBehavior(clerktest.Behavior{FaultsUncounted: !isCounted}))
	down := clerktest.FaultMix{Share: 1, Responses: []clerktest.Response{{Status: 503}}}
	if begins == 0 { // otherwise the run would fail
		down.Operations = []clerk.Operation{clerk.OperationCreate, clerk.OperationBulkCreate}
	}
	start := time.Now()
	time.AfterFunc(begins, func() { l.fake.SetFaults(down) })
	time.AfterFunc(begins+outage, l.fake.ClearFaults)
	limit := 5 * time.Minute
	if outage > limit {
		limit = 15 * time.Minute
	}
	results, soon := 0, 0
	for result, err := range l.client.Invitations.CreateAll(t.Context(), requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
	})) {
		require.NoError(t, err)
		require.Equal(t, clerk.OutcomeCreated, result.Outcome)
		results++
		if time.Since(start) <= limit {
			soon = results
		}
	}
	t.Logf("%d soon, all after %s, failed %d, limited %d", soon, time.Since(start), l.status(503), l.status(429))
	require.Equal(t, n, results)
	require.Len(t, l.fake.Invitations(), n)
	lost := map[clerk.Operation]int{}
	for _, req := range l.fake.Requests() {
		if req.Status == 503 {
			lost[req.Operation]++
		}
	}
	require.LessOrEqual(t, lost[clerk.OperationCreate], 10)
	require.LessOrEqual(t, lost[clerk.OperationBulkCreate], 1)
	if !isCounted {
		require.LessOrEqual(t, time.Since(start), limit)
		return
	}
	require.GreaterOrEqual(t, soon, 240)
	require.LessOrEqual(t, time.Since(start), limit+time.Hour)
}
