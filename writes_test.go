package clerk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestDeleteSendsNoBodyAndReturnsTheID(t *testing.T) {
	rec := &recorder{next: answering(reply(200, `{"object":"invitation","id":"`+testID+`","deleted":true}`))}
	deleted, err := newClient(t, rec).Invitations.Delete(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, &clerk.DeletedObject{Object: "invitation", ID: testID, Deleted: true}, deleted)
	require.Equal(t, http.MethodDelete, rec.last.Method)
	require.Equal(t, invitationsURL+"/"+testID, rec.last.URL.String())
	require.Empty(t, rec.bodies[0])
}

func TestDeleteRefusesResponsesThatConfirmNothing(t *testing.T) {
	for _, body := range []string{`{}`, `null`, `{"object":"invitation","id":"` + testID + `"}`, `{"id":"inv_1","deleted":true}`, revokedJSON} {
		_, err := newClient(t, answering(reply(200, body))).Invitations.Delete(t.Context(), testID, once)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown, body)
	}
	_, err := newClient(t, answering(reply(200, ``))).Invitations.Delete(t.Context(), "a/b")
	require.ErrorIs(t, err, clerk.ErrInvalidRequest)
}

// Each fault that leaves the outcome unknown happens once. If the first request was carried
// out, the retry is refused with a 404.
func TestDeleteIsCertain(t *testing.T) {
	for fault, requests := range map[clerktest.Fault]int{
		"":                        1,
		clerktest.FaultDropBefore: 2, clerktest.FaultErrorBefore: 2,
		clerktest.FaultDropAfter: 2, clerktest.FaultErrorAfter: 2, clerktest.FaultBadGatewayAfter: 2,
		clerktest.FaultTruncateAfter: 2, clerktest.FaultSlowAfter: 1, // the grace time is over then
		clerktest.FaultHideAfter: 2,
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			inv := l.invite(t, address)
			l.invite(t, guest(1))
			l.fake.Fail(clerk.OperationDelete, fault)
			deleted, err := l.client.Invitations.Delete(t.Context(), inv.ID)
			require.NoError(t, err, fault)
			require.Equal(t, inv.ID, deleted.ID)
			require.Len(t, l.fake.Invitations(), 1, fault)
			require.Equal(t, requests, l.got(clerk.OperationDelete), fault)
		})
	}
}

// TestDeleteIsNotCertainByAbsence deletes an invitation that lists do not show, as it is new
// or because query does not match ids.
func TestDeleteIsNotCertainByAbsence(t *testing.T) {
	hide := func(req *http.Request) httpmock.Responder {
		if strings.HasPrefix(req.URL.Query().Get("query"), "inv_") {
			return reply(200, `{"data":[],"total_count":0}`)
		}
		return nil
	}
	for name, test := range map[string]struct {
		age, lag time.Duration
		deletes  int // how many fail before they are carried out
		noIDs    bool
	}{
		"new":                       {time.Second, 3 * time.Second, 1, false},
		"query does not match ids":  {time.Hour, 0, 1, true},
		"it is never carried out":   {time.Hour, 0, math.MaxInt, true},
		"new and never carried out": {time.Second, 5 * time.Second, math.MaxInt, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
				require.NoError(t, err)
				time.Sleep(test.age)
				failed := 0
				client := clientThrough(t, l.fake, lagging(roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodDelete && failed < test.deletes {
						failed++
						return reply(503, ``)(req)
					}
					if answer := hide(req); test.noIDs && answer != nil {
						return answer(req)
					}
					return withoutDate(l.fake.RoundTrip(req))
				}), test.lag))
				_, err = client.Invitations.Delete(t.Context(), inv.ID)
				if test.deletes == 1 {
					require.NoError(t, err)
					require.Empty(t, l.fake.Invitations())
				} else {
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.Greater(t, failed, 1)
				}
			})
		})
	}
}

// TestDeleteIsCertainByAbsenceAfterTheGraceTime deletes an invitation while no response to
// a DELETE arrives.
func TestDeleteIsCertainByAbsenceAfterTheGraceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		inv := l.invite(t, address)
		l.invite(t, guest(1))
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := withoutDate(l.fake.RoundTrip(req))
			if req.Method == http.MethodDelete {
				return nil, errReset
			}
			return resp, err
		}))
		start := time.Now()
		deleted, err := client.Invitations.Delete(t.Context(), inv.ID)
		require.NoError(t, err)
		require.Equal(t, inv.ID, deleted.ID)
		require.GreaterOrEqual(t, time.Since(start), 5*time.Second)
		require.Less(t, time.Since(start), 15*time.Second)
	})
}

// A revocation by others shifts the deleted invitation to a page that was already read.
func TestDeleteIsNotCertainByListsThatShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := filledNow(t, clerk.MaxListLimit+1)
		hidden := l.fake.Invitations()[clerk.MaxListLimit].ID
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodDelete {
				return reply(503, ``)(req)
			}
			if strings.HasPrefix(req.URL.Query().Get("query"), "inv_") {
				return reply(200, `[]`)(req)
			}
			resp, err := l.fake.RoundTrip(req)
			if q := req.URL.Query(); !q.Has("offset") && !q.Has("status") {
				_, err := l.client.Invitations.Delete(t.Context(), l.fake.Invitations()[0].ID)
				require.NoError(t, err)
			}
			return resp, err
		}))
		_, err := client.Invitations.Delete(t.Context(), hidden)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
	})
}

