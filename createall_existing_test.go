package clerk_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// Some addresses have a pending, an accepted, a revoked or an expired invitation, some
// are repeated, and somebody else invites one meanwhile.
func TestCreateAllTellsWhatExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		pending, accepted := l.invite(t, "pending@example.com"), l.invite(t, "accepted@example.com")
		require.NoError(t, l.fake.Accept(accepted.ID))
		revoked, expired := l.invite(t, "revoked@example.com"), l.invite(t, "expired@example.com")
		_, err := l.client.Invitations.Revoke(t.Context(), revoked.ID)
		require.NoError(t, err)
		require.NoError(t, l.fake.Expire(expired.ID))
		addresses := []string{
			"pending@example.com", "accepted@example.com", "revoked@example.com", "expired@example.com",
			"new@example.com", "NEW@example.com", "PENDING@example.com", "meanwhile@example.com", "meanwhile@example.com",
		}
		var meanwhile *clerk.Invitation
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for _, address := range addresses {
				if address == "meanwhile@example.com" && meanwhile == nil {
					meanwhile = l.invite(t, address)
				}
				if !yield(clerk.CreateInvitationRequest{EmailAddress: address}) {
					return
				}
			}
		}
		results, err := createAll(t, l.client, requests)
		require.NoError(t, err)
		require.Equal(t, []clerk.Outcome{
			clerk.OutcomeAlreadyInvited, clerk.OutcomeAlreadyInvited, clerk.OutcomeCreated, clerk.OutcomeCreated,
			clerk.OutcomeCreated, clerk.OutcomeRepeated, clerk.OutcomeAlreadyInvited, clerk.OutcomeAlreadyInvited, clerk.OutcomeAlreadyInvited,
		}, outcomes(results))
		existing := func(id string, status clerk.InvitationStatus) *clerk.ExistingInvitation {
			return &clerk.ExistingInvitation{ID: id, Status: status}
		}
		for i, expected := range []*clerk.ExistingInvitation{
			existing(pending.ID, clerk.InvitationStatusPending), existing(accepted.ID, clerk.InvitationStatusAccepted), nil, nil,
			nil, existing(results[4].Invitation.ID, clerk.InvitationStatusPending), existing(pending.ID, clerk.InvitationStatusPending),
			existing(meanwhile.ID, clerk.InvitationStatusPending), existing(meanwhile.ID, clerk.InvitationStatusPending),
		} {
			require.Equal(t, expected, results[i].Existing, "%d", i)
		}
	})
}

// Clerk refuses a duplicate of an invitation that is not pending.
func TestDuplicateOfAcceptedOrOlder(t *testing.T) {
	for _, status := range []clerk.InvitationStatus{clerk.InvitationStatusAccepted, clerk.InvitationStatusExpired} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				var old *clerk.Invitation
				client := clientThrough(t, l.fake, poisoned(l.fake, reply(400, duplicateJSON), address))
				requests := func(yield func(clerk.CreateInvitationRequest) bool) {
					if !yield(clerk.CreateInvitationRequest{EmailAddress: "first@example.com"}) {
						return
					}
					time.Sleep(time.Minute) // the existing invitations are listed by now
					old = l.invite(t, address)
					if status == clerk.InvitationStatusAccepted {
						require.NoError(t, l.fake.Accept(old.ID))
					} else {
						require.NoError(t, l.fake.Expire(old.ID))
					}
					yield(clerk.CreateInvitationRequest{EmailAddress: address})
				}
				results, err := createAll(t, client, requests)
				require.NoError(t, err)
				require.Equal(t, clerk.OutcomeAlreadyInvited, results[1].Outcome)
				require.Equal(t, &clerk.ExistingInvitation{ID: old.ID, Status: status}, results[1].Existing)
			})
		})
	}
}

// Bulks are carried out in part and then refused, once or always, even while lists lag.
func TestCreateAllReportsItsPartsOfBulks(t *testing.T) {
	t.Parallel()
	for name, refuse := range refusals {
		if name == "403" {
			continue // ends the run
		}
		for _, every := range []int{2, 3} {
			for _, lag := range []time.Duration{0, 3 * time.Second} {
				for _, ignoreExisting := range []bool{false, true} {
					t.Run(fmt.Sprint(name, "/", every, "/", lag, "/", ignoreExisting), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							l := limited(t, false)
							transport := lagging(partial(l.fake, func(n int, addresses []string) (int, httpmock.Responder) {
								if n%every != 0 {
									return 0, nil
								}
								return len(addresses) / 2, refuse
							}), lag)
							client := clientThrough(t, l.fake, transport)
							results, err := createAll(t, client, requestsFor(soakSize(60, 60, 200), func(i int) clerk.CreateInvitationRequest {
								return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
							}))
							require.NoError(t, err)
							requireResultsMatch(t, l.fake, results)
						})
					})
				}
			}
		}
	}
}

