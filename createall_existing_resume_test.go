package clerk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestStoppedRunTellsUnknown cancels runs among faults at many times. If an invitation exists
// that no result has, the error matches ErrOutcomeUnknown.
func TestStoppedRunTellsUnknown(t *testing.T) {
	t.Parallel()
	for _, ignoreExisting := range []bool{false, true} {
		for _, share := range []float64{0.2, 0.5} {
			t.Run(fmt.Sprint(ignoreExisting, "/", share), func(t *testing.T) {
				for i := range soakSize(15, 15, 500) {
					synctest.Test(t, func(t *testing.T) {
						limits := clerktest.ProductionRateLimits()
						l := lifeWith(t, clerktest.WithRateLimits(limits), clerktest.WithFaults(clerktest.FaultMix{Share: share, Seed: uint64(i)}))
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						at := time.Duration(i) * 97 * time.Millisecond
						if i%3 == 0 {
							at = time.Duration(i) * 41 * time.Second
						}
						timer := time.AfterFunc(at, cancel)
						defer timer.Stop()
						transport := slowly(l.fake, func() time.Duration { return rand.N(100 * time.Millisecond) })
						requireStopIsTold(t, ctx, l, clientThrough(t, l.fake, transport), ignoreExisting)
					})
				}
			})
		}
	}
}

func requireStopIsTold(t *testing.T, ctx context.Context, l life, client *clerk.Client, ignoreExisting bool) { //nolint:revive // t comes first
	t.Helper()
	const n = 250
	outcomes := map[string]clerk.CreateResult{}
	var failure error
	for result, err := range client.Invitations.CreateAll(ctx, requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
	})) {
		if err != nil {
			failure = err
		} else {
			outcomes[result.Request.EmailAddress] = result
		}
	}
	hidden := 0
	for address, invs := range invitationsByAddress(l.fake) {
		require.Len(t, invs, 1, "duplicated")
		result, ok := outcomes[address]
		switch {
		case !ok:
			hidden++
		case result.Outcome == clerk.OutcomeCreated:
			require.Equal(t, invs[0].ID, result.Invitation.ID)
		default:
			require.Equal(t, clerk.OutcomeUnknown, result.Outcome, "%v", result)
		}
	}
	if hidden > 0 {
		require.ErrorIs(t, failure, clerk.ErrOutcomeUnknown, "%d invitations exist that no result has", hidden)
	}
	if failure == nil {
		require.Len(t, outcomes, n)
	} else {
		require.ErrorIs(t, failure, context.Canceled)
	}
}

// TestRestartAtOnceDuplicatesNobody breaks runs with IgnoreExisting off, and calls again
// with the same requests at once, while lists lag.
func TestRestartAtOnceDuplicatesNobody(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, time.Second, 3 * time.Second, 4500 * time.Millisecond} {
		for _, since := range []bool{false, true} {
			for _, by := range []string{"break", "cancel", "kill"} {
				t.Run(fmt.Sprint(lag, "/", since, "/", by), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := lifeWith(t)
						time.Sleep(rand.N(time.Second))
						start := time.Now()
						client := clientThrough(t, l.fake, lagging(l.fake, lag))
						var opts []clerk.CreateAllOption
						if since {
							opts = append(opts, clerk.WithSkipSince(start))
						}
						requests := requestsFor(300, func(i int) clerk.CreateInvitationRequest {
							return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
						})
						stopAfter(t, client, requests, 230, by, opts...)
						require.GreaterOrEqual(t, len(l.fake.Invitations()), 230)
						results, err := createAll(t, client, requests, opts...)
						require.NoError(t, err)
						require.Len(t, results, 300)
						for _, invs := range invitationsByAddress(l.fake) {
							require.Len(t, invs, 1, "duplicated")
						}
						require.Len(t, l.fake.Invitations(), 300)
					})
				})
			}
		}
	}
}

func stopAfter(t *testing.T, client *clerk.Client, requests func(func(clerk.CreateInvitationRequest) bool), n int, by string, opts ...clerk.CreateAllOption) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	defer func() {
		if by == "kill" {
			require.Equal(t, "killed", recover())
		}
	}()
	done := 0
	for _, err := range client.Invitations.CreateAll(ctx, requests, opts...) {
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			continue
		}
		if done++; done != n {
			continue
		}
		switch by {
		case "break":
			return
		case "cancel":
			cancel()
		case "kill":
			panic("killed")
		}
	}
}

