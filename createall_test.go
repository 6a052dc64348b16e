package clerk_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// requestsFor is a request for each number below n.
func requestsFor(n int, request func(i int) clerk.CreateInvitationRequest) iter.Seq[clerk.CreateInvitationRequest] {
	return func(yield func(clerk.CreateInvitationRequest) bool) {
		for i := range n {
			if !yield(request(i)) {
				return
			}
		}
	}
}

// guests is n requests.
func guests(n int) iter.Seq[clerk.CreateInvitationRequest] {
	return requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: guest(i)}
	})
}

// createAll collects the results of a run, by index, and checks that there is one for
// each.
func createAll(t *testing.T, client *clerk.Client, requests iter.Seq[clerk.CreateInvitationRequest], opts ...clerk.CreateAllOption) ([]clerk.CreateResult, error) {
	t.Helper()
	byIndex := map[int]clerk.CreateResult{}
	var failure error
	for result, err := range client.Invitations.CreateAll(t.Context(), requests, opts...) {
		require.NoError(t, failure, "an error is the last")
		if failure = err; err != nil {
			require.Zero(t, result)
			continue
		}
		require.Equal(t, result.Outcome == clerk.OutcomeCreated, result.Invitation != nil)
		require.Equal(t, result.Outcome == clerk.OutcomeRejected || result.Outcome == clerk.OutcomeUnknown, result.Err != nil)
		_, twice := byIndex[result.Index]
		require.False(t, twice)
		byIndex[result.Index] = result
	}
	var results []clerk.CreateResult
	for i := range len(byIndex) {
		result, ok := byIndex[i]
		require.True(t, ok)
		results = append(results, result)
	}
	return results, failure
}

func outcomes(results []clerk.CreateResult) (all []clerk.Outcome) {
	for _, result := range results {
		all = append(all, result.Outcome)
	}
	return all
}

// limited is a life with Clerk's limits.
func limited(t *testing.T, sliding bool, opts ...clerktest.Option) life {
	t.Helper()
	limits := clerktest.ProductionRateLimits()
	limits.Sliding = sliding
	return lifeWith(t, append(opts, clerktest.WithRateLimits(limits))...)
}

func lifeWith(t *testing.T, opts ...clerktest.Option) life {
	t.Helper()
	fake := clerktest.New(opts...)
	client := clientOf(t, fake)
	return life{fake, client}
}

// status counts the requests that were answered with a status.
func (l life) status(status int) (n int) {
	for _, req := range l.fake.Requests() {
		if req.Status == status {
			n++
		}
	}
	return n
}

// TestCreateAllIsAtTheBound has the least number of hours that a share allows, however
// the hours are counted, and no request that is refused.
func TestCreateAllIsAtTheBound(t *testing.T) {
	for _, test := range []struct {
		share clerk.Budget
		n     int
		hours int
	}{
		{n: 1}, {n: 15}, {n: 340}, {n: 341, hours: 1}, {n: 680, hours: 1},
		{n: 1000, hours: 2}, {n: 5000, hours: 14}, {n: 10_000, hours: 29},
		{clerk.Budget{Creates: 100, BulkCreates: 25}, 1000, 2},
		{clerk.Budget{Creates: 100, BulkCreates: 25}, 10_000, 28},
		{clerk.Budget{BulkCreates: 25}, 1000, 3},
		{clerk.Budget{Creates: 100}, 1000, 9},
		{clerk.Budget{Creates: 3, BulkCreates: 1}, 130, 9},
	} {
		for _, sliding := range []bool{false, true} {
			t.Run(fmt.Sprint(test.share, test.n, sliding), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := limited(t, sliding)
					var opts []clerk.CreateAllOption
					if test.share != (clerk.Budget{}) {
						opts = append(opts, clerk.WithBudget(test.share))
					}
					start := time.Now()
					results, err := createAll(t, l.client, guests(test.n), opts...)
					require.NoError(t, err)
					require.Len(t, results, test.n)
					require.Equal(t, time.Duration(test.hours)*time.Hour, time.Since(start).Round(time.Minute))
					for i, inv := range standing(l.fake) {
						require.Len(t, inv, 1, i)
					}
					require.Len(t, l.fake.Invitations(), test.n)
					require.Equal(t, len(l.fake.Requests()), l.status(200))
				})
			})
		}
	}
}

// TestCreateAllLeavesTheRest has the creates that are not in the share go through at
// any time.
func TestCreateAllLeavesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, true)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 30 { // ten an hour
				_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("extra%d@example.com", i)})
				assertNoError(t, err)
				time.Sleep(6 * time.Minute)
			}
		}()
		results, err := createAll(t, l.client, guests(1000))
		require.NoError(t, err)
		require.Len(t, results, 1000)
		<-done
		require.Zero(t, l.status(429))
	})
}

func assertNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// TestCreateAllAmongOthers has several runs share the limits without knowing of each
// other.
func TestCreateAllAmongOthers(t *testing.T) {
	for _, sliding := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := limited(t, sliding)
			start := time.Now()
			var group sync.WaitGroup
			for process := range 3 {
				group.Go(func() {
					n := 0
					requests := requestsFor(700, func(i int) clerk.CreateInvitationRequest {
						return clerk.CreateInvitationRequest{EmailAddress: guest(process*1000 + i)}
					})
					for result, err := range l.client.Invitations.CreateAll(context.Background(), requests) {
						assertNoError(t, err)
						if result.Outcome == clerk.OutcomeCreated {
							n++
						}
					}
					if n != 700 {
						t.Errorf("process %d made %d", process, n)
					}
				})
			}
			group.Wait()
			require.Len(t, l.fake.Invitations(), 2100)
			require.LessOrEqual(t, time.Since(start), 7*time.Hour, "2100 at 350 an hour are 6 hours")
			t.Log(time.Since(start), l.status(429))
			require.Less(t, l.status(429), 7*3*10)
		})
	}
}

