package clerk_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestTransportLearnsOperationRouteAndAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []clerk.RequestInfo
		mock := answering(reply(429, ``), reply(200, revokedJSON))
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			info, ok := clerk.RequestInfoFromContext(req.Context())
			require.True(t, ok)
			seen = append(seen, info)
			return mock.RoundTrip(req)
		}))
		_, err := client.Invitations.Revoke(t.Context(), testID)
		require.NoError(t, err)
		const route = "POST /invitations/{invitation_id}/revoke"
		require.Equal(t, []clerk.RequestInfo{
			{Operation: clerk.OperationRevoke, Route: route, Attempt: 1}, {Operation: clerk.OperationRevoke, Route: route, Attempt: 2},
		}, seen)
	})
	_, ok := clerk.RequestInfoFromContext(t.Context())
	require.False(t, ok)
}