// The process ends while a response is under way.
func TestRestartAfterLostResponse(t *testing.T) {
	t.Parallel()
	for seed := range soakSize(10, 10, 40) {
		synctest.Test(t, func(t *testing.T) {
			l := lifeWith(t)
			lost := seed + 3
			n := 0
			transport := lagging(roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := l.fake.RoundTrip(req)
				if n++; req.Method == http.MethodPost && n == lost {
					panic("killed")
				}
				return resp, err
			}), 3*time.Second)
			client := clientThrough(t, l.fake, transport)
			requests := requestsFor(300, func(i int) clerk.CreateInvitationRequest {
				return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
			})
			func() {
				defer func() { require.Equal(t, "killed", recover()) }()
				for _, err := range client.Invitations.CreateAll(t.Context(), requests) {
					require.NoError(t, err)
				}
			}()
			_, err := createAll(t, client, requests)
			require.NoError(t, err)
			require.Len(t, l.fake.Invitations(), 300)
		})
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

// TestCreateAllResumesAfterAKill kills a run at random points, before or after Clerk has
// carried out the request, and starts it again with the same requests until it ends.
func TestCreateAllResumesAfterAKill(t *testing.T) {
	t.Parallel()
	for seed := range uint64(soakSize(4, 4, 20)) {
		for _, ignoreExisting := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				l := limited(t, false)
				const n = 500
				requests := requestsFor(n, func(i int) clerk.CreateInvitationRequest {
					return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
				})
				opts := []clerk.CreateAllOption{}
				if ignoreExisting {
					old := l.invite(t, guest(3)) // of an older campaign; it must not be skipped
					require.NotEmpty(t, old)
					opts = append(opts, clerk.WithSkipSince(time.Now()))
				}
				runs, reported := 0, map[int]bool{}
				for done := false; !done; runs++ {
					func() {
						defer func() {
							if p := recover(); p != nil {
								require.Equal(t, errKilled, p)
							}
						}()
						client := l.mortal(t, random)
						for result, err := range client.Invitations.CreateAll(t.Context(), requests, opts...) {
							require.NoError(t, err)
							if result.Outcome == clerk.OutcomeCreated {
								require.False(t, reported[result.Index])
								reported[result.Index] = true
							} else {
								require.Equal(t, clerk.OutcomeAlreadyInvited, result.Outcome)
							}
						}
						done = true
					}()
					time.Sleep(time.Duration(random.Int64N(int64(time.Hour))))
				}
				for address, invs := range invitationsByAddress(l.fake) {
					if ignoreExisting && address == guest(3) {
						invs = invs[1:]
					}
					require.Len(t, invs, 1, address)
				}
				require.Greater(t, runs, 1)
				t.Log(runs, len(reported))
			})
		}
	}
}

// TestRunFindsItsOwnInvitationBesideAnOlderOne: a bulk is refused after it was carried out,
// lists do not show that yet, and the address of the next request has an expired invitation.
// The expired one explains the refusal as a duplicate only if none of the run's own shows up
// in the grace time.
func TestRunFindsItsOwnInvitationBesideAnOlderOne(t *testing.T) {
	for created, want := range map[int]clerk.Outcome{0: clerk.OutcomeAlreadyInvited, 1: clerk.OutcomeCreated} {
		t.Run(want.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				require.NoError(t, l.fake.Expire(l.invite(t, guest(0)).ID))
				time.Sleep(time.Hour)
				bulks := partial(l.fake, func(int, []string) (int, httpmock.Responder) { return created, refusals["422"] })
				var refused time.Time
				next := lagging(bulks, 4*time.Second)
				client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodPost && req.URL.Path == "/v1/invitations" && slices.Contains(addressesIn(req), guest(0)) {
						refused = time.Now()
						return reply(400, `{"errors":[{"code":"duplicate_record","meta":{"email_addresses":["`+guest(0)+`"]}}]}`)(req)
					}
					return next.RoundTrip(req)
				}))
				for result, err := range client.Invitations.CreateAll(t.Context(), guests(2), clerk.WithSkipSince(time.Now())) {
					require.NoError(t, err)
					if result.Request.EmailAddress != guest(0) {
						continue
					}
					require.Equal(t, want, result.Outcome)
					if created == 0 {
						require.Equal(t, 5*time.Second, time.Since(refused))
						require.Equal(t, clerk.InvitationStatusExpired, result.Existing.Status)
					}
				}
				require.NotZero(t, refused)
			})
		})
	}
}