// TestCreateAllReportsEveryRequest has rows of all kinds.
func TestCreateAllReportsEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, "invited@example.com")
		require.NoError(t, l.fake.Accept(l.invite(t, "accepted@example.com").ID))
		_, err := l.client.Invitations.Revoke(t.Context(), l.invite(t, "revoked@example.com").ID)
		require.NoError(t, err)
		require.NoError(t, l.fake.Expire(l.invite(t, "expired@example.com").ID))
		l.fake.AddUser("user@example.com")

		requests := []clerk.CreateInvitationRequest{
			{EmailAddress: "a@example.com", PublicMetadata: map[string]any{"row": 0}},
			{EmailAddress: "INVITED@example.com"},
			{EmailAddress: "accepted@example.com", IgnoreExisting: true},
			{EmailAddress: "revoked@example.com"},
			{EmailAddress: "expired@example.com"},
			{EmailAddress: "user@example.com"},
			{EmailAddress: "A@example.com"}, // a repeat
			{EmailAddress: "user@example.com"},
			{EmailAddress: ""},
			{EmailAddress: "nobody"},
			{EmailAddress: "nobody@"},
			{EmailAddress: "@example.com"},
			{EmailAddress: "a b@example.com"},
			{EmailAddress: "b@example.com\r"},
			{EmailAddress: "c@example.com", PublicMetadata: map[string]any{"c": make(chan int)}},
			{EmailAddress: "c@example.com", TemplateSlug: "none"},
			{EmailAddress: "c@example.com", ExpiresInDays: 10},
			{EmailAddress: "c@example.com"},
			{EmailAddress: "d@d@example.com"}, // it looks like one
			{EmailAddress: "e@example.com", ExpiresInDays: 366},
			{EmailAddress: "e@example.com", ExpiresInDays: -1},
		}
		results, err := createAll(t, l.client, slices.Values(requests))
		require.NoError(t, err)
		const created, invited, user, refused = clerk.OutcomeCreated, clerk.OutcomeAlreadyInvited, clerk.OutcomeUserExists, clerk.OutcomeRejected
		require.Equal(t, []clerk.Outcome{
			created, invited, invited, created, created, user, clerk.OutcomeRepeated, user,
			refused, refused, refused, refused, refused, refused, refused,
			refused, created, clerk.OutcomeRepeated, refused, refused, refused,
		}, outcomes(results))
		for i, result := range results {
			require.Equal(t, requests[i], result.Request)
			if result.Invitation != nil {
				require.Equal(t, requests[i].EmailAddress, result.Invitation.EmailAddress)
			}
		}
		for _, result := range append(results[8:15:15], results[19:]...) {
			require.ErrorIs(t, result.Err, clerk.ErrInvalidRequest)
		}
		require.Equal(t, clerk.CodeFormParamValueInvalid, asClerkErrors(t, results[15].Err).Errors[0].Code)
		require.Equal(t, clerk.CodeFormParamFormatInvalid, asClerkErrors(t, results[18].Err).Errors[0].Code)
		require.JSONEq(t, `{"row":0}`, string(results[0].Invitation.PublicMetadata))

		// Once more: nothing is made, and only what was refused costs a request.
		made, before, lists := len(l.fake.Invitations()), len(l.fake.Requests()), l.got(clerk.OperationList)
		results, err = createAll(t, l.client, slices.Values(requests))
		require.NoError(t, err)
		require.NotContains(t, outcomes(results), created)
		require.Len(t, l.fake.Invitations(), made)
		require.Equal(t, 3, l.got(clerk.OperationList)-lists, "one page, once more for IgnoreExisting, and after the refused bulk")
		require.Equal(t, refused, results[18].Outcome)
		require.Len(t, l.fake.Requests(), before+3+3, "a bulk of the user and the one that is refused, and each alone")
	})
}

// TestCreateAllTakesBulksApart counts what a refused bulk costs.
func TestCreateAllTakesBulksApart(t *testing.T) {
	const user, invalid, duplicate = 'u', 'i', 'd'
	for _, test := range []struct {
		name           string
		rows           string // one a letter; others are right
		share          clerk.Budget
		creates, bulks int
	}{
		{"all are right", "..........", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 1},
		{"named", ".d..d.....", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 2},
		{"named, and the bulk is filled up", ".d..d.......", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 2},
		{"all are named", "dddddddddd", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 1},
		{"the first, by creates", "u.........", clerk.Budget{Creates: 90, BulkCreates: 25}, 1, 2},
		{"the last, by creates", ".........i", clerk.Budget{Creates: 90, BulkCreates: 25}, 10, 1},
		{"the third, by creates, and the bulk is filled up", "..u..........", clerk.Budget{Creates: 90, BulkCreates: 25}, 3, 2},
		{"the first, by splitting", "u.........", clerk.Budget{BulkCreates: 25}, 0, 6},
		{"the last, by splitting", ".........u", clerk.Budget{BulkCreates: 25}, 0, 5},
		{"two, by splitting", "u........i", clerk.Budget{BulkCreates: 25}, 0, 10},
		{"splitting, and one alone", "u.........", clerk.Budget{Creates: 4, BulkCreates: 25}, 1, 5},
		{"named, and another", "d...i.....", clerk.Budget{Creates: 90, BulkCreates: 25}, 5, 3},
		{"two alone", "ui", clerk.Budget{Creates: 90, BulkCreates: 25}, 2, 1},
		{"one alone", "u", clerk.Budget{Creates: 90, BulkCreates: 25}, 1, 0},
		{"none but bad ones", "uiuiuiuiui", clerk.Budget{Creates: 90, BulkCreates: 25}, 10, 9},
		{"creates alone", "u.d.i.....", clerk.Budget{Creates: 90}, 10, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				var want []clerk.Outcome
				var requests []clerk.CreateInvitationRequest
				for i, kind := range test.rows {
					req := clerk.CreateInvitationRequest{EmailAddress: guest(i)}
					outcome := clerk.OutcomeCreated
					switch kind {
					case user:
						l.fake.AddUser(guest(i))
						outcome = clerk.OutcomeUserExists
					case invalid:
						req.TemplateSlug = "none"
						outcome = clerk.OutcomeRejected
					case duplicate:
						l.invite(t, guest(i))
						outcome = clerk.OutcomeAlreadyInvited
					}
					requests, want = append(requests, req), append(want, outcome)
				}
				creates, bulks := l.got(clerk.OperationCreate), l.got(clerk.OperationBulkCreate)
				results, err := createAll(t, l.client, slices.Values(requests), clerk.WithBudget(test.share), clerk.WithSkipNone())
				require.NoError(t, err)
				require.Equal(t, want, outcomes(results))
				require.Equal(t, []int{test.creates, test.bulks},
					[]int{l.got(clerk.OperationCreate) - creates, l.got(clerk.OperationBulkCreate) - bulks}, "creates and bulks")
			})
		})
	}
}