// requireResultsMatch checks results against what exists: nothing lost, duplicated, or
// called somebody else's.
func requireResultsMatch(t *testing.T, fake *clerktest.Fake, results []clerk.CreateResult) {
	t.Helper()
	stand := invitationsByAddress(fake)
	for _, result := range results {
		invs := stand[result.Request.EmailAddress]
		require.LessOrEqual(t, len(invs), 1, "duplicated: %v", result)
		switch result.Outcome {
		case clerk.OutcomeCreated:
			require.Len(t, invs, 1)
			require.Equal(t, invs[0].ID, result.Invitation.ID)
		case clerk.OutcomeRejected, clerk.OutcomeUserExists:
			require.Empty(t, invs, "%v", result)
		default:
			require.Equal(t, clerk.OutcomeUnknown, result.Outcome, "%v", result)
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
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for hundred := range 100 {
			l.fill(t, 100, func(i int) string { return guest(100*hundred + i) })
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		began := time.Now()
		client, over := l.through(t, time.Second)
		results, err := createAll(t, client, guests(3))
		require.NoError(t, err)
		require.Equal(t, slices.Repeat([]clerk.Outcome{clerk.OutcomeAlreadyInvited}, 3), outcomes(results))
		require.Equal(t, 20, over.sent)
		require.Equal(t, 4*time.Second, time.Since(began), "one page, and 19 by eights")

		// The invitations created since then fit on one page.
		over.sent = 0
		results, err = createAll(t, client, guests(3), clerk.WithSkipSince(began))
		require.NoError(t, err)
		require.Len(t, results, 3)
		require.Equal(t, 1+1+2+3, over.sent, "a list, a bulk, two lookups after it was refused, and the invitation of each address")
	})
}

// TestCreateAllBuffersFewRepeats reads many requests with an address whose first request
// has no result yet.
func TestCreateAllBuffersFewRepeats(t *testing.T) {
	t.Parallel()
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

// The newest of several invitations is listed last, or first with WithSkipSince.
func TestCreateAllReportsTheNewestExistingInvitation(t *testing.T) {
	for name, opts := range map[string][]clerk.CreateAllOption{
		"oldest first": nil,
		"newest first": {clerk.WithSkipSince(time.UnixMilli(1))},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				require.NoError(t, l.fake.Accept(l.invite(t, address).ID))
				require.True(t, l.fake.RemoveUser(address))
				newest := l.invite(t, address)
				results, err := createAll(t, l.client, slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: address}}), opts...)
				require.NoError(t, err)
				require.Equal(t, []clerk.Outcome{clerk.OutcomeAlreadyInvited}, outcomes(results))
				require.Equal(t, &clerk.ExistingInvitation{ID: newest.ID, Status: newest.Status}, results[0].Existing)
			})
		})
	}
}

