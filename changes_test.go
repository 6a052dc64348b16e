package clerk_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// changesOf returns a line for each change, with the address of the invitation.
func changesOf(t *testing.T, client *clerk.Client, snapshot *clerk.Snapshot, opts ...clerk.AllOption) (lines []string) {
	t.Helper()
	for change, err := range client.Invitations.Changes(t.Context(), snapshot, opts...) {
		require.NoError(t, err)
		lines = append(lines, fmt.Sprint(change.Kind, " ", strings.TrimSuffix(change.Invitation.EmailAddress, "@example.com")))
	}
	return lines
}

func TestChangesReportsEachChangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		var invs []*clerk.Invitation
		for i := range 6 {
			invs = append(invs, l.invite(t, guest(i)))
		}
		var snapshot clerk.Snapshot
		require.Empty(t, changesOf(t, l.client, &snapshot), "the first call records")

		require.NoError(t, l.fake.Accept(invs[0].ID))
		require.NoError(t, l.fake.Expire(invs[1].ID))
		require.NoError(t, l.fake.Revoke(invs[2].ID))
		require.NoError(t, l.fake.Delete(invs[3].ID))
		l.invite(t, guest(6))
		require.Equal(t, []string{"accepted guest0", "expired guest1", "new guest6", "revoked guest2"}, changesOf(t, l.client, &snapshot))

		require.NoError(t, l.fake.Accept(invs[4].ID))
		var deleted clerk.Change
		lists := l.got(clerk.OperationList)
		for change, err := range l.client.Invitations.Changes(t.Context(), &snapshot) {
			require.NoError(t, err)
			if change.Kind == clerk.ChangeDeleted {
				deleted = change
			} else {
				require.Equal(t, clerk.ChangeAccepted, change.Kind)
			}
		}
		require.Equal(t, 2, l.got(clerk.OperationList)-lists, "one listing of each kind")
		require.Equal(t, invs[3].ID, deleted.Invitation.ID)
		require.Empty(t, changesOf(t, l.client, &snapshot))
	})
}

// An invitation is 30 days old, and Clerk still lists it as pending.
func TestChangesReportsExpiryByTheServersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		inv := l.invite(t, guest(0))
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			at := time.Now()
			resp := rewritten(t, l.fake, req, func(list *clerk.InvitationList) {
				for i := range list.Data {
					list.Data[i].Status = clerk.InvitationStatusPending
				}
			})
			resp.Header.Set("Date", at.UTC().Format(http.TimeFormat))
			return resp, nil
		}))
		var snapshot clerk.Snapshot
		require.Empty(t, changesOf(t, client, &snapshot))
		time.Sleep(31 * 24 * time.Hour)
		for change, err := range client.Invitations.Changes(t.Context(), &snapshot) {
			require.NoError(t, err)
			require.Equal(t, clerk.ChangeExpired, change.Kind)
			require.Equal(t, inv.ExpiresAt, change.At)
		}
		require.Empty(t, changesOf(t, client, &snapshot))
	})
}

// rewritten returns the fake's list after a change.
func rewritten(t *testing.T, fake *clerktest.Fake, req *http.Request, change func(*clerk.InvitationList)) *http.Response {
	t.Helper()
	resp, err := fake.RoundTrip(req)
	require.NoError(t, err)
	var list clerk.InvitationList
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&list))
	change(&list)
	body, err := json.Marshal(list)
	require.NoError(t, err)
	answer, err := reply(http.StatusOK, string(body))(req)
	require.NoError(t, err)
	return answer
}

// Others delete invitations between two pages, so that a page has skipped some.
func TestChangesReportsNobodyAsDeletedAfterPagesShift(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		var invs []*clerk.Invitation
		for i := range 1200 {
			inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
			require.NoError(t, err)
			invs = append(invs, inv)
		}
		time.Sleep(time.Minute)
		var snapshot clerk.Snapshot
		require.Empty(t, changesOf(t, l.client, &snapshot))
		gone := 0
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := l.fake.RoundTrip(req)
			if req.URL.Query().Get("offset") == "500" {
				require.NoError(t, l.fake.Delete(invs[gone].ID))
				gone++
			}
			return resp, err
		}))
		for range 4 {
			require.Empty(t, changesOf(t, client, &snapshot))
		}
		require.Empty(t, changesOf(t, l.client, &snapshot), "missing for the first time")
		deleted := changesOf(t, l.client, &snapshot)
		require.Len(t, deleted, gone)
		require.Empty(t, changesOf(t, l.client, &snapshot))
	})
}

// A loop that ends between the two changes of an invitation gets the second one later, even if
// it keeps the snapshot inside its body.
func TestChangesReportsBothChangesOfANewInvitation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		var snapshot, kept clerk.Snapshot
		require.Empty(t, changesOf(t, l.client, &snapshot))
		require.NoError(t, l.fake.Accept(l.invite(t, guest(0)).ID))
		for change, err := range l.client.Invitations.Changes(t.Context(), &snapshot) {
			require.NoError(t, err)
			require.Equal(t, clerk.ChangeNew, change.Kind)
			text, err := snapshot.MarshalText()
			require.NoError(t, err)
			require.NoError(t, kept.UnmarshalText(text))
			break
		}
		require.Equal(t, []string{"accepted guest0"}, changesOf(t, l.client, &snapshot))
		require.Equal(t, []string{"accepted guest0"}, changesOf(t, l.client, &kept))
		require.Empty(t, changesOf(t, l.client, &snapshot))
	})
}

func TestChangesKeepsItsPlaceInTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		var snapshot clerk.Snapshot
		require.Empty(t, changesOf(t, l.client, &snapshot))
		for i := range 3 {
			l.invite(t, guest(i))
		}
		for range l.client.Invitations.Changes(t.Context(), &snapshot) {
			break // after the first
		}
		text, err := json.Marshal(snapshot)
		require.NoError(t, err)
		var read clerk.Snapshot
		require.NoError(t, json.Unmarshal(text, &read))
		require.Equal(t, []string{"new guest1", "new guest2"}, changesOf(t, l.client, &read))
		data, err := read.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, snapshot.UnmarshalBinary(data))
		require.Empty(t, changesOf(t, l.client, &snapshot))
	})
}

func TestChangesReportsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		inv := l.invite(t, guest(0))
		var snapshot clerk.Snapshot
		require.Empty(t, changesOf(t, l.client, &snapshot))
		require.NoError(t, l.fake.Revoke(inv.ID))
		for name, answer := range map[string]func(*http.Request) (*http.Response, error){
			"refused": reply(http.StatusForbidden, ``),
			"no Date": func(req *http.Request) (*http.Response, error) {
				resp, err := l.fake.RoundTrip(req)
				resp.Header.Del("Date")
				return resp, err
			},
		} {
			var errs []error
			for change, err := range clientThrough(t, l.fake, roundTripFunc(answer)).Invitations.Changes(t.Context(), &snapshot) {
				require.Zero(t, change)
				errs = append(errs, err)
			}
			require.Len(t, errs, 1, name)
			asSDKError(t, errs[0])
		}
		for _, err := range l.client.Invitations.Changes(t.Context(), nil) {
			require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		}
		require.ErrorContains(t, snapshot.UnmarshalText([]byte("!")), "clerk: snapshot")
		require.ErrorContains(t, snapshot.UnmarshalBinary([]byte("!")), "clerk: snapshot")
		require.Equal(t, []string{"revoked guest0"}, changesOf(t, l.client, &snapshot), "nothing was lost")
	})
}
