package clerk_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestCreateAllReadsRequestsAsNeeded(t *testing.T) {
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

// TestCreateAllSendsBeforeABulkIsFull yields each request only when the previous one has
// its result.
func TestCreateAllSendsBeforeABulkIsFull(t *testing.T) {
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

func TestCreateAllReportsSourceErrors(t *testing.T) {
	broken := errors.New("line 3: " + address)
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		results, err := createAll(t, l.client, guests(12), clerk.WithSourceError(func() error { return broken }))
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "clerk: reading the requests failed: line 3: [redacted]")
		require.Equal(t, broken, asSDKError(t, err).Err)
		require.Len(t, results, 12)

		results, err = createAll(t, l.client, guests(12), clerk.WithSourceError(func() error { return nil }))
		require.NoError(t, err)
		require.Len(t, results, 12)

		require.PanicsWithValue(t, broken, func() {
			_, _ = createAll(t, l.client, func(func(clerk.CreateInvitationRequest) bool) { panic(broken) })
		})
		results, err = createAll(t, l.client, func(func(clerk.CreateInvitationRequest) bool) { runtime.Goexit() })
		require.ErrorContains(t, err, "the iterator of the requests: a function called runtime.Goexit")
		require.Empty(t, results)
	})
}

func TestCreateAllRunsInAGoroutineLockedToItsThread(t *testing.T) {
	l := newLife(t)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		var last error
		for _, err := range l.client.Invitations.CreateAll(t.Context(), guests(12)) {
			last = cmp.Or(last, err)
		}
		done <- last
	}()
	require.NoError(t, <-done)
	require.Len(t, l.fake.Invitations(), 12)
}

func TestCreateAllIsNotHeldUpByTheIteratorAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		release := make(chan struct{})
		defer close(release)
		start := time.Now()
		for range l.client.Invitations.CreateAll(t.Context(), func(yield func(clerk.CreateInvitationRequest) bool) {
			defer func() { <-release }()
			for i := 0; yield(clerk.CreateInvitationRequest{EmailAddress: guest(i)}); i++ {
			}
		}) {
			break
		}
		require.Less(t, time.Since(start), time.Second)
	})
}

func TestCreateAllEndsWhileTheIteratorBlocks(t *testing.T) {
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

func TestCreateAllBisectsWhileTheIteratorBlocks(t *testing.T) {
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

// TestCreateAllSendsWhileRequestsAreSkipped reads requests that are skipped faster than
// the run waits for more.
func TestCreateAllSendsWhileRequestsAreSkipped(t *testing.T) {
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

// addressesIn returns the addresses in the body of a create or a bulk, and restores the body.
func addressesIn(req *http.Request) (addresses []string) {
	if req.Body == nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	var many []clerk.CreateInvitationRequest
	if json.Unmarshal(body, &many) != nil {
		many = make([]clerk.CreateInvitationRequest, 1)
		if json.Unmarshal(body, &many[0]) != nil {
			return nil
		}
	}
	for _, one := range many {
		addresses = append(addresses, one.EmailAddress)
	}
	return addresses
}

// poisoned returns a transport that answers requests about some addresses itself.
func poisoned(next http.RoundTripper, answer httpmock.Responder, bad ...string) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost && slices.ContainsFunc(addressesIn(req), func(a string) bool { return slices.Contains(bad, a) }) {
			return answer(req)
		}
		return next.RoundTrip(req)
	})
}

// Some requests always fail, among good ones.
func TestOneBadRequestStopsNobody(t *testing.T) {
	t.Parallel()
	for name, answer := range poisons {
		for i, bad := range [][]int{{50}, {3, 13, 23, 33, 43, 53, 63, 73, 83, 93, 97}, {0}, {99}} {
			for _, ignoreExisting := range []bool{false, true} {
				if i >= soakSize(1, 1, 4) {
					continue
				}
				t.Run(fmt.Sprint(name, "/", bad, "/", ignoreExisting), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						lastGood, writes := requireGoodOnesPass(t, answer, bad, ignoreExisting)
						require.LessOrEqual(t, lastGood, 4*time.Hour)
						require.LessOrEqual(t, writes, 500)
					})
				})
			}
		}
	}
}

