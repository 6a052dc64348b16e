package clerk_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestLookupReadsEveryPage: a list ignores the order, or has small pages, so the call's own
// work is on its last page.
func TestLookupReadsEveryPage(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(req *http.Request){
		"oldest first": func(req *http.Request) { setQuery(req, "order_by", "created_at") },
		"small pages":  func(req *http.Request) { setQuery(req, "order_by", "created_at"); setQuery(req, "limit", "90") },
	} {
		for _, ignoreExisting := range []bool{false, true} {
			for _, fault := range []clerktest.Fault{clerktest.FaultErrorAfter, clerktest.FaultErrorBefore} {
				t.Run(fmt.Sprint(name, "/", ignoreExisting, "/", fault), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						for i := range 110 {
							l.fill(t, 10, func(j int) string { return fmt.Sprintf("x%d%dada@example.com", i, j) })
							time.Sleep(time.Second)
						}
						time.Sleep(time.Hour)
						client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
							if req.Method == http.MethodGet {
								req = req.Clone(req.Context())
								change(req)
							}
							return l.fake.RoundTrip(req)
						}))
						l.fake.Fail(clerk.OperationCreate, fault)
						inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
						require.NoError(t, err)
						requireTrue(t, invitationsByAddress(l.fake)[address], inv, err)
						found, err := client.Invitations.FindPending(t.Context(), address)
						require.NoError(t, err)
						require.Equal(t, inv.ID, found.ID)

						time.Sleep(time.Hour)
						if ignoreExisting {
							l.fake.Fail(clerk.OperationBulkCreate, fault)
							_, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
								{EmailAddress: "b@example.com", IgnoreExisting: true}, {EmailAddress: "c@example.com", IgnoreExisting: true},
							})
							require.Len(t, invitationsByAddress(l.fake)["b@example.com"], 1, "%v", err)
						}
					})
				})
			}
		}
	}
}

// TestLookupReadsBeyondOneTime: a list ignores the order, and all of its first page has one
// creation time, which says nothing about the order.
func TestLookupReadsBeyondOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fill(t, clerk.MaxListLimit+1, func(i int) string { return fmt.Sprintf("x%dada@example.com", i) })
		time.Sleep(time.Hour)
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				req = req.Clone(req.Context())
				setQuery(req, "order_by", "created_at")
			}
			return l.fake.RoundTrip(req)
		}))
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorAfter)
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
		require.NoError(t, err)
		requireTrue(t, invitationsByAddress(l.fake)[address], inv, err)
	})
}

// TestLookupReadsShortPages: the server sends bare arrays of 10. Others create 25
// invitations after the call's own, whose response is lost.
func TestLookupReadsShortPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		writes := 0
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				query := req.URL.Query()
				query.Del("paginated")
				query.Set("limit", "10")
				req.URL.RawQuery = query.Encode()
				return l.fake.RoundTrip(req)
			}
			writes++
			if _, err := l.fake.RoundTrip(req); err != nil {
				return nil, err
			}
			for i := range 25 {
				time.Sleep(time.Millisecond)
				_, err := l.client.Invitations.Create(req.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
				require.NoError(t, err)
			}
			return nil, errReset
		}))
		require.NoError(t, calls[clerk.OperationBulkCreate](t.Context(), client))
		require.Equal(t, 1, writes)
	})
}

// TestLookupEndsWhenPagesAreTheSame: the server returns the same page of others' new
// invitations for every offset.
func TestLookupEndsWhenPagesAreTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &listing{ids: func() []string { return ids(5 * clerk.MaxListLimit) }, sameForEver: true}
		mock := answering(reply(502, ``))
		var first, further int
		mock.RegisterResponder(http.MethodGet, invitationsURL, func(req *http.Request) (*http.Response, error) {
			if req.URL.Query().Has("offset") {
				further++
			} else {
				first++
			}
			return server.RoundTrip(req)
		})
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, mock))
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Positive(t, further)
		require.LessOrEqual(t, further, first, "the second page of a list is its last")
	})
}

// TestBulkLookupAmongMany: others create more than a page before the lookup.
func TestBulkLookupAmongMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := l.fake.RoundTrip(req)
			if req.URL.Path == "/v1/invitations/bulk" {
				for i := range 1100 {
					_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
					require.NoError(t, err)
				}
			}
			return resp, err
		}))
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorAfter)
		invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
			{EmailAddress: "b@example.com", IgnoreExisting: true}, {EmailAddress: "c@example.com", IgnoreExisting: true},
		})
		require.NoError(t, err)
		require.Equal(t, l.fake.Invitations()[:2], invs)
		require.Len(t, l.fake.Invitations(), 1102)
	})
}

// TestLooseQueryIsBounded: a query matches everything of an instance with 100,000
// invitations.
func TestLooseQueryIsBounded(t *testing.T) {
	t.Parallel()
	for _, inOrder := range []bool{true, false} {
		for op, call := range calls {
			if op == clerk.OperationList || op == clerk.OperationDelete {
				continue
			}
			t.Run(fmt.Sprint(op, "/", inOrder), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					lists := 0
					mock := answering(reply(503, ``), reply(200, success[op]))
					mock.RegisterResponder(http.MethodGet, invitationsURL, func(req *http.Request) (*http.Response, error) {
						lists++
						offset, _ := strconv.Atoi(req.URL.Query().Get("offset"))
						if !inOrder {
							offset = -offset
						}
						invs := make([]clerk.Invitation, clerk.MaxListLimit)
						for i := range invs {
							created := time.Now().Add(-24*time.Hour - time.Duration(offset+i)*time.Minute)
							invs[i] = clerk.Invitation{ID: fmt.Sprint("inv_", offset+i), CreatedAt: clerk.UnixMilli(created.UnixMilli())}
							if !inOrder {
								invs[i].CreatedAt += clerk.UnixMilli(2 * i * int(time.Minute/time.Millisecond))
							}
						}
						resp, err := httpmock.NewJsonResponse(200, map[string]any{"data": invs, "total_count": 100_000})
						if err == nil {
							resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
						}
						return resp, err
					})
					start := time.Now()
					err := call(t.Context(), newClient(t, mock))
					require.Less(t, time.Since(start), 10*time.Second)
					if inOrder {
						require.NoError(t, err)
						want := map[clerk.Operation]int{clerk.OperationRevoke: 20} // the invitation may be of any age
						require.Equal(t, cmp.Or(want[op], 2), lists, "the first page of both lists has older ones")
						return
					}
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.ErrorContains(t, err, "too many invitations")
					require.Equal(t, 20, lists)
				})
			})
		}
	}
}
