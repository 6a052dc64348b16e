package clerk_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

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

// TestDeleteIsCertain has each fault that leaves the outcome open happen once.
func TestDeleteIsCertain(t *testing.T) {
	for fault, requests := range map[clerktest.Fault]int{
		"":                        1,
		clerktest.FaultDropBefore: 2, clerktest.FaultErrorBefore: 2,
		clerktest.FaultDropAfter: 1, clerktest.FaultErrorAfter: 1, clerktest.FaultBadGatewayAfter: 1,
		clerktest.FaultTruncateAfter: 1, clerktest.FaultSlowAfter: 1,
		clerktest.FaultHideAfter: 2, // it is listed for a while, and the retry gets a 404
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

// TestCreatedAddressIsChecked has the response to a create be about somebody else.
func TestCreatedAddressIsChecked(t *testing.T) {
	for other, isOwn := range map[string]bool{"eve@example.com": false, "ADA@Example.com": true} {
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
			switch {
			case isOwn:
				require.NoError(t, err)
				require.Equal(t, other, inv.EmailAddress)
			case err == nil:
				require.Equal(t, address, inv.EmailAddress)
			default:
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			}
			require.Len(t, l.fake.Invitations(), 1)
		})
	}
}

// TestDeleteOutlastsFaults has each fault happen to a Delete.
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
