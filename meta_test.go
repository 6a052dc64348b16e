package clerk_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestMetaFromErrorReturnsMetaOfEitherType(t *testing.T) {
	for _, status := range []int{400, 401} { // documented, and not
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, answering(reply(status, duplicateJSON))))
		meta, ok := clerk.MetaFromError(fmt.Errorf("invite: %w", err))
		require.True(t, ok)
		require.Equal(t, status, meta.StatusCode)
		require.Equal(t, "trace_in_body", meta.TraceID)
		require.Equal(t, clerk.OperationCreate, meta.Operation)
	}
	for _, err := range []error{nil, errors.New("other"), clerk.ErrNotFound, (*clerk.SDKError)(nil), (*clerk.ClerkErrors)(nil)} {
		meta, ok := clerk.MetaFromError(err)
		require.False(t, ok)
		require.Zero(t, meta)
	}
}

func TestWithResponseDescribesTheResponseOfANotFound(t *testing.T) {
	var meta clerk.ResponseMeta
	client := newClient(t, answering(reply(200, `[]`, "X-Clerk-Trace-Id", "abc")))
	_, err := client.Invitations.FindPending(t.Context(), address, clerk.WithResponse(&meta))
	require.ErrorIs(t, err, clerk.ErrNotFound)
	require.Equal(t, 200, meta.StatusCode)
	require.Equal(t, "abc", meta.TraceID)
	require.Equal(t, 1, meta.Attempts)
}

func TestWithResponseNamesTheOperationOfAnInvalidRequest(t *testing.T) {
	var meta clerk.ResponseMeta
	client := newClient(t, answering(reply(500, ``)))
	for _, err := range client.Invitations.All(t.Context(), clerk.ListInvitationsRequest{Offset: -1}, clerk.WithResponse(&meta)) {
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
	}
	require.Equal(t, clerk.OperationList, meta.Operation)
}

// The response to a Create is lost, and its retry is not sent.
func TestWithResponseAgreesWithTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var meta clerk.ResponseMeta
		untrusted := &net.OpError{Op: "dial", Err: &tls.CertificateVerificationError{Err: errors.New("expired")}}
		writes := answering(reply(503, ``), failing(untrusted))
		l := newLife(t)
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				return l.fake.RoundTrip(req)
			}
			return writes.RoundTrip(req)
		}))
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address}, clerk.WithResponse(&meta))
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Equal(t, 503, meta.StatusCode)
		own, ok := clerk.MetaFromError(err)
		require.True(t, ok)
		require.Equal(t, own, meta)
	})
}
