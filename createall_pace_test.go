package clerk_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestCreateAllTakesTheFewestHours: a run takes as few hours as its budget allows, with
// fixed and sliding limits, and no request is refused.
func TestCreateAllTakesTheFewestHours(t *testing.T) {
	for _, test := range []struct {
		budget clerk.Budget
		n      int
		hours  int
	}{
		{n: 1}, {n: 15}, {n: 340}, {n: 341, hours: 1}, {n: 680, hours: 1},
		{n: 1000, hours: 2}, {n: 5000, hours: 14}, {n: 10_000, hours: 29},
		{clerk.Budget{Creates: 100, BulkCreates: 25}, 1000, 2},
		{clerk.Budget{Creates: 100, BulkCreates: 25}, 10_000, 28},
		{clerk.Budget{BulkCreates: 25}, 1000, 3},
		{clerk.Budget{Creates: 100}, 1000, 9},
		{clerk.Budget{Creates: 3, BulkCreates: 1}, 130, 9},
	} {
		if test.n > soakSize(1000, 1000, 10_000) {
			continue
		}
		for _, sliding := range []bool{false, true} {
			t.Run(fmt.Sprint(test.budget, test.n, sliding), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := limited(t, sliding)
					var opts []clerk.CreateAllOption
					if test.budget != (clerk.Budget{}) {
						opts = append(opts, clerk.WithBudget(test.budget))
					}
					start := time.Now()
					results, err := createAll(t, l.client, guests(test.n), opts...)
					require.NoError(t, err)
					require.Len(t, results, test.n)
					require.Equal(t, time.Duration(test.hours)*time.Hour, time.Since(start).Round(time.Minute))
					for i, inv := range invitationsByAddress(l.fake) {
						require.Len(t, inv, 1, i)
					}
					require.Len(t, l.fake.Invitations(), test.n)
					require.Equal(t, len(l.fake.Requests()), l.status(200))
				})
			})
		}
	}
}

// TestCreateAllLeavesUnbudgetedCreates makes the creates outside the budget during a run. None
// of them is refused.
func TestCreateAllLeavesUnbudgetedCreates(t *testing.T) {
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

// Several runs use the same limits and do not know of each other.
func TestCreateAllSharesLimitsBetweenRuns(t *testing.T) {
	t.Parallel()
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
						t.Errorf("process %d created %d", process, n)
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

// TestCreateAllBudgetCountsOnlySentRequests: an outage uses up no budget.
func TestCreateAllBudgetCountsOnlySentRequests(t *testing.T) {
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

func TestCreateAllUsesCreatesWhileBulksAreLimited(t *testing.T) {
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

// TestCreateAllBacksOffWithoutRetryAfter: the 429s do not say how long to wait.
func TestCreateAllBacksOffWithoutRetryAfter(t *testing.T) {
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

func TestCreateAllWaitsForRateLimitsOfAnyStatus(t *testing.T) {
	for name, limited := range map[string]httpmock.Responder{
		"400 too_many_requests": reply(400, envelope("too_many_requests", "m", "", "null"), "Retry-After", "60"),
		"422 too_many_requests": reply(422, envelope("too_many_requests", "m", "", "null")),
		"403 with Retry-After":  reply(403, `<html>`, "Retry-After", "60"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start := time.Now()
				client := l.failingWrites(t, 1, limited, func() bool { return time.Since(start) < 10*time.Minute })
				results, err := createAll(t, client, guests(30))
				require.NoError(t, err)
				for _, result := range results {
					require.Equal(t, clerk.OutcomeCreated, result.Outcome)
				}
				require.Len(t, results, 30)
			})
		})
	}
}

// TestCreateAllBackoffResetsAfterSuccess: the first wait after a success is short again.
func TestCreateAllBackoffResetsAfterSuccess(t *testing.T) {
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

func TestCreateAllEndsWhenTheNextHourIsAfterTheDeadline(t *testing.T) {
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