// TestCreateAllTellsTheTruth meets every fault, and rows of all kinds.
func TestCreateAllTellsTheTruth(t *testing.T) {
	for seed := range uint64(6) {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprint(seed, ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := limited(t, seed%2 == 0, clerktest.WithFaults(clerktest.FaultMix{Share: 0.2, Seed: seed}))
					const n = 1000
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
					stand := standing(l.fake)
					for i, result := range results {
						invs := stand[result.Request.EmailAddress]
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

// errKilled is what the transport of a killed process panics with.
var errKilled = errors.New("killed")

// TestCreateAllGoesOnAfterAKill kills a run at random points, before or after Clerk has
// carried out the request, and starts it again with the same input, until it ends.
func TestCreateAllGoesOnAfterAKill(t *testing.T) {
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
				for address, invs := range standing(l.fake) {
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

// mortal is a client that is killed after some requests, about fifteen.
func (l life) mortal(t *testing.T, random *rand.Rand) *clerk.Client {
	t.Helper()
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		doom := random.IntN(30)
		if doom == 0 {
			panic(errKilled)
		}
		resp, err := l.fake.RoundTrip(req)
		if doom == 1 {
			panic(errKilled)
		}
		return resp, err
	}), clerk.WithSecretKeyFunc(l.key))
}

func TestCreateAllSkips(t *testing.T) {
	for name, test := range map[string]struct {
		opts     func(since time.Time) []clerk.CreateAllOption
		skipped  int
		listings int
	}{
		"all that stands": {func(time.Time) []clerk.CreateAllOption { return nil }, 3, 2},
		"since": {func(since time.Time) []clerk.CreateAllOption {
			return []clerk.CreateAllOption{clerk.WithSkipSince(since)}
		}, 2, 2},
		"none": {func(time.Time) []clerk.CreateAllOption { return []clerk.CreateAllOption{clerk.WithSkipNone()} }, 0, 0},
		"the last counts": {func(since time.Time) []clerk.CreateAllOption {
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

func TestCreateAllReadsAsItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		taken := 0
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for {
				taken++
				if !yield(clerk.CreateInvitationRequest{EmailAddress: guest(taken)}) {
					taken = -1
					return
				}
			}
		}
		all := l.client.Invitations.CreateAll(t.Context(), requests)
		require.Zero(t, taken, "nothing happens before the loop begins")
		n := 0
		for result, err := range all {
			require.NoError(t, err)
			require.LessOrEqual(t, taken-result.Index, 25)
			if n++; n == 1000 {
				break
			}
		}
		require.Equal(t, -1, taken, "the source is ended with the loop")
		require.Len(t, l.fake.Invitations(), 1000)
	})
}

// TestCreateAllOfRepeats keeps few of them while their address is under way.
func TestCreateAllOfRepeats(t *testing.T) {
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

// TestCreateAllListsAhead has many invitations to skip, over a slow link.
func TestCreateAllListsAhead(t *testing.T) {
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

		// Of those since it began there is one page.
		over.sent = 0
		results, err = createAll(t, client, guests(3), clerk.WithSkipSince(began))
		require.NoError(t, err)
		require.Len(t, results, 3)
		require.Equal(t, 1+1+1+3, over.sent, "a list, a bulk, a lookup after it was refused, and the invitation of each address")
	})
}

// TestCreateAllDoesNotClaimWhatIsOthers has a bulk of three in doubt, and somebody else
// invite a fourth one meanwhile.
func TestCreateAllDoesNotClaimWhatIsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		start := time.Now()
		isDown := func() bool { return time.Since(start) > 0 && time.Since(start) < 3*time.Minute }
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if isDown() {
				return reply(502, ``)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		time.AfterFunc(2*time.Minute, func() {
			_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(3)})
			assertNoError(t, err)
		})
		requests := requestsFor(4, func(i int) clerk.CreateInvitationRequest {
			if i == 3 {
				time.Sleep(30 * time.Second)
			}
			return clerk.CreateInvitationRequest{EmailAddress: guest(i)}
		})
		results, err := createAll(t, client, requests)
		require.NoError(t, err)
		const created = clerk.OutcomeCreated
		require.Equal(t, []clerk.Outcome{created, created, created, clerk.OutcomeAlreadyInvited}, outcomes(results))
	})
}

// TestCreateAllDoesNotWaitForASourceThatBlocks while it takes a bulk apart.
func TestCreateAllDoesNotWaitForASourceThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.AddUser(guest(9))
		start := time.Now()
		n := 0
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for i := range 10 {
				if !yield(clerk.CreateInvitationRequest{EmailAddress: guest(i)}) {
					return
				}
			}
			time.Sleep(time.Hour)
		}
		for _, err := range l.client.Invitations.CreateAll(t.Context(), requests, clerk.WithBudget(clerk.Budget{BulkCreates: 25})) {
			require.NoError(t, err)
			n++
			require.LessOrEqual(t, time.Since(start), time.Second)
		}
		require.Equal(t, 10, n)
	})
}

// TestCreateAllCountsWhatIsSent and nothing else: an outage uses up no share.
func TestCreateAllCountsWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		start := time.Now()
		client := l.failingWrites(t, 1, failing(errDial), func() bool { return time.Since(start) > 0 && time.Since(start) < 20*time.Minute })
		requests := requestsFor(50, func(i int) clerk.CreateInvitationRequest {
			if i == 10 {
				time.Sleep(5 * time.Second)
			}
			return clerk.CreateInvitationRequest{EmailAddress: guest(i)}
		})
		results, err := createAll(t, client, requests, clerk.WithBudget(clerk.Budget{BulkCreates: 5}))
		require.NoError(t, err)
		require.Len(t, results, 50)
		require.Less(t, time.Since(start), 30*time.Minute)
	})
}

