package clerk_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestCreateAllResumesAfterAKill kills a run at random points, before or after Clerk has
// carried out the request, and starts it again with the same requests until it ends.
func TestCreateAllResumesAfterAKill(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
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
					old := l.invite(t, guest(3)) // of an older campaign, and not to be skipped
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

func TestCreateAllSkipsExistingInvitations(t *testing.T) {
	for name, test := range map[string]struct {
		opts     func(since time.Time) []clerk.CreateAllOption
		skipped  int
		listings int
	}{
		"all existing": {func(time.Time) []clerk.CreateAllOption { return nil }, 3, 2},
		"since": {func(since time.Time) []clerk.CreateAllOption {
			return []clerk.CreateAllOption{clerk.WithSkipSince(since)}
		}, 2, 2},
		"none": {func(time.Time) []clerk.CreateAllOption { return []clerk.CreateAllOption{clerk.WithSkipNone()} }, 0, 0},
		"the last option applies": {func(since time.Time) []clerk.CreateAllOption {
			return []clerk.CreateAllOption{clerk.WithSkipNone(), clerk.WithSkipSince(since)}
		}, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				l.invite(t, guest(0))
				since := time.Now()
				l.invite(t, guest(1))
				l.invite(t, guest(2))
				before := len(l.fake.Requests())
				requests := requestsFor(5, func(i int) clerk.CreateInvitationRequest {
					return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
				})
				results, err := createAll(t, l.client, requests, test.opts(since)...)
				require.NoError(t, err)
				skipped := slices.DeleteFunc(outcomes(results), func(o clerk.Outcome) bool { return o == clerk.OutcomeCreated })
				require.Len(t, skipped, test.skipped)
				require.Len(t, l.fake.Invitations(), 3+5-test.skipped)
				require.Equal(t, test.listings, l.got(clerk.OperationList))
				require.Len(t, l.fake.Requests(), before+test.listings+1)
			})
		})
	}
}

// TestCreateAllPrefetchesExistingInvitations lists many invitations over a slow link.
func TestCreateAllPrefetchesExistingInvitations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		_, err := createAll(t, l.client, guests(10_000), clerk.WithBudget(clerk.Budget{BulkCreates: 1000}))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		began := time.Now()
		client, over := l.through(t, time.Second)
		results, err := createAll(t, client, guests(3))
		require.NoError(t, err)
		require.Equal(t, slices.Repeat([]clerk.Outcome{clerk.OutcomeAlreadyInvited}, 3), outcomes(results))
		require.Equal(t, 20, over.sent)
		require.Equal(t, 4*time.Second, time.Since(began), "one page, and 19 by eights")

		// One page has those created since then.
		over.sent = 0
		results, err = createAll(t, client, guests(3), clerk.WithSkipSince(began))
		require.NoError(t, err)
		require.Len(t, results, 3)
		require.Equal(t, 1+1+1+3, over.sent, "a list, a bulk, a lookup after it was refused, and the invitation of each address")
	})
}

// TestCreateAllBuffersFewRepeats reads many requests with an address whose first request
// has no result yet.
func TestCreateAllBuffersFewRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		taken := 0
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for taken < 10_000 && yield(clerk.CreateInvitationRequest{EmailAddress: address}) {
				taken++
			}
		}
		n := 0
		for result, err := range l.client.Invitations.CreateAll(t.Context(), requests) {
			require.NoError(t, err)
			require.Equal(t, result.Index == 0, result.Outcome == clerk.OutcomeCreated)
			require.LessOrEqual(t, taken-n, 150)
			n++
		}
		require.Equal(t, 10_000, n)
		require.Equal(t, 1, l.got(clerk.OperationCreate)+l.got(clerk.OperationBulkCreate))
	})
}