func requireGoodOnesPass(t *testing.T, answer httpmock.Responder, bad []int, ignoreExisting bool) (lastGood time.Duration, writes int) {
	t.Helper()
	const n = 100
	l := limited(t, true)
	var addresses []string
	for _, i := range bad {
		addresses = append(addresses, guest(i))
	}
	counted := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			writes++
		}
		return poisoned(l.fake, answer, addresses...).RoundTrip(req)
	})
	client, err := l.fake.Client(clerk.WithHTTPClient(&http.Client{Transport: counted}))
	require.NoError(t, err)
	start := time.Now()
	results := map[int]clerk.CreateResult{}
	for result, err := range client.Invitations.CreateAll(t.Context(), requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
	})) {
		require.NoError(t, err)
		results[result.Index] = result
		if result.Outcome == clerk.OutcomeCreated {
			lastGood = time.Since(start)
		}
		require.LessOrEqual(t, time.Since(start), 48*time.Hour)
	}
	require.Len(t, results, n)
	for i := range n {
		if !slices.Contains(bad, i) {
			require.Equal(t, clerk.OutcomeCreated, results[i].Outcome, "%v", results[i])
			continue
		}
		require.Contains(t, []clerk.Outcome{clerk.OutcomeRejected, clerk.OutcomeUnknown}, results[i].Outcome, "%v", results[i])
		require.Error(t, results[i].Err)
	}
	require.Len(t, l.fake.Invitations(), n-len(bad))
	t.Logf("the last good one after %s, all after %s, %d writes", lastGood, time.Since(start), writes)
	require.LessOrEqual(t, time.Since(start), 12*time.Hour)
	return lastGood, writes
}

// A quarter of the requests always fail.
func TestManyBadRequestsStopNobody(t *testing.T) {
	t.Parallel()
	var bad []int
	for i := range 100 {
		if i%4 == 0 {
			bad = append(bad, i)
		}
	}
	for _, name := range []string{"500", "conflict"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, writes := requireGoodOnesPass(t, poisons[name], bad, false)
				require.LessOrEqual(t, writes, 1000)
			})
		})
	}
}

// The budget has only one kind of request, or few of both.
func TestOneBadRequestUnderOtherBudgets(t *testing.T) {
	t.Parallel()
	for _, budget := range []clerk.Budget{{BulkCreates: 25}, {Creates: 90}, {Creates: 1, BulkCreates: 1, Window: time.Minute}} {
		for _, name := range []string{"500", "conflict", "422, cut off", "403 of the edge"} {
			t.Run(fmt.Sprint(budget, "/", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := lifeWith(t)
					client := clientThrough(t, l.fake, poisoned(l.fake, poisons[name], guest(7)))
					start := time.Now()
					results, err := createAll(t, client, guests(60), clerk.WithBudget(budget), clerk.WithProgress(func(clerk.Progress) {
						require.LessOrEqual(t, time.Since(start), 48*time.Hour)
					}))
					require.NoError(t, err)
					for i, result := range results {
						require.Equal(t, i != 7, result.Outcome == clerk.OutcomeCreated, "%v", result)
					}
					require.Len(t, l.fake.Invitations(), 59)
					require.LessOrEqual(t, time.Since(start), 12*time.Hour)
				})
			})
		}
	}
}

// A proxy in front of Clerk refuses every write.
func TestRefusedEverythingEnds(t *testing.T) {
	for _, name := range []string{"403 of the edge", "404 of a proxy", "409 of no code"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start := time.Now()
				results, err := createAll(t, clientThrough(t, l.fake, failingOn(l.fake, http.MethodPost, "", poisons[name])), guests(300))
				require.Error(t, err)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Empty(t, results)
				require.LessOrEqual(t, time.Since(start), time.Hour)
			})
		})
	}
}

// A rate limit says nothing about a request. So the request waits, however often it is rate
// limited while others succeed.
func TestCreateAllRejectsNobodyForRateLimits(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	isCreate := func(req *http.Request) bool { return req.URL.Path == "/v1/invitations" }
	until := func(end time.Duration, isLimited func(*http.Request) bool) func(time.Duration, *http.Request) bool {
		return func(elapsed time.Duration, req *http.Request) bool { return elapsed < end && isLimited(req) }
	}
	nineOfTen := func(*http.Request) bool { return random.IntN(10) > 0 }
	for name, isLimited := range map[string]func(time.Duration, *http.Request) bool{
		"nine of ten for a day":     until(24*time.Hour, nineOfTen),
		"creates for an hour":       until(time.Hour, isCreate),
		"creates, always":           until(1000*time.Hour, isCreate),
		"a guest for a day":         until(24*time.Hour, func(req *http.Request) bool { return slices.Contains(addressesIn(req), guest(7)) }),
		"all for two days":          until(48*time.Hour, func(*http.Request) bool { return true }),
		"bulks and guests, an hour": until(time.Hour, func(req *http.Request) bool { return !isCreate(req) || random.IntN(2) > 0 }),
	} {
		for retryAfter, limit := range map[string]httpmock.Responder{
			"1": reply(429, ``, "Retry-After", "1"), "60": reply(429, ``, "Retry-After", "60"), "none": reply(429, ``),
		} {
			t.Run(name+"/"+retryAfter, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l, start := limited(t, false), time.Now()
					client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
						if req.Method == http.MethodPost && isLimited(time.Since(start), req) {
							return limit(req)
						}
						return l.fake.RoundTrip(req)
					}))
					results, err := createAll(t, client, guests(260))
					require.NoError(t, err)
					require.Equal(t, slices.Repeat([]clerk.Outcome{clerk.OutcomeCreated}, 260), outcomes(results))
					require.LessOrEqual(t, time.Since(start), 72*time.Hour)
				})
			})
		}
	}
}