// TestCreateAllFromAChannel sends each request when the last one has its result: what
// has come does not wait for a bulk to be full.
func TestCreateAllFromAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		incoming := make(chan clerk.CreateInvitationRequest)
		go func() { incoming <- clerk.CreateInvitationRequest{EmailAddress: guest(0)} }()
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for req := range incoming {
				if !yield(req) {
					return
				}
			}
		}
		start, n := time.Now(), 0
		for result, err := range l.client.Invitations.CreateAll(t.Context(), requests) {
			require.NoError(t, err)
			require.Equal(t, n, result.Index)
			if n++; n == 30 {
				close(incoming)
			} else {
				go func() { incoming <- clerk.CreateInvitationRequest{EmailAddress: guest(n)} }()
			}
		}
		require.Equal(t, 30, n)
		require.LessOrEqual(t, time.Since(start), time.Minute)
	})
}

// TestCreateAllLeavesABlockedSource ends while its source blocks.
func TestCreateAllLeavesABlockedSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		blocked, ended := make(chan struct{}), false
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			if !yield(clerk.CreateInvitationRequest{EmailAddress: guest(0)}) {
				return
			}
			<-blocked
			ended = !yield(clerk.CreateInvitationRequest{EmailAddress: guest(1)})
		}
		var last error
		for _, err := range l.client.Invitations.CreateAll(ctx, requests) {
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
		require.EqualError(t, last, "clerk: the run was stopped: context canceled")
		close(blocked)
		synctest.Wait()
		require.True(t, ended)
		require.Len(t, l.fake.Invitations(), 1)
	})
}

func TestCreateAllWhoseSourceFails(t *testing.T) {
	broken := errors.New("line 3: " + address)
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		results, err := createAll(t, l.client, guests(12), clerk.WithSourceError(func() error { return broken }))
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "clerk: reading the requests failed: line 3: [redacted]")
		require.Len(t, results, 12)

		results, err = createAll(t, l.client, guests(12), clerk.WithSourceError(func() error { return nil }))
		require.NoError(t, err)
		require.Len(t, results, 12)

		require.PanicsWithValue(t, broken, func() {
			_, _ = createAll(t, l.client, func(func(clerk.CreateInvitationRequest) bool) { panic(broken) })
		})
		results, err = createAll(t, l.client, func(func(clerk.CreateInvitationRequest) bool) { runtime.Goexit() })
		require.ErrorContains(t, err, "the iterator called runtime.Goexit")
		require.Empty(t, results)
	})
}

// TestCreateAllIsStopped has the context end while a request is under way: it is
// finished, and reported.
func TestCreateAllIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		slow := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/bulk") {
				cancel()
				time.Sleep(10 * time.Second)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		n, start := 0, time.Now()
		var last error
		for result, err := range slow.Invitations.CreateAll(ctx, guests(100)) {
			if last = err; err == nil {
				require.Equal(t, clerk.OutcomeCreated, result.Outcome)
				n++
			}
		}
		require.ErrorIs(t, last, context.Canceled)
		require.NotErrorIs(t, last, clerk.ErrOutcomeUnknown)
		require.Equal(t, 10, n)
		require.Len(t, l.fake.Invitations(), 10)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// TestCreateAllIsStoppedWhileNothingAnswers ends within the attempt timeout.
func TestCreateAllIsStoppedWhileNothingAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		l := limited(t, false)
		down := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if len(l.fake.Invitations()) > 0 {
				return hangs(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		n, start := 0, time.Now()
		var last error
		for _, err := range down.Invitations.CreateAll(ctx, guests(100)) {
			if last = err; err == nil {
				n++
			}
		}
		require.Equal(t, 10, n)
		require.ErrorIs(t, last, clerk.ErrOutcomeUnknown)
		require.LessOrEqual(t, time.Since(start), 2*time.Hour+15*time.Second)
	})
}

// TestCreateAllHasNoTime ends at once where its deadline is before the next hour.
func TestCreateAllHasNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		n, start := 0, time.Now()
		var last error
		for _, err := range l.client.Invitations.CreateAll(ctx, guests(1000)) {
			if last = err; err == nil {
				n++
			}
		}
		require.Equal(t, 340, n)
		require.ErrorIs(t, last, context.DeadlineExceeded)
		require.EqualError(t, last, "clerk: no request can be sent before the deadline (retry after 1h0m0s)")
		require.Zero(t, time.Since(start))
	})
}

// failingWrites lets a life's writes fail from the from-th on, for as long as isDown
// says.
func (l life) failingWrites(t *testing.T, from int, failure httpmock.Responder, isDown func() bool) *clerk.Client {
	t.Helper()
	writes := 0
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			writes++
		}
		if writes >= from && isDown() && req.Method == http.MethodPost {
			return failure(req)
		}
		return l.fake.RoundTrip(req)
	}), clerk.WithSecretKeyFunc(l.key))
}

func always() bool { return true }

func TestCreateAllEndsWithWhatConcernsAll(t *testing.T) {
	for name, test := range map[string]struct {
		failure httpmock.Responder
		is      error
		made    int
	}{
		"a bad key":      {reply(401, `{"errors":[{"code":"clerk_key_invalid","message":"m"}]}`), clerk.ErrUnauthorized, 20},
		"a quota":        {reply(403, `{"errors":[{"code":"user_quota_exceeded","message":"m"}]}`), nil, 20},
		"no more emails": {reply(400, `{"errors":[{"code":"dev_monthly_email_limit_exceeded","message":"m"}]}`), nil, 20},
		"a wrong URL":    {reply(404, `not found`), nil, 20},
		"no certificate": {failing(&net.OpError{Op: "dial", Err: &tls.CertificateVerificationError{Err: io.EOF}}), nil, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start := time.Now()
				results, err := createAll(t, l.failingWrites(t, 3, test.failure, always), guests(100))
				require.Error(t, err)
				requireNoSecrets(t, "error", err.Error())
				if test.is != nil {
					require.ErrorIs(t, err, test.is)
				}
				require.Len(t, results, test.made)
				require.LessOrEqual(t, time.Since(start), 2*time.Minute)
				require.Equal(t, 2, l.got(clerk.OperationBulkCreate))
			})
		})
	}
}

