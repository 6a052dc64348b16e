package clerk_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A link is a transport that takes a time to answer, and notes how many requests are
// on their way at once.
type link struct {
	next  http.RoundTripper
	delay time.Duration

	mu           sync.Mutex
	open, most   int
	sent, broken int
	fail         func(n int) *http.Response // may be nil
}

func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.sent++
	l.open++
	l.most = max(l.most, l.open)
	n := l.sent
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.open--
		l.mu.Unlock()
	}()
	select {
	case <-req.Context().Done():
		l.mu.Lock()
		l.broken++
		l.mu.Unlock()
		return nil, req.Context().Err()
	case <-time.After(l.delay):
	}
	if l.fail != nil {
		if resp := l.fail(n); resp != nil {
			return resp, nil
		}
	}
	return l.next.RoundTrip(req)
}

// filled is a fake with n invitations, a second apart.
func filled(t *testing.T, n int, opts ...clerktest.Option) life {
	t.Helper()
	l := lifeWith(t, opts...)
	for i := range n {
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		require.NoError(t, err)
		time.Sleep(time.Second)
	}
	return l
}

// through makes a client whose requests go over a link, and the link.
func (l life) through(t *testing.T, delay time.Duration) (*clerk.Client, *link) {
	t.Helper()
	over := &link{next: l.fake, delay: delay}
	return newClient(t, over, clerk.WithSecretKeyFunc(l.key)), over
}

func collect(t *testing.T, all func(func(clerk.Invitation, error) bool)) []clerk.Invitation {
	t.Helper()
	var invs []clerk.Invitation
	for inv, err := range all {
		require.NoError(t, err)
		invs = append(invs, inv)
	}
	return invs
}

// TestPrefetch is as quick as its pages ahead allow, and gives the same.
func TestPrefetch(t *testing.T) {
	for pages, want := range map[int]struct {
		most int
		took time.Duration
	}{
		0: {1, 25 * time.Second},
		1: {1, 25 * time.Second},
		4: {4, (1 + 6) * time.Second},
		8: {8, (1 + 3) * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := filled(t, 250)
			client, over := l.through(t, time.Second)
			start := time.Now()
			got := collect(t, client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(pages)))
			require.Equal(t, l.fake.Invitations(), got)
			require.Equal(t, want.took, time.Since(start))
			require.Equal(t, want.most, over.most)
			require.Equal(t, 25, over.sent)
		})
	}
}

// TestPrefetchGoesOnDuringTheLoop has a loop that is as slow as the link.
func TestPrefetchGoesOnDuringTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := filled(t, 100)
		client, _ := l.through(t, time.Second)
		start := time.Now()
		for _, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(1)) {
			require.NoError(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		require.Equal(t, 11*time.Second, time.Since(start))
	})
}

// TestPrefetchKeepsTheLimits of development and production instances.
func TestPrefetchKeepsTheLimits(t *testing.T) {
	for key, want := range map[string]struct {
		limit int
		took  time.Duration
	}{"sk_test_dummy": {100, 50 * time.Second}, "sk_dummy": {1000, 0}} {
		synctest.Test(t, func(t *testing.T) {
			l := filled(t, 500, clerktest.WithSecretKey(key), clerktest.WithRateLimits(clerktest.RateLimits{
				Requests: clerktest.Limit{Requests: want.limit, Per: 10 * time.Second}, Sliding: true,
			}))
			time.Sleep(time.Minute)
			start, before := time.Now(), len(l.fake.Requests())
			got := collect(t, l.client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 1}, clerk.WithPrefetch(20)))
			require.Len(t, got, 500)
			require.Equal(t, want.took, time.Since(start))
			require.Zero(t, l.status(429))
			require.Len(t, l.fake.Requests(), before+500)
		})
	}
}

// TestAllHoldsStill while invitations are made, between any two requests.
func TestAllHoldsStill(t *testing.T) {
	for _, pages := range []int{0, 1, 5} {
		for _, order := range []clerk.InvitationOrder{"", clerk.OrderByCreatedAt, clerk.OrderByCreatedAtDesc} {
			synctest.Test(t, func(t *testing.T) {
				l := filled(t, 100)
				before := l.fake.Invitations()
				client, over := l.through(t, time.Second)
				over.fail = func(n int) *http.Response {
					_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("new%d@example.com", n)})
					assertNoError(t, err)
					return nil
				}
				got := collect(t, client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10, OrderBy: order}, clerk.WithPrefetch(pages)))
				times := map[string]int{}
				for _, inv := range got {
					times[inv.ID]++
					require.Equal(t, 1, times[inv.ID], "once")
				}
				for _, inv := range before {
					require.Equal(t, 1, times[inv.ID])
				}
				if order != clerk.OrderByCreatedAtDesc {
					require.Equal(t, l.fake.Invitations()[:len(got)], got)
				}
			})
		}
	}
}