// Clerk refuses a bulk, and then one of its addresses as a duplicate, so the invitation
// may be the run's own. It is never found.
func TestCreateAllSearchesADuplicateForTenSeconds(t *testing.T) {
	for name, test := range map[string]struct {
		list  httpmock.Responder // of the address
		lists int                // at least
		want  clerk.Outcome
	}{
		"the lists are empty":   {reply(200, `{"data":[],"total_count":0}`), 5, clerk.OutcomeAlreadyInvited},
		"the lists fail":        {reply(503, ``), 5, clerk.OutcomeUnknown},
		"the lists are refused": {reply(403, ``), 5, clerk.OutcomeUnknown},
		"the lists hang":        {hangs, 3, clerk.OutcomeUnknown},
		"the lists are limited": {reply(429, ``, "Retry-After", "60"), 1, clerk.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				var refusedAt time.Time
				lists := 0
				bulks := partial(l.fake, func(int, []string) (int, httpmock.Responder) { return 0, refusals["422"] })
				client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if req.URL.Query().Get("query") == guest(0) {
						if lists++; lists > 50 {
							return reply(401, ``)(req) // ends a search that would not end
						}
						resp, err := test.list(req)
						if err == nil {
							resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
						}
						return resp, err
					}
					if slices.Equal(addressesIn(req), []string{guest(0)}) {
						refusedAt = time.Now()
						return reply(400, envelope(clerk.CodeDuplicateRecord, "m", "m", `{"email_addresses":["`+guest(0)+`"]}`))(req)
					}
					return bulks.RoundTrip(req)
				}))
				start := time.Now()
				results, err := createAll(t, client, guests(10))
				require.NoError(t, err)
				want := slices.Repeat([]clerk.Outcome{clerk.OutcomeCreated}, 10)
				want[0] = test.want
				require.Equal(t, want, outcomes(results))
				require.Less(t, lists, 50)
				require.GreaterOrEqual(t, lists, test.lists)
				if test.lists == 1 {
					require.Equal(t, 1, lists)
				} else {
					require.GreaterOrEqual(t, time.Since(refusedAt), 5*time.Second)
				}
				require.Less(t, time.Since(refusedAt), 12*time.Second, "with the rest of the run")
				require.Less(t, refusedAt.Sub(start), time.Minute)
			})
		})
	}
}

// The first request of the run fails, and the next ones for twenty minutes. Another
// service invites guest 0 in the middle of that.
func TestCreateAllDoesNotClaimWhatOthersCreateLater(t *testing.T) {
	limited := reply(429, ``, "Retry-After", "60")
	for name, test := range map[string]struct {
		guests      int
		first, then httpmock.Responder
	}{
		"a bulk is refused":           {10, refusals["422"], limited},
		"a bulk is cut off":           {10, refusals["422, cut off"], limited},
		"a bulk fails":                {10, reply(500, ``), limited},
		"a bulk fails, and all after": {10, reply(500, ``), reply(500, ``)},
		"a bulk fails, then no more":  {10, reply(500, ``), failing(errDial)},
		"a create fails":              {1, reply(500, ``), limited},
		"a create fails, and after":   {1, reply(500, ``), reply(500, ``)},
		"a create hangs":              {1, hangs, reply(503, ``)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				var start time.Time
				client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					switch {
					case req.Method == http.MethodGet || !start.IsZero() && time.Since(start) > 20*time.Minute:
						return l.fake.RoundTrip(req)
					case start.IsZero():
						start = time.Now()
						time.AfterFunc(10*time.Minute, func() {
							_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(0)})
							assertNoError(t, err)
						})
						return test.first(req)
					}
					return test.then(req)
				}))
				results, err := createAll(t, client, guests(test.guests))
				require.NoError(t, err)
				want := slices.Repeat([]clerk.Outcome{clerk.OutcomeCreated}, test.guests)
				want[0] = clerk.OutcomeAlreadyInvited
				require.Equal(t, want, outcomes(results))
				require.Equal(t, l.fake.Invitations()[0].ID, results[0].Existing.ID)
			})
		})
	}
}

// Clerk still lists an invitation as pending although its time is over.
func TestCreateAllInvitesAgainAfterExpiry(t *testing.T) {
	for name, test := range map[string]struct {
		lapsed clerktest.Lapsed
		after  time.Duration
		want   clerk.Outcome
	}{
		"not expired":                      {clerktest.LapsedPending, 23 * time.Hour, clerk.OutcomeAlreadyInvited},
		"expired, and may be created":      {clerktest.LapsedPending, 25 * time.Hour, clerk.OutcomeCreated},
		"expired, and counts as duplicate": {clerktest.LapsedDuplicate, 25 * time.Hour, clerk.OutcomeAlreadyInvited},
	} {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/", ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := lifeWith(t, clerktest.WithBehavior(clerktest.Behavior{Lapsed: test.lapsed}))
					old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, ExpiresInDays: 1})
					require.NoError(t, err)
					time.Sleep(test.after)
					want := test.want
					if ignoreExisting && test.after > 24*time.Hour {
						want = clerk.OutcomeCreated
					}
					results, err := createAll(t, l.client, slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: address, IgnoreExisting: ignoreExisting}}))
					require.NoError(t, err)
					require.Equal(t, []clerk.Outcome{want}, outcomes(results))
					if want == clerk.OutcomeAlreadyInvited {
						require.Equal(t, &clerk.ExistingInvitation{ID: old.ID, Status: clerk.InvitationStatusPending}, results[0].Existing)
					}
				})
			})
		}
	}
}