func withoutDate(resp *http.Response, err error) (*http.Response, error) {
	if err == nil {
		resp.Header.Del("Date")
	}
	return resp, err
}

func TestDeleteOfUnknownIDIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		inv := l.invite(t, address)
		_, err := l.client.Invitations.Delete(t.Context(), "inv_unknown")
		require.ErrorIs(t, err, clerk.ErrNotFound)
		asClerkErrors(t, err)

		_, err = l.client.Invitations.Revoke(t.Context(), inv.ID)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		_, err = l.client.Invitations.Delete(t.Context(), inv.ID) // whatever its status
		require.NoError(t, err)
		_, err = l.client.Invitations.Delete(t.Context(), inv.ID)
		require.ErrorIs(t, err, clerk.ErrNotFound)
		_, err = l.client.Invitations.Get(t.Context(), inv.ID)
		require.ErrorIs(t, err, clerk.ErrNotFound)
	})
}

// The response to a create has another spelling of the address. The invitation was created
// meanwhile, so it is the call's.
func TestCreatedInvitationIsTheResultWhateverItsAddress(t *testing.T) {
	for _, other := range []string{"eve@example.com", "ADA@Example.com"} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			swapped := roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := l.fake.RoundTrip(req)
				if err == nil && req.Method == http.MethodPost {
					body, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					body = bytes.ReplaceAll(body, []byte(address), []byte(other))
					resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				}
				return resp, err
			})
			inv, err := clientThrough(t, l.fake, swapped).Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
			require.NoError(t, err)
			require.Equal(t, other, inv.EmailAddress)
			require.Len(t, l.fake.Invitations(), 1)
		})
	}
}

// A Delete meets each fault.
func TestDeleteOutlastsFaults(t *testing.T) {
	for _, fault := range append(clerktest.AllFaults(), "") {
		for _, status := range []string{"pending", "revoked", "accepted", "expired"} {
			t.Run(fmt.Sprint(fault, "/", status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					inv := l.invite(t, address)
					var err error
					switch status {
					case "revoked":
						_, err = l.client.Invitations.Revoke(t.Context(), inv.ID)
					case "accepted":
						err = l.fake.Accept(inv.ID)
					case "expired":
						err = l.fake.Expire(inv.ID)
					}
					require.NoError(t, err)
					time.Sleep(time.Minute)
					l.fake.Fail(clerk.OperationDelete, fault)
					deleted, err := l.client.Invitations.Delete(t.Context(), inv.ID)
					require.NoError(t, err)
					require.Equal(t, inv.ID, deleted.ID)
					require.True(t, deleted.Deleted)
					require.Empty(t, l.fake.Invitations())
					_, err = l.client.Invitations.Delete(t.Context(), inv.ID)
					require.ErrorIs(t, err, clerk.ErrNotFound)
				})
			})
		}
	}
}

// TestInvitationsFromBeforeARequestWasSentAreOfOthers: the first request of a create has no
// effect, and takes some seconds in which somebody else invites the person. The second one
// is lost.
func TestInvitationsFromBeforeARequestWasSentAreOfOthers(t *testing.T) {
	for name, first := range map[string]httpmock.Responder{
		"rate limited": reply(429, ``, "Retry-After", "8"),
		"not sent": func(*http.Request) (*http.Response, error) {
			time.Sleep(8 * time.Second)
			return nil, errDial
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				req := clerk.CreateInvitationRequest{EmailAddress: address}
				lossy := answering(first, failing(errReset), l.fake.RoundTrip)
				lossy.RegisterResponder(http.MethodGet, invitationsURL, l.fake.RoundTrip)
				time.AfterFunc(5*time.Second, func() {
					_, err := l.client.Invitations.Create(context.Background(), req)
					require.NoError(t, err)
				})
				_, err := clientThrough(t, l.fake, lossy).Invitations.Create(t.Context(), req)
				require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Len(t, l.fake.Invitations(), 1)
			})
		})
	}
}

// TestRetryThatIsNotSentClaimsNothingOlder: somebody who has an invitation is invited again. The
// first request is lost, and later the key cannot be read once.
func TestRetryThatIsNotSentClaimsNothingOlder(t *testing.T) {
	for failAt := range 24 {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			old := l.invite(t, address)
			keys := 0
			key := func(context.Context) (string, error) {
				if keys++; keys == failAt+2 { // the first one is the lost request's
					return "", errors.New("no key")
				}
				return l.fake.SecretKey(), nil
			}
			l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
			inv, err := newClient(t, l.fake, clerk.WithSecretKeyFunc(key)).Invitations.Create(t.Context(),
				clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
			if err != nil {
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Len(t, l.fake.Invitations(), 1)
				return
			}
			require.NotEqual(t, old.ID, inv.ID)
			require.Len(t, l.fake.Invitations(), 2)
		})
	}
}