// TestAllOfOddServers has pages that are smaller or larger than was asked for, and
// counts that are wrong or missing.
func TestAllOfOddServers(t *testing.T) {
	const n = 97
	for name, odd := range map[string]struct {
		limit func(asked int) int
		total func(have int) any
		lost  bool // invitations that are beyond the total count
	}{
		"as it is":        {nil, nil, false},
		"smaller pages":   {func(int) int { return 3 }, nil, false},
		"larger pages":    {func(int) int { return 17 }, nil, false},
		"everything":      {func(int) int { return n }, nil, false},
		"no count":        {nil, func(int) any { return nil }, false},
		"no count, small": {func(int) int { return 3 }, func(int) any { return nil }, false},
		"negative":        {nil, func(int) any { return -5 }, false},
		"too high":        {nil, func(have int) any { return have * 1000 }, false},
		"too low":         {nil, func(have int) any { return have / 2 }, true},
	} {
		for _, pages := range []int{0, 1, 4} {
			t.Run(fmt.Sprint(name, pages), func(t *testing.T) {
				client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					q := req.URL.Query()
					offset, _ := strconv.Atoi(q.Get("offset"))
					limit, err := strconv.Atoi(q.Get("limit"))
					if err != nil {
						return nil, err
					}
					if odd.limit != nil {
						limit = odd.limit(limit)
					}
					invs := []clerk.Invitation{}
					for i := offset; i < min(offset+limit, n); i++ {
						invs = append(invs, clerk.Invitation{ID: fmt.Sprint("inv_", i)})
					}
					answer := map[string]any{"data": invs, "total_count": n}
					if odd.total != nil {
						answer["total_count"] = odd.total(n)
					}
					if answer["total_count"] == nil {
						return httpmock.NewJsonResponse(200, invs)
					}
					return httpmock.NewJsonResponse(200, answer)
				}))
				var got []string
				for _, inv := range collect(t, client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(pages))) {
					got = append(got, inv.ID)
				}
				if odd.lost {
					require.Equal(t, ids(50), got)
				} else {
					require.Equal(t, ids(n), got)
				}
			})
		}
	}
}

// TestPrefetchEnds what it has requested ahead, with the loop and with an error.
func TestPrefetchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := filled(t, 100)
		client, over := l.through(t, time.Second)
		for inv, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(5)) {
			require.NoError(t, err)
			require.Equal(t, guest(0), inv.EmailAddress)
			synctest.Wait()
			break
		}
		synctest.Wait()
		require.Equal(t, 5, over.broken)
		require.Zero(t, over.open)

		over.sent, over.broken = 0, 0
		over.fail = func(n int) *http.Response {
			if n != 3 {
				return nil
			}
			resp, err := reply(403, ``)(&http.Request{})
			assertNoError(t, err)
			return resp
		}
		var got []string
		var last error
		for inv, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(2)) {
			if last = err; err == nil {
				got = append(got, inv.EmailAddress)
			}
		}
		require.Contains(t, []int{10, 20}, len(got), "those before it") // of two requests at once, either may come first
		require.Equal(t, 403, asSDKError(t, last).StatusCode)
		synctest.Wait()
		require.Zero(t, over.open)
	})
}

func TestPrefetchTellsOfTheLastResponse(t *testing.T) {
	l := filledNow(t, 50)
	var meta clerk.ResponseMeta
	var traces []string
	for inv, err := range l.client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(3), clerk.WithResponse(&meta)) {
		require.NoError(t, err)
		require.NotEmpty(t, inv.ID)
		if !slices.Contains(traces, meta.TraceID) {
			traces = append(traces, meta.TraceID)
		}
	}
	require.Len(t, traces, 5)
}

// filledNow is a fake with n invitations, in real time.
func filledNow(t *testing.T, n int) life {
	t.Helper()
	l := newLife(t)
	for i := range n {
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		require.NoError(t, err)
	}
	return l
}

func TestPrefetchRefuses(t *testing.T) {
	mock := answering(reply(200, `[]`))
	client := newClient(t, mock)
	for _, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{}, clerk.WithPrefetch(-1)) {
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.ErrorContains(t, err, "WithPrefetch is negative")
	}
	require.Zero(t, mock.GetTotalCallCount())
}