// TestCreateAllEndsInDoubt where a write that is in doubt cannot be repeated, and says so.
func TestCreateAllEndsInDoubt(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{
		"a bad key":  reply(401, `{"errors":[{"code":"clerk_key_invalid","message":"m"}]}`),
		"forbidden":  reply(403, `<html>`),
		"a refusal":  reply(422, `<html>`),
		"one of 400": reply(400, `<html>`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				writes := 0
				client := l.failingWrites(t, 3, func(req *http.Request) (*http.Response, error) {
					if writes++; writes == 1 {
						return reply(502, ``)(req)
					}
					return failure(req)
				}, always)
				start := time.Now()
				results, err := createAll(t, client, guests(100))
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Equal(t, name == "a bad key", errors.Is(err, clerk.ErrUnauthorized))
				require.Len(t, results, 20)
				require.LessOrEqual(t, time.Since(start), 2*time.Minute)
			})
		})
	}
}

// TestCreateAllGoesOnFromADoubt where the repeat meets what would be harmless alone.
func TestCreateAllGoesOnFromADoubt(t *testing.T) {
	for code, outcome := range map[string]clerk.Outcome{
		`409 resource_locked`: clerk.OutcomeCreated, `409 conflict`: clerk.OutcomeCreated, `403 not_allowed_access`: clerk.OutcomeRejected,
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start, writes := time.Now(), 0
				client := l.failingWrites(t, 1, func(req *http.Request) (*http.Response, error) {
					if writes++; writes == 1 {
						return reply(502, ``)(req)
					}
					status := http.StatusConflict
					if outcome == clerk.OutcomeRejected {
						status = http.StatusForbidden
					}
					return reply(status, `{"errors":[{"code":"`+strings.Fields(code)[1]+`","message":"m"}]}`)(req)
				}, func() bool { return time.Since(start) < 10*time.Minute })
				results, err := createAll(t, client, guests(1), clerk.WithSkipNone())
				require.NoError(t, err)
				require.Equal(t, []clerk.Outcome{outcome}, outcomes(results))
			})
		})
	}
}

// TestCreateAllIsPatientOnce where MaxElapsedTime is shorter than its patience.
func TestCreateAllIsPatientOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
		requests := requestsFor(1, func(int) clerk.CreateInvitationRequest {
			return clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		for result, err := range l.client.Invitations.CreateAll(ctx, requests,
			clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 3 * time.Second, MaxInterval: time.Second}})) {
			require.NoError(t, err)
			require.Equal(t, clerk.OutcomeCreated, result.Outcome)
		}
		require.Less(t, time.Since(start), time.Minute)
		require.Equal(t, 2, l.got(clerk.OperationCreate))
	})
}

// TestCreateAllSurvivesABlipAtTheBeginning that uses up a small share: lookups have
// shown that Clerk is there.
func TestCreateAllSurvivesABlipAtTheBeginning(t *testing.T) {
	for _, share := range []clerk.Budget{{BulkCreates: 1}, {Creates: 1, Window: time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
			l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropBefore)
			results, err := createAll(t, l.client, guests(2), clerk.WithBudget(share), clerk.WithSkipNone())
			require.NoError(t, err)
			require.Len(t, results, 2)
		})
	}
}

// TestCreateAllDoesNotLetSkippedRowsHoldUpOthers: they come as fast as it waits for more.
func TestCreateAllDoesNotLetSkippedRowsHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, guest(0))
		start := time.Now()
		requests := requestsFor(100, func(i int) clerk.CreateInvitationRequest {
			if i == 0 {
				return clerk.CreateInvitationRequest{EmailAddress: "new@example.com"}
			}
			time.Sleep(500 * time.Millisecond)
			return clerk.CreateInvitationRequest{EmailAddress: guest(0)}
		})
		for result, err := range l.client.Invitations.CreateAll(t.Context(), requests) {
			require.NoError(t, err)
			if result.Index == 0 {
				require.LessOrEqual(t, time.Since(start), 2*time.Second)
			}
		}
	})
}

// TestCreateAllWaitsForRetryAfterOnce: lookups that fail later do not ask for it again.
func TestCreateAllWaitsForRetryAfterOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		start, n := time.Now(), 0
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if n++; n == 2 {
				return reply(503, ``, "Retry-After", "3600")(req)
			}
			if n > 2 && time.Since(start) < 70*time.Minute {
				return reply(502, ``)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		results, err := createAll(t, client, guests(10))
		require.NoError(t, err)
		require.Len(t, results, 10)
		require.Less(t, time.Since(start), 75*time.Minute)
	})
}

// TestCreateAllBeginsNoRequestAfterItsEnd, not even to repeat one.
func TestCreateAllBeginsNoRequestAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		ctx, cancel := context.WithCancel(t.Context())
		writes := 0
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				writes++
				cancel()
				return reply(502, ``)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		var last error
		for _, err := range client.Invitations.CreateAll(ctx, guests(10)) {
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
		require.ErrorIs(t, last, clerk.ErrOutcomeUnknown)
		require.Equal(t, 1, writes)
	})
}

// TestCreateAllDoesNotSpinInDoubt where lookups are told to wait for long, and where
// nothing but them is refused.
func TestCreateAllDoesNotSpinInDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		lookup httpmock.Responder
		ends   error // nil where it goes on once lookups work again
	}{
		"limited":   {reply(429, ``, "Retry-After", "3600"), nil},
		"a bad key": {reply(401, ``), clerk.ErrUnauthorized},
		"no date":   {reply(200, `[]`), clerk.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start, n := time.Now(), 0
				client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					n++
					switch {
					case n == 2:
						return reply(500, ``)(req)
					case n > 2 && req.Method == http.MethodGet && time.Since(start) < time.Hour:
						return test.lookup(req)
					}
					return l.fake.RoundTrip(req)
				}), clerk.WithSecretKeyFunc(l.key))
				results, err := createAll(t, client, guests(100))
				require.Less(t, n, 250)
				if test.ends == nil {
					require.NoError(t, err)
					require.Len(t, results, 100)
					return
				}
				require.ErrorIs(t, err, test.ends)
				require.Less(t, time.Since(start), 2*time.Minute)
			})
		})
	}
}

