package clerk_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestAllListsEveryPage(t *testing.T) {
	have := ids(25)
	server := &listing{ids: func() []string { return have }}
	req := clerk.ListInvitationsRequest{Status: clerk.InvitationStatusPending, Paginated: new(false), Limit: 10, Offset: 2}
	all := newClient(t, server).Invitations.All(t.Context(), req)
	require.Empty(t, server.queries, "nothing is requested before the loop begins")

	req.Limit = 1 // the sequence has its own copy
	for range 2 {
		server.queries = nil
		var got []string
		for inv, err := range all {
			require.NoError(t, err)
			got = append(got, inv.ID)
		}
		require.Equal(t, have[2:], got)
		require.Equal(t, []url.Values{
			{"status": {"pending"}, "order_by": {"+created_at"}, "paginated": {"true"}, "limit": {"10"}, "offset": {"2"}},
			{"status": {"pending"}, "order_by": {"+created_at"}, "paginated": {"true"}, "limit": {"10"}, "offset": {"12"}},
			{"status": {"pending"}, "order_by": {"+created_at"}, "paginated": {"true"}, "limit": {"10"}, "offset": {"22"}},
		}, server.queries)
	}
}

func TestAllRequestsPagesAsTheLoopReachesThem(t *testing.T) {
	server := &listing{ids: func() []string { return ids(25) }}
	for inv, err := range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}) {
		require.NoError(t, err)
		if inv.ID == "inv_9" { // the last of the first page
			break
		}
	}
	require.Len(t, server.queries, 1)
}

func TestAllRequestsTheLargestPages(t *testing.T) {
	server := &listing{ids: func() []string { return nil }}
	for range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}) {
		t.Fatal("there is none")
	}
	require.Len(t, server.queries, 1)
	require.Equal(t, "500", server.queries[0].Get("limit"))
}

func TestAllYieldsEachInvitationOnce(t *testing.T) {
	// The list is newest first, and an invitation is created before each page.
	var server *listing
	server = &listing{ids: func() []string {
		have := ids(25)
		for i := range len(server.queries) {
			have = append([]string{fmt.Sprint("inv_new_", i)}, have...)
		}
		return have
	}}
	got := map[string]int{}
	for inv, err := range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}) {
		require.NoError(t, err)
		got[inv.ID]++
	}
	for _, id := range ids(25) {
		require.Equal(t, 1, got[id], id)
	}
}

func TestAllYieldsAnInvitationOnceIfAPageRepeatsIt(t *testing.T) {
	server := &listing{ids: func() []string { return []string{"inv_0", "inv_1", "inv_0"} }}
	got := collect(t, newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}))
	require.Len(t, got, 2)
	require.Equal(t, "inv_0", got[0].ID)
	require.Equal(t, "inv_1", got[1].ID)
}

// Others create as many invitations as fit on a page of a list that is newest first.
func TestAllContinuesAfterAPageOfRepeats(t *testing.T) {
	have := []string{"inv_4", "inv_3", "inv_2", "inv_1"}
	server := &listing{ids: func() []string { return have }}
	var got []string
	for inv, err := range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 2, OrderBy: clerk.OrderByCreatedAtDesc}) {
		require.NoError(t, err)
		if got = append(got, inv.ID); len(got) == 2 {
			have = append([]string{"inv_6", "inv_5"}, have...)
		}
	}
	require.Equal(t, []string{"inv_4", "inv_3", "inv_2", "inv_1"}, got)
	require.Len(t, server.queries, 3)
}

// A loop over All may take longer than MaxElapsedTime. FindPending must read all of its pages
// within that time.
func TestAllGivesEachPageAllOfTheTime(t *testing.T) {
	for _, pages := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			server := &listing{ids: func() []string { return ids(30) }}
			for _, err := range newClient(t, server).Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(pages)) {
				require.NoError(t, err)
				time.Sleep(time.Minute)
			}
			require.Len(t, server.queries, 3)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		client := newClient(t, answering(reply(200, `{"data":[`+pendingJSON+`],"total_count":2}`), reply(503, ``)))
		var start time.Time
		var last error
		for _, last = range client.Invitations.All(ctx, clerk.ListInvitationsRequest{}) {
			if last == nil {
				time.Sleep(time.Minute)
				start = time.Now()
			}
		}
		require.Equal(t, 503, asSDKError(t, last).StatusCode)
		require.LessOrEqual(t, time.Since(start), time.Minute)
	})
	synctest.Test(t, func(t *testing.T) {
		over := &link{next: &listing{ids: func() []string { return ids(5000) }}, delay: 14 * time.Second}
		start := time.Now()
		_, err := newClient(t, over).Invitations.FindPending(t.Context(), address)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
		require.Equal(t, 5, over.sent)
	})
}

func TestAllEndsWhenAPageIsTheSameAgain(t *testing.T) {
	// This server ignores limit and offset.
	mock := answering(reply(200, "["+pendingJSON+"]"))
	n := 0
	for _, err := range newClient(t, mock).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
	require.Equal(t, 2, mock.GetTotalCallCount())
}

