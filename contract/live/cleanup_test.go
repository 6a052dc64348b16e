package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// behaviors are the behaviors under which cleaning up has the most to find.
var behaviors = []string{"", "list-lag=1s", "list-lag=30s,bulks=good-rows", "query=ignored,lists=bare", "addresses=untagged", "case-sensitive-addresses,bulks-repeat"}

func TestStoppedRunLeavesNothing(t *testing.T) {
	forEachRequest(t, behaviors, func(t *testing.T, fake *clerktest.Fake, n int) {
		ctx, cancel := context.WithCancel(t.Context())
		sent := 0
		r, err := runAgainst(ctx, transport(func(req *http.Request) (*http.Response, error) {
			if sent++; sent == n {
				cancel() // in the middle of the request
			}
			return fake.RoundTrip(req)
		}))
		require.NoError(t, err)
		if sent > n {
			require.Contains(t, []string{"<nil>", "stopped: context canceled"}, fmt.Sprint(r.err))
		}
	})
}

func TestLostResponseLeavesNothing(t *testing.T) {
	// The request takes effect five seconds after its connection breaks.
	delayed := func(fake *clerktest.Fake, req *http.Request) (*http.Response, error) {
		again := req.Clone(context.WithoutCancel(req.Context()))
		time.AfterFunc(5*time.Second, func() { _, _ = fake.RoundTrip(again) })
		return nil, errors.New("broken")
	}
	forEachRequest(t, behaviors, func(t *testing.T, fake *clerktest.Fake, n int) {
		sent := 0
		_, err := runAgainst(t.Context(), transport(func(req *http.Request) (*http.Response, error) {
			if sent++; sent == n {
				return delayed(fake, req)
			}
			return fake.RoundTrip(req)
		}))
		require.NoError(t, err)
		require.LessOrEqual(t, sent, maxRequests+listing)
	})
}

func TestFaultLeavesNothing(t *testing.T) {
	for _, fault := range clerktest.AllFaults() {
		forEachRequest(t, behaviors[:1], func(t *testing.T, fake *clerktest.Fake, n int) {
			sent := 0
			_, err := runAgainst(t.Context(), transport(func(req *http.Request) (*http.Response, error) {
				if sent++; sent == n {
					for _, op := range clerktest.Operations() {
						fake.Fail(op, fault)
					}
				}
				resp, err := fake.RoundTrip(req)
				fake.ClearFaults()
				return resp, err
			}))
			require.NoError(t, err, fault)
		})
	}
}

// forEachRequest runs a test for each of the first requests of a run and each of some
// behaviors. At the end, the fake has nothing from the run, and everything that it had before.
func forEachRequest(t *testing.T, behaviors []string, test func(t *testing.T, fake *clerktest.Fake, n int)) {
	t.Helper()
	for _, text := range behaviors {
		behavior, err := clerktest.ParseBehavior(text)
		require.NoError(t, err)
		for n := 1; n <= 62; n++ {
			inBubble(t, fmt.Sprint(text, " ", n), func(t *testing.T) {
				fake := newFake(t, 3, clerktest.WithBehavior(behavior))
				test(t, fake, n)
				time.Sleep(time.Minute)
				require.Empty(t, left(fake))
				require.Len(t, fake.Invitations(), 3)
			})
		}
	}
}

func TestCleanupFindsWhatAKilledRunLeft(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 90)
		killed := newRun(newClient(fake, "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Now())
		killed.ask(t.Context())
		require.NotEmpty(t, left(fake))
		other := newRun(killed.client, strings.Repeat("f", 12), time.Time{})
		require.NoError(t, other.cleanup(t.Context()))
		require.NotEmpty(t, left(fake), "another run's are left alone")
		require.NoError(t, newRun(killed.client, testRun, time.Time{}).cleanup(t.Context()))
		require.Empty(t, left(fake))
		require.Len(t, fake.Invitations(), 90)
	})
}

func TestCleanupOfAnInstanceWhoseListsAreLate(t *testing.T) {
	for _, behavior := range []clerktest.Behavior{{ListLag: 30 * time.Second}, {ListLag: 2 * time.Minute}} {
		inBubble(t, behavior.String(), func(t *testing.T) {
			fake := newFake(t, 3, clerktest.WithBehavior(behavior))
			begin := time.Now()
			r, err := runAgainst(t.Context(), fake)
			require.NoError(t, err)
			require.NoError(t, r.err)
			require.Empty(t, left(fake))
			require.LessOrEqual(t, r.sent, maxRequests)
			require.Less(t, time.Since(begin), 10*time.Minute)
			if r.late {
				require.Equal(t, "lists are late by more than a minute", r.answers["bulks"].none)
			} else {
				require.Equal(t, []string{behavior.String()}, flips(r))
			}
		})
	}
}

func TestCleanupSaysWhenListsAreTooLate(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 3, clerktest.WithBehavior(clerktest.Behavior{ListLag: 2 * time.Minute}))
		lost := false
		r, err := runAgainst(t.Context(), transport(func(req *http.Request) (*http.Response, error) {
			resp, err := fake.RoundTrip(req)
			second := slices.ContainsFunc(left(fake), func(inv string) bool { return strings.Contains(inv, ".b+") })
			if second && !lost {
				lost = true
				return nil, errors.New("broken")
			}
			return resp, err
		}))
		require.ErrorContains(t, err, "-cleanup "+testRun)
		require.ErrorContains(t, r.err, "-cleanup "+testRun)
		require.NotEmpty(t, left(fake))
		time.Sleep(time.Hour)
		require.NoError(t, newRun(r.client, testRun, time.Time{}).cleanup(t.Context()))
		require.Empty(t, left(fake))
	})
}

func TestCleanupWaitsForALimit(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 3)
		limits := clerktest.DevelopmentRateLimits()
		limits.Requests = clerktest.Limit{Requests: 40, Per: 30 * time.Second}
		fake.SetRateLimits(limits)
		_, err := runAgainst(t.Context(), fake)
		require.NoError(t, err)
		require.Empty(t, left(fake))
	})
}

func TestCleanupReportsWhatClerkDoesNotDelete(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 3)
		_, err := runAgainst(t.Context(), transport(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodDelete {
				return &http.Response{StatusCode: http.StatusMethodNotAllowed, Body: http.NoBody}, nil
			}
			return fake.RoundTrip(req)
		}))
		require.ErrorContains(t, err, "invitations are revoked, but Clerk does not delete them: 405")
		require.NotEmpty(t, left(fake))
		for _, inv := range left(fake) {
			require.True(t, strings.HasSuffix(inv, "revoked"), inv)
		}
	})
}
