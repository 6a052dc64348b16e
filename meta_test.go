package clerk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

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

func TestNotSentSaysThatAWriteCanBeRetried(t *testing.T) {
	for op, call := range calls {
		err := call(t.Context(), newClient(t, answering(failing(errDial))), once)
		require.ErrorIs(t, err, clerk.ErrNotSent)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.NotErrorIs(t, call(t.Context(), newClient(t, answering(failing(errReset))), once), clerk.ErrNotSent, op)
		require.NotErrorIs(t, call(t.Context(), newClient(t, answering(reply(429, ``))), once), clerk.ErrNotSent, op)

		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		<-ctx.Done()
		cancel()
		require.ErrorIs(t, call(ctx, newClient(t, answering(reply(200, success[op])))), clerk.ErrNotSent)
	}
}

func TestOptionsAreTypedByWhereTheyAreValid(t *testing.T) {
	isClients := func(option any) bool { _, ok := option.(clerk.Option); return ok }
	isCalls := func(option any) bool { _, ok := option.(clerk.CallOption); return ok }
	isAlls := func(option any) bool { _, ok := option.(clerk.AllOption); return ok }
	isCreateAlls := func(option any) bool { _, ok := option.(clerk.CreateAllOption); return ok }
	for name, test := range map[string]struct {
		option any
		valid  [4]bool // for a client, a call, All, CreateAll
	}{
		"WithRetry":        {clerk.WithRetry(clerk.RetryConfig{}), [4]bool{true, true, true, true}},
		"WithHTTPClient":   {clerk.WithHTTPClient(nil), [4]bool{true, false, false, false}},
		"WithResponse":     {clerk.WithResponse(nil), [4]bool{false, true, true, false}},
		"WithPrefetch":     {clerk.WithPrefetch(1), [4]bool{false, false, true, false}},
		"WithBudget":       {clerk.WithBudget(clerk.Budget{}), [4]bool{false, false, false, true}},
		"WithProgress":     {clerk.WithProgress(nil), [4]bool{false, false, false, true}},
		"WithSkipNone":     {clerk.WithSkipNone(), [4]bool{false, false, false, true}},
		"WithSkipSince":    {clerk.WithSkipSince(time.Time{}), [4]bool{false, false, false, true}},
		"WithSourceError":  {clerk.WithSourceError(nil), [4]bool{false, false, false, true}},
		"WithPlaintext":    {clerk.WithInsecurePlaintextHTTP(), [4]bool{true, false, false, false}},
		"WithAttemptLimit": {clerk.WithAttemptTimeout(1), [4]bool{true, true, true, true}},
	} {
		valid := [4]bool{isClients(test.option), isCalls(test.option), isAlls(test.option), isCreateAlls(test.option)}
		require.Equal(t, test.valid, valid, name)
	}
}

func TestPlaintextHTTPNeedsAnOption(t *testing.T) {
	base := clerk.WithBaseURL("http://fakeclerk:8080/v1")
	_, err := clerk.NewClient(testKey, base)
	require.ErrorContains(t, err, "WithBaseURL is neither https nor http to a loopback address")
	for _, opts := range [][]clerk.Option{{base, clerk.WithInsecurePlaintextHTTP()}, {clerk.WithInsecurePlaintextHTTP(), base}} {
		_, err = clerk.NewClient(testKey, opts...)
		require.NoError(t, err)
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

// TestWithResponseAgreesWithTheError has a lost Create whose retry is not sent.
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