// TestCreateAllIsNotHeldUpByOneRow whose writes always fail: the others go out, and then
// it ends the run.
func TestCreateAllIsNotHeldUpByOneRow(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{"500": reply(500, ``), "a redirect": reply(301, ``), "nothing": reply(204, ``)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limited(t, false)
				start := time.Now()
				client := l.failingRow(t, failure)
				made := 0
				var last error
				for result, err := range client.Invitations.CreateAll(t.Context(), guests(300)) {
					if last = err; result.Outcome == clerk.OutcomeUnknown {
						require.Equal(t, 13, result.Index)
						require.ErrorIs(t, result.Err, clerk.ErrOutcomeUnknown)
						continue
					}
					made++
				}
				require.NoError(t, last)
				require.Equal(t, 299, made)
				require.Less(t, time.Since(start), 12*time.Hour)
				t.Log(time.Since(start))
			})
		})
	}
}

// TestCreateAllRefusesRows that Clerk has something against.
func TestCreateAllRefusesRows(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{
		"not allowed":       reply(403, `{"errors":[{"code":"not_allowed_access","message":"m"}]}`),
		"too large":         reply(413, `too large`),
		"unreadable":        reply(400, `<html>`),
		"any documented":    reply(422, `{"errors":[{"code":"something_new","message":"m"}]}`),
		"a duplicate of it": reply(400, `{"errors":[{"code":"duplicate_record","message":"m"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				bad := l.failingRow(t, failure)
				results, err := createAll(t, bad, guests(40))
				require.NoError(t, err)
				for i, result := range results {
					switch {
					case i != 13:
						require.Equal(t, clerk.OutcomeCreated, result.Outcome)
					case name == "a duplicate of it":
						require.Equal(t, clerk.OutcomeAlreadyInvited, result.Outcome)
					default:
						require.Equal(t, clerk.OutcomeRejected, result.Outcome)
					}
				}
			})
		})
	}
}

// failingRow has every request for guest 13 fail.
func (l life) failingRow(t *testing.T, failure httpmock.Responder) *clerk.Client {
	t.Helper()
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(orEmpty(req.Body))
		if err != nil {
			return nil, err
		}
		if bytes.Contains(body, []byte(`"guest13@`)) {
			return failure(req)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		return l.fake.RoundTrip(req)
	}), clerk.WithSecretKeyFunc(l.key))
}

func orEmpty(body io.Reader) io.Reader {
	if body == nil {
		return strings.NewReader("")
	}
	return body
}

// TestCreateAllTrustsNames has Clerk name who may not be invited.
func TestCreateAllTrustsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		once := false
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && !once {
				once = true
				return reply(403, `{"errors":[{"code":"not_allowed_access","message":"m","meta":{"identifiers":["guest1@example.com"]}}]}`)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		results, err := createAll(t, client, guests(10))
		require.NoError(t, err)
		require.Equal(t, clerk.OutcomeRejected, results[1].Outcome)
		require.Len(t, l.fake.Invitations(), 9)
		require.Equal(t, 1, l.got(clerk.OperationBulkCreate))
	})
}

