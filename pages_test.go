package clerk_test

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestPrefetchRequestsPagesConcurrently: a listing is as fast as the pages ahead allow, and
// returns the same invitations.
func TestPrefetchRequestsPagesConcurrently(t *testing.T) {
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
			l := filledNow(t, 250)
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

// The loop is as slow as the link.
func TestPrefetchContinuesDuringTheLoop(t *testing.T) {
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

// TestPrefetchKeepsTheRateLimits tests the limits of development and production instances.
func TestPrefetchKeepsTheRateLimits(t *testing.T) {
	for key, want := range map[string]struct {
		limit int
		took  time.Duration
	}{"sk_test_dummy": {100, 50 * time.Second}, "sk_dummy": {1000, 0}} {
		synctest.Test(t, func(t *testing.T) {
			l := filledNow(t, 500, clerktest.WithSecretKey(key), clerktest.WithRateLimits(clerktest.RateLimits{
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

// The key of each page decides which limit applies. The provider is called once for each page.
func TestPrefetchLeavesATenthOfTheLimit(t *testing.T) {
	for _, test := range []struct {
		key   string
		pages int // the first one does not count
		took  time.Duration
	}{
		{"sk_test_dummy", 1 + 90, 0},
		{"sk_test_dummy", 1 + 91, 10 * time.Second},
		{"sk_dummy", 1 + 900, 0},
		{"sk_dummy", 1 + 901, 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			have := ids(test.pages)
			var asked atomic.Int32
			client := newClient(t, &listing{ids: func() []string { return have }}, clerk.WithSecretKeyFunc(func(ctx context.Context) (string, error) {
				asked.Add(1)
				if _, ok := ctx.Deadline(); !ok {
					t.Error("it has no deadline")
				}
				return test.key, nil
			}))
			start := time.Now()
			require.Len(t, collect(t, client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 1}, clerk.WithPrefetch(1))), test.pages)
			require.Equal(t, test.took, time.Since(start))
			require.EqualValues(t, test.pages, asked.Load())
		})
	}
}

// TestPrefetchStopsWithTheLoop: requests made ahead end when the loop ends, and after an
// error.
func TestPrefetchStopsWithTheLoop(t *testing.T) {
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

func TestPrefetchReportsTheLastResponse(t *testing.T) {
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

func TestPrefetchRejectsNegativePages(t *testing.T) {
	mock := answering(reply(200, `[]`))
	client := newClient(t, mock)
	for _, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{}, clerk.WithPrefetch(-1)) {
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.ErrorContains(t, err, "WithPrefetch is negative")
	}
	require.Zero(t, mock.GetTotalCallCount())
}
