package clerk_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// An invitation leaves the list while the run reads it, so later ones move to pages that
// were read already.
func TestCreateAllSkipsWhoMovesInTheListMeanwhile(t *testing.T) {
	t.Parallel()
	const n = 1200
	revoke := func(l life, id string) error { return l.fake.Revoke(id) }
	for name, leave := range map[string]func(life, string) error{
		"revoked": revoke,
		"deleted": func(l life, id string) error { return l.fake.Delete(id) },
		"resent": func(l life, id string) error {
			_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "resent@example.com"})
			if err != nil {
				return err
			}
			return l.fake.Revoke(id)
		},
	} {
		for _, lists := range []int{2, 3, 4, 5} { // the fourth is of the newest, after a wait
			for _, newestFirst := range []bool{false, true} {
				t.Run(fmt.Sprint(name, "/", lists, "/", newestFirst), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := filledNow(t, n)
						time.Sleep(time.Hour)
						var opts []clerk.CreateAllOption
						leaving := l.fake.Invitations()[10]
						if newestFirst {
							opts = append(opts, clerk.WithSkipSince(time.UnixMilli(1)))
							leaving = l.fake.Invitations()[n-10]
						}
						var seen atomic.Int32
						client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
							if req.Method == http.MethodGet {
								if seen.Add(1) == int32(lists) {
									assertNoError(t, leave(l, leaving.ID))
								}
							}
							return l.fake.RoundTrip(req)
						}))
						results, err := createAll(t, client, requestsFor(n, func(i int) clerk.CreateInvitationRequest {
							return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
						}), opts...)
						require.NoError(t, err)
						require.Len(t, results, n)
						for _, invs := range invitationsByAddress(l.fake) {
							pending := 0
							for _, inv := range invs {
								if inv.Status == clerk.InvitationStatusPending {
									pending++
								}
							}
							require.LessOrEqual(t, pending, 1, "%s", invs[0].EmailAddress)
						}
					})
				})
			}
		}
	}
}

// The server has 240 invitations and returns 100 at a time: always the first ones, or those
// and then none.
func TestCreateAllEndsWhenExistingInvitationsCannotBeListed(t *testing.T) {
	t.Parallel()
	const n = 240
	for name, second := range map[string]func(*http.Request){
		"the first page again": func(req *http.Request) {
			query := req.URL.Query()
			query.Set("offset", "0")
			req.URL.RawQuery = query.Encode()
		},
		"an empty page": func(req *http.Request) {
			query := req.URL.Query()
			query.Set("offset", "5000")
			req.URL.RawQuery = query.Encode()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := filledNow(t, n, clerktest.WithBehavior(clerktest.Behavior{PageCap: 100}))
				client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if offset := req.URL.Query().Get("offset"); offset != "" && offset != "0" && req.Method == http.MethodGet {
						req = req.Clone(req.Context())
						second(req)
					}
					return l.fake.RoundTrip(req)
				}))
				results, err := createAll(t, client, guests(n))
				require.Error(t, err)
				require.Empty(t, results)
				require.Len(t, l.fake.Invitations(), n)
			})
		})
	}
}

// TestCreateAllReadsAnEmptyListOnce after all invitations have left it, one with each list.
func TestCreateAllReadsAnEmptyListOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		invs := []*clerk.Invitation{l.invite(t, guest(0)), l.invite(t, guest(1))}
		lists := 0
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := l.fake.RoundTrip(req)
			if req.Method == http.MethodGet {
				if lists++; lists <= len(invs) {
					assertNoError(t, l.fake.Delete(invs[lists-1].ID))
				}
			}
			return resp, err
		}))
		results, err := createAll(t, client, requestsFor(1, func(int) clerk.CreateInvitationRequest {
			return clerk.CreateInvitationRequest{EmailAddress: guest(2), IgnoreExisting: true}
		}))
		require.NoError(t, err)
		require.Equal(t, []clerk.Outcome{clerk.OutcomeCreated}, outcomes(results))
		require.Equal(t, 3, lists)
	})
}

// TestListingAgainKeepsWhatTheRunKnows: the run has created an invitation before a request with
// IgnoreExisting makes it list the newest ones again, for which it need not wait anymore.
func TestListingAgainKeepsWhatTheRunKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		ada := clerk.CreateInvitationRequest{EmailAddress: address}
		results, err := createAll(t, l.client, func(yield func(clerk.CreateInvitationRequest) bool) {
			if yield(ada) {
				time.Sleep(time.Minute) // it is sent
				_ = yield(clerk.CreateInvitationRequest{EmailAddress: guest(1), IgnoreExisting: true}) && yield(ada)
			}
		}, clerk.WithProgress(func(p clerk.Progress) { require.Zero(t, p.WaitUntil) }))
		require.NoError(t, err)
		require.Equal(t, []clerk.Outcome{clerk.OutcomeCreated, clerk.OutcomeCreated, clerk.OutcomeRepeated}, outcomes(results))
		require.Equal(t, results[0].Invitation.ID, results[2].Existing.ID)
	})
}
