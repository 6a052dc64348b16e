package clerk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestShortMaxElapsedTimeFindsOutcomes has a write be carried out and its response hang,
// with little time for the whole call.
func TestShortMaxElapsedTimeFindsOutcomes(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, 3 * time.Second, 9 * time.Second} {
		t.Run(limit.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				l.fake.Fail(clerk.OperationCreate, clerktest.FaultSlowAfter)
				inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true},
					clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: limit}}))
				require.NoError(t, err)
				require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
			})
		})
	}
}

// TestLongOutageEndsNobody has Clerk refuse or fail every write for long, in the middle of
// a run.
func TestLongOutageEndsNobody(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]httpmock.Responder{
		"429": reply(429, ``), "429 with Retry-After": reply(429, ``, "Retry-After", "3600"), "503": reply(503, ``), "reset": failing(http.ErrHandlerTimeout),
		"conflict": poisons["conflict"],
	} {
		for _, outage := range []time.Duration{10 * time.Minute, 3 * time.Hour, 20 * time.Hour}[:soakSize(2, 2, 3)] {
			for _, n := range []int{25, 11, 300}[:soakSize(1, 1, 3)] {
				t.Run(fmt.Sprint(name, "/", outage, "/", n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := limited(t, false)
						start, writes := time.Now(), 0
						client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
							if req.Method == http.MethodPost {
								if writes++; writes > 1 && time.Since(start) < outage {
									return answer(req)
								}
							}
							return l.fake.RoundTrip(req)
						}))
						results, err := createAll(t, client, guests(n))
						require.NoError(t, err)
						for _, result := range results {
							require.Equal(t, clerk.OutcomeCreated, result.Outcome, "%v", result)
						}
						require.Len(t, l.fake.Invitations(), n)
						require.LessOrEqual(t, time.Since(start), outage+4*time.Hour)
					})
				})
			}
		}
	}
}

// TestRestartsAmongFaults stops runs with IgnoreExisting at random times, among faults
// and while lists lag, and calls again at once, until all are invited.
func TestRestartsAmongFaults(t *testing.T) {
	t.Parallel()
	for seed := range soakSize(12, 12, 300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{Share: 0.2, Seed: uint64(seed)}))
				random := rand.New(rand.NewPCG(uint64(seed), 1))
				client := clientThrough(t, fake, lagging(slowly(fake, func() time.Duration { return time.Duration(random.IntN(200)) * time.Millisecond }), 2*time.Second))
				requests := requestsFor(150, func(i int) clerk.CreateInvitationRequest {
					return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
				})
				for run := range 30 {
					ctx, cancel := context.WithCancel(t.Context())
					timer := time.AfterFunc(time.Duration(random.IntN(20000))*time.Millisecond, cancel)
					var failure error
					for _, err := range client.Invitations.CreateAll(ctx, requests) {
						failure = err
					}
					timer.Stop()
					cancel()
					for address, invs := range invitationsByAddress(fake) {
						require.Len(t, invs, 1, "duplicated %s in run %d", address, run)
					}
					if failure == nil {
						break
					}
				}
			})
		})
	}
}