func TestAllYieldsAnErrorOnce(t *testing.T) {
	mock := answering(reply(200, `{"data":[`+pendingJSON+`],"total_count":2}`), reply(400, duplicateJSON))
	var errs []error
	for inv, err := range newClient(t, mock).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}) {
		if err != nil {
			require.Zero(t, inv)
		}
		errs = append(errs, err)
	}
	require.Len(t, errs, 2)
	require.NoError(t, errs[0])
	require.Equal(t, 400, asSDKError(t, errs[1]).StatusCode)
	require.Equal(t, 2, mock.GetTotalCallCount())
}

func TestAllCopiesItsOptions(t *testing.T) {
	rec := &recorder{next: &listing{ids: func() []string { return ids(1) }}}
	opts := []clerk.AllOption{clerk.WithHeader("X-Team", "one")}
	all := newClient(t, rec).Invitations.All(t.Context(), clerk.ListInvitationsRequest{}, opts...)
	opts[0] = clerk.WithHeader("X-Team", "two")
	for _, err := range all {
		require.NoError(t, err)
	}
	require.Equal(t, "one", rec.last.Header.Get("X-Team"))
}

// TestAllIsStableWhileInvitationsAreCreated creates an invitation between every two requests.
func TestAllIsStableWhileInvitationsAreCreated(t *testing.T) {
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

// Pages are smaller or larger than requested, and counts are wrong or missing.
func TestAllReadsUnexpectedPages(t *testing.T) {
	const n = 97
	for name, odd := range map[string]struct {
		limit func(asked int) int
		total func(have int) any
		lost  bool // invitations that are beyond the total count
		ended bool // with an error
	}{
		"as it is":        {nil, nil, false, false},
		"smaller pages":   {func(int) int { return 3 }, nil, false, false},
		"larger pages":    {func(int) int { return 17 }, nil, false, false},
		"everything":      {func(int) int { return n }, nil, false, false},
		"no count":        {nil, func(int) any { return nil }, false, false},
		"no count, small": {func(int) int { return 3 }, func(int) any { return nil }, false, false},
		"negative":        {nil, func(int) any { return -5 }, false, false},
		"too high":        {nil, func(have int) any { return have * 1000 }, false, true},
		"too low":         {nil, func(have int) any { return have / 2 }, true, false},
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
					body := map[string]any{"data": invs, "total_count": n}
					if odd.total != nil {
						body["total_count"] = odd.total(n)
					}
					if body["total_count"] == nil {
						return httpmock.NewJsonResponse(200, invs)
					}
					return httpmock.NewJsonResponse(200, body)
				}))
				var got []string
				hasEnded := false
				for inv, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Limit: 10}, clerk.WithPrefetch(pages)) {
					if err != nil {
						require.EqualError(t, err, "clerk: ListInvitations: 200 the pages ended after 97 of 97000 invitations")
						hasEnded = true
						continue
					}
					got = append(got, inv.ID)
				}
				require.Equal(t, odd.ended, hasEnded)
				if odd.lost {
					require.Equal(t, ids(50), got)
				} else {
					require.Equal(t, ids(n), got)
				}
			})
		}
	}
}

// The second page is empty or repeats the first, although the total count is 1,200.
func TestAllDoesNotEndEarlyWithoutAnError(t *testing.T) {
	for name, second := range map[string][]string{"empty": {}, "repeated": ids(clerk.MaxListLimit)} {
		for _, pages := range []int{0, 1, 4} {
			t.Run(fmt.Sprint(name, pages), func(t *testing.T) {
				client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					page := ids(clerk.MaxListLimit)
					if req.URL.Query().Has("offset") {
						page = second
					}
					invs := []clerk.Invitation{}
					for _, id := range page {
						invs = append(invs, clerk.Invitation{ID: id})
					}
					return httpmock.NewJsonResponse(200, map[string]any{"data": invs, "total_count": 1200})
				}))
				n, ended := 0, error(nil)
				for _, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{}, clerk.WithPrefetch(pages)) {
					if ended = err; err == nil {
						n++
					}
				}
				require.Equal(t, 500, n)
				require.EqualError(t, ended, "clerk: ListInvitations: 200 the pages ended after 500 of 1200 invitations")
				require.Equal(t, "failed", clerk.ClassOf(ended))

				_, err := client.Invitations.FindPending(t.Context(), address)
				require.Error(t, err)
				require.NotErrorIs(t, err, clerk.ErrNotFound, "it may be on a page that was not read")
			})
		}
	}
}

// Clerk still lists an invitation as pending although its time is over.
func TestFindPendingIgnoresExpiredInvitations(t *testing.T) {
	for _, lapsed := range []clerktest.Lapsed{"", clerktest.LapsedPending, clerktest.LapsedDuplicate} {
		t.Run(string(lapsed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := lifeWith(t, clerktest.WithBehavior(clerktest.Behavior{Lapsed: lapsed}))
				old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, ExpiresInDays: 1})
				require.NoError(t, err)
				time.Sleep(23 * time.Hour)
				got, err := l.client.Invitations.FindPending(t.Context(), address)
				require.NoError(t, err)
				require.Equal(t, old, got)
				time.Sleep(2 * time.Hour)
				_, err = l.client.Invitations.FindPending(t.Context(), address)
				require.ErrorIs(t, err, clerk.ErrNotFound)

				_, err = l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
				if lapsed == clerktest.LapsedDuplicate {
					require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
					return
				}
				require.NoError(t, err)
				got, err = l.client.Invitations.FindPending(t.Context(), address)
				require.NoError(t, err)
				require.NotEqual(t, old.ID, got.ID)
			})
		})
	}
}