// TestCreateAllWaitsOutAnOutage of five hours, in which it does not spin.
func TestCreateAllWaitsOutAnOutage(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{
		"500":          reply(500, ``),
		"503":          reply(503, ``, "Retry-After", "1800"),
		"no answer":    failing(errDial),
		"an odd reset": failing(io.ErrUnexpectedEOF),
		"a conflict":   reply(409, `{"errors":[{"code":"resource_locked","message":"m"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limited(t, false)
				start, tries := time.Now(), 0
				counting := func(req *http.Request) (*http.Response, error) {
					tries++
					return failure(req)
				}
				client := l.failingWrites(t, 3, counting, func() bool { return time.Since(start) < 5*time.Hour })
				var causes int
				results, err := createAll(t, client, guests(100), clerk.WithProgress(func(p clerk.Progress) {
					if p.Cause != nil {
						causes++
						require.False(t, p.WaitUntil.IsZero())
						require.Empty(t, p.WaitFor)
					}
				}))
				require.NoError(t, err)
				require.Len(t, results, 100)
				require.Len(t, l.fake.Invitations(), 100)
				require.Positive(t, causes)
				require.LessOrEqual(t, time.Since(start), 6*time.Hour)
				if name == "503" {
					require.LessOrEqual(t, tries, 15, "each half hour")
				}
			})
		})
	}
}

// TestCreateAllForgetsAnOutage: the first wait of the next one is short again.
func TestCreateAllForgetsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		outage, writes := time.Hour, 0
		start := time.Now()
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && time.Since(start) < outage {
				return failing(errDial)(req)
			}
			resp, err := l.fake.RoundTrip(req)
			if writes++; writes == 3 {
				start = time.Now()
			}
			return resp, err
		}), clerk.WithSecretKeyFunc(l.key))
		var waits []time.Duration
		made := 0
		_, err := createAll(t, client, guests(100), clerk.WithProgress(func(p clerk.Progress) {
			if p.Cause != nil && (len(waits) == 0 || p.Created != made) {
				waits, made = append(waits, time.Until(p.WaitUntil)), p.Created
			}
		}))
		require.NoError(t, err)
		require.Len(t, waits, 2)
		for _, wait := range waits {
			require.LessOrEqual(t, wait, 500*time.Millisecond)
		}
	})
}

// TestCreateAllEndsWithAnOutageFromTheBeginning on, as a wrong URL looks like.
func TestCreateAllEndsWithAnOutageFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, answering(failing(errDial)))
		for _, opts := range [][]clerk.CreateAllOption{nil, {clerk.WithSkipNone()}} {
			results, err := createAll(t, client, guests(100), opts...)
			require.ErrorIs(t, err, errDial)
			require.Empty(t, results)
		}
	})
}

// TestCreateAllDoesNotSpin where a 429 does not tell how long to wait.
func TestCreateAllDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		start := time.Now()
		refused := 0
		client := l.failingWrites(t, 1, func(req *http.Request) (*http.Response, error) {
			refused++
			return reply(429, ``)(req)
		}, func() bool { return time.Since(start) < 10*time.Hour })
		results, err := createAll(t, client, guests(100))
		require.NoError(t, err)
		require.Len(t, results, 100)
		require.Less(t, refused, 2*(10*4+5), "each limit every quarter of an hour")
		require.LessOrEqual(t, time.Since(start), 10*time.Hour+15*time.Minute)
	})
}

// TestCreateAllForgetsRefusals: after a success the first wait is short again.
func TestCreateAllForgetsRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		start := time.Now()
		var writes []time.Duration
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				writes = append(writes, time.Since(start).Round(time.Second))
				if len(writes) < 5 || len(writes) == 6 {
					return reply(429, ``)(req)
				}
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		_, err := createAll(t, client, guests(20), clerk.WithBudget(clerk.Budget{BulkCreates: 25}))
		require.NoError(t, err)
		require.Equal(t, []time.Duration{
			0, time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 15 * time.Minute, 16 * time.Minute,
		}, writes)
	})
}

// TestCreateAllEndsWithAKeyThatCannotBeRight, which its function gives half way.
func TestCreateAllEndsWithAKeyThatCannotBeRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		client, err := l.fake.Client(clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
			if len(l.fake.Invitations()) > 0 {
				return "pk_test_dummy", nil
			}
			return l.fake.SecretKey(), nil
		}))
		require.NoError(t, err)
		start := time.Now()
		results, err := createAll(t, client, guests(20))
		require.ErrorIs(t, err, clerk.ErrNotSent)
		require.ErrorContains(t, err, "publishable key")
		require.Len(t, results, 10)
		require.Zero(t, time.Since(start))
	})
}

// TestCreateAllUsesTheOtherLimit while one is used up.
func TestCreateAllUsesTheOtherLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/bulk") {
				return reply(429, ``, "Retry-After", "3600")(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		start := time.Now()
		results, err := createAll(t, client, guests(50))
		require.NoError(t, err)
		require.Len(t, results, 50)
		require.Zero(t, time.Since(start))
	})
}

func TestCreateAllIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		start := time.Now()
		const n = 1000
		var seen []clerk.Progress
		end := start.Add(2 * time.Hour)
		results, err := createAll(t, l.client, guests(n), clerk.WithProgress(func(p clerk.Progress) {
			seen = append(seen, p)
			if p.Taken > 0 {
				require.Equal(t, end, p.EstimateEnd(n), p)
			}
		}))
		require.NoError(t, err)
		require.Len(t, results, n)
		last := seen[len(seen)-1]
		require.Equal(t, []int{n, n, n, 0, 0, 0}, []int{last.Taken, last.Done(), last.Created, last.AlreadyInvited, last.UserExists, last.Rejected})
		var waits []clerk.Progress
		for _, p := range seen {
			if !p.WaitUntil.IsZero() {
				waits = append(waits, p)
			}
		}
		require.Len(t, waits, 2)
		for i, p := range waits {
			require.Equal(t, start.Add(time.Duration(i+1)*time.Hour), p.WaitUntil)
			require.Equal(t, clerk.OperationBulkCreate, p.WaitFor)
			require.Equal(t, 340*(i+1), p.Created)
			require.NoError(t, p.Cause)
		}
		require.Contains(t, fmt.Sprint(waits[0]), "created=340 already_invited=0 user_exists=0 rejected=0 repeated=0 unknown=0 wait_until=2000-01-01T01:00:00Z wait_for=CreateBulkInvitations")

		var waiting clerk.Progress
		_, err = createAll(t, l.client, guests(30), clerk.WithSkipSince(time.Now().Add(time.Hour)), clerk.WithBudget(clerk.Budget{Creates: 20}),
			clerk.WithProgress(func(p clerk.Progress) {
				if !p.WaitUntil.IsZero() {
					waiting = p
				}
			}))
		require.NoError(t, err)
		require.Equal(t, clerk.OperationCreate, waiting.WaitFor)

		// A second run lists what stands.
		l.fake.AddUser("user@example.com")
		requests := append(slices.Collect(guests(700)), clerk.CreateInvitationRequest{EmailAddress: "user@example.com"}, clerk.CreateInvitationRequest{})
		seen = nil
		_, err = createAll(t, l.client, slices.Values(requests), clerk.WithProgress(func(p clerk.Progress) { seen = append(seen, p) }))
		require.NoError(t, err)
		require.Equal(t, 500, seen[0].Listed)
		require.Zero(t, seen[0].Taken)
		last = seen[len(seen)-1]
		require.Equal(t, []int{1000, 702, 0, 700, 1, 1}, []int{last.Listed, last.Taken, last.Created, last.AlreadyInvited, last.UserExists, last.Rejected})
	})
}

func TestCreateAllOptions(t *testing.T) {
	mock := answering(reply(500, ``))
	client := newClient(t, mock)
	for text, opt := range map[string]clerk.CreateAllOption{
		"WithBudget is negative":                          clerk.WithBudget(clerk.Budget{Creates: -1, BulkCreates: 1}),
		"WithBudget has neither creates nor bulk creates": clerk.WithBudget(clerk.Budget{}),
		"WithSourceError is nil":                          clerk.WithSourceError(nil),
		"WithProgress is nil":                             clerk.WithProgress(nil),
		"option is nil":                                   nil,
	} {
		_, err := createAll(t, client, guests(1), opt)
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.ErrorContains(t, err, text)
	}
	_, err := createAll(t, client, nil)
	require.ErrorContains(t, err, "requests is nil")
	require.Zero(t, mock.GetTotalCallCount())
}

// TestCreateAllHasSeveralObservers, as an SDK that has its own one needs.
func TestCreateAllHasSeveralObservers(t *testing.T) {
	calls := [2]int{}
	_, err := createAll(t, newLife(t).client, guests(10), clerk.WithProgress(func(clerk.Progress) { calls[0]++ }),
		clerk.WithProgress(func(clerk.Progress) { calls[1]++ }))
	require.NoError(t, err)
	require.Equal(t, [2]int{10, 10}, calls)
}

// TestCreateAllRepeatsItself also where the client says that calls do not.
func TestCreateAllRepeatsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lifeWith(t, clerktest.WithFaults(clerktest.FaultMix{Share: 0.2, Seed: 1}))
		never := clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone, RetryConnectionErrors: new(false)})
		results, err := createAll(t, l.client, guests(200), never)
		require.NoError(t, err)
		require.Len(t, results, 200)
		require.Len(t, l.fake.Invitations(), 200)
	})
}

// TestCreateAllInAnyOrder has a server that answers a bulk in another order, and
// changes the case of addresses.
func TestCreateAllInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				return reply(200, `{"data":[],"total_count":0}`)(req)
			}
			var invs []string
			for i := range 3 {
				one := strings.Replace(pendingJSON, address, strings.ToUpper(guest(2-i)), 1)
				invs = append(invs, strings.Replace(one, testID, fmt.Sprint("inv_", 2-i), 1))
			}
			return reply(200, "["+strings.Join(invs, ",")+"]")(req)
		})
		results, err := createAll(t, newClient(t, odd), guests(3))
		require.NoError(t, err)
		for i, result := range results {
			require.Equal(t, fmt.Sprint("inv_", i), result.Invitation.ID)
		}

		// One of them is written in another way.
		n := 0
		odder := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				return reply(200, `{"data":[],"total_count":0}`)(req)
			}
			var invs []string
			for _, name := range []string{guest(1), "guest.2@example.com", guest(0)} {
				n++
				one := strings.Replace(pendingJSON, address, name, 1)
				invs = append(invs, strings.Replace(one, testID, fmt.Sprint("inv_", n), 1))
			}
			return reply(200, "["+strings.Join(invs, ",")+"]")(req)
		})
		results, err = createAll(t, newClient(t, odder), guests(3))
		require.NoError(t, err)
		require.Equal(t, []string{"inv_3", "inv_1", "inv_2"},
			[]string{results[0].Invitation.ID, results[1].Invitation.ID, results[2].Invitation.ID})

		// Not the same without regard to case, though they are when folded.
		l := newLife(t)
		requests := []clerk.CreateInvitationRequest{{EmailAddress: "us@example.com"}, {EmailAddress: "uſ@example.com"}}
		results, err = createAll(t, l.client, slices.Values(requests))
		require.NoError(t, err)
		for i, result := range results {
			require.Equal(t, requests[i].EmailAddress, result.Invitation.EmailAddress)
		}
	})
}

// TestCreateAllMakesPartOfABulk has a server that makes of the first bulk the first
// three, and drops the connection.
func TestCreateAllMakesPartOfABulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.AddUser(guest(7))
		first := true
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(req.URL.Path, "/bulk") || !first {
				return l.fake.RoundTrip(req)
			}
			first = false
			l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropAfter)
			req.Body = io.NopCloser(strings.NewReader(`[{"email_address":"guest0@example.com"},{"email_address":"guest1@example.com"},{"email_address":"guest2@example.com"}]`))
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		results, err := createAll(t, client, guests(10))
		require.NoError(t, err)
		for i, result := range results {
			if i == 7 {
				require.Equal(t, clerk.OutcomeUserExists, result.Outcome)
			} else {
				require.Equal(t, clerk.OutcomeCreated, result.Outcome, i)
			}
		}
		require.Len(t, l.fake.Invitations(), 9)
	})
}

// TestCreateAllDoesNotTrustThatBulksAreAllOrNothing has a server make the first three of
// a bulk, and refuse it.
func TestCreateAllDoesNotTrustThatBulksAreAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		first := true
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(req.URL.Path, "/bulk") || !first {
				return l.fake.RoundTrip(req)
			}
			first = false
			req.Body = io.NopCloser(strings.NewReader(`[{"email_address":"guest0@example.com"},{"email_address":"guest1@example.com"},{"email_address":"guest2@example.com"}]`))
			if _, err := l.fake.RoundTrip(req); err != nil {
				return nil, err
			}
			return reply(422, `{"errors":[{"code":"something_new","message":"m"}]}`)(req)
		}), clerk.WithSecretKeyFunc(l.key))
		requests := requestsFor(10, func(i int) clerk.CreateInvitationRequest {
			return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
		})
		results, err := createAll(t, client, requests)
		require.NoError(t, err)
		require.Equal(t, slices.Repeat([]clerk.Outcome{clerk.OutcomeCreated}, 10), outcomes(results))
		require.Len(t, l.fake.Invitations(), 10)
	})
}

// TestCreateAllMemory measures what a run keeps for each address.
func TestCreateAllMemory(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // what has a finaliser goes in the second
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	var made atomic.Int64
	endless := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		var b strings.Builder
		for range clerk.MaxBulkInvitations {
			fmt.Fprintf(&b, `,{"id":"inv_%d","email_address":"x@example.com"}`, made.Add(1))
		}
		return reply(200, "["+b.String()[1:]+"]")(req)
	})
	client := newClient(t, endless)
	const n = 100_000
	taken := 0
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for req := range guests(n) {
			taken++
			if !yield(req) {
				return
			}
		}
	}
	start, most := heap(), int64(0)
	for result, err := range client.Invitations.CreateAll(t.Context(), requests,
		clerk.WithBudget(clerk.Budget{BulkCreates: n}), clerk.WithSkipNone()) {
		require.NoError(t, err)
		if result.Index%(n/10) == n/10-1 {
			most = max(most, heap()-start)
		}
	}
	require.Equal(t, n, taken)
	t.Log(most/n, "bytes an address")
	require.Less(t, most, int64(96*n))
	require.Greater(t, most, int64(16*n), "or it has not measured")
}
