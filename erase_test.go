package clerk_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestEraseDeletesEveryInvitationOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for range 5 {
			_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "Ada@example.com", IgnoreExisting: true})
			require.NoError(t, err)
		}
		invs := l.fake.Invitations()
		require.NoError(t, l.fake.Revoke(invs[0].ID))
		require.NoError(t, l.fake.Expire(invs[1].ID))
		require.NoError(t, l.fake.Accept(invs[2].ID))
		l.invite(t, "grace@example.com")
		for range 2 { // it can be called again
			require.NoError(t, l.client.Invitations.Erase(t.Context(), " ada@example.com"))
			require.Len(t, l.fake.Invitations(), 1)
		}
		require.Equal(t, 2, l.got(clerk.OperationRevoke), "the pending ones")
	})
}

// Lists show an invitation 4 seconds late.
func TestEraseWaitsUntilListsShowEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.NoError(t, err)
		client := clientThrough(t, l.fake, lagging(l.fake, 4*time.Second))
		require.NoError(t, client.Invitations.Erase(t.Context(), "ada@example.com"))
		require.Empty(t, l.fake.Invitations())
	})
}

func TestEraseNeedsTimeForItsProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, "ada@example.com")
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		start := time.Now()
		err := l.client.Invitations.Erase(ctx, "ada@example.com")
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.EqualError(t, err, "clerk: Erase: outcome unknown: no time to list the address after the last change: call Erase again (4 attempts)")
		require.Equal(t, start, time.Now(), "it does not wait in vain")
		require.NoError(t, l.client.Invitations.Erase(t.Context(), "ada@example.com"))
	})
}

func TestEraseOutlastsFaults(t *testing.T) {
	for name, answer := range resendFailures() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				l.invite(t, "ada@example.com")
				failed := map[string]bool{}
				client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if !failed[req.Method] {
						failed[req.Method] = true
						return answer(req)
					}
					return l.fake.RoundTrip(req)
				}))
				err := client.Invitations.Erase(t.Context(), "ada@example.com")
				if err == nil {
					require.Empty(t, l.fake.Invitations())
				} else {
					require.NotContains(t, err.Error(), "ada")
				}
				require.NoError(t, l.client.Invitations.Erase(t.Context(), "ada@example.com"))
				require.Empty(t, l.fake.Invitations())
			})
		})
	}
}

func TestEraseRefusesAnInvalidAddress(t *testing.T) {
	l := newLife(t)
	require.ErrorIs(t, l.client.Invitations.Erase(t.Context(), " "), clerk.ErrInvalidRequest)
	require.Empty(t, l.fake.Requests())
	require.True(t, strings.HasPrefix(l.client.Invitations.Erase(t.Context(), "").Error(), "clerk: Erase: email_address"))
}
