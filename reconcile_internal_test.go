package clerk

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

func TestFailureOf(t *testing.T) {
	duplicate := &ClerkErrors{Errors: []ClerkError{{Code: CodeDuplicateRecord}}, class: transport.Refused}
	for name, test := range map[string]struct {
		failure error
		want    decide.Failure
	}{
		"ambiguous":             {&SDKError{class: transport.Ambiguous}, decide.OutcomeUnknown},
		"an ambiguous refusal":  {&SDKError{class: transport.Ambiguous, Err: duplicate}, decide.OutcomeUnknown},
		"rate limited":          {&SDKError{class: transport.RateLimited}, decide.NotCarriedOut},
		"not sent":              {&SDKError{class: transport.NotSent}, decide.NotCarriedOut},
		"an invalid request":    {&SDKError{}, decide.NotCarriedOut},
		"the own refusal":       {duplicate, decide.RefusedAsDone},
		"the own refusal, 409":  {&SDKError{class: transport.Refused, Err: duplicate}, decide.RefusedAsDone},
		"a documented refusal":  {&ClerkErrors{Errors: []ClerkError{{Code: CodeFormParamMissing}}, class: transport.Refused}, decide.RefusedForGood},
		"an undocumented 403":   {&SDKError{ResponseMeta: ResponseMeta{StatusCode: 403}, class: transport.Refused}, decide.Refused},
		"another own refusal's": {&ClerkErrors{Errors: []ClerkError{{Code: CodeInvitationAlreadyRevoked}}, class: transport.Refused}, decide.RefusedForGood},
	} {
		require.Equal(t, test.want, failureOf(test.failure, ErrDuplicateInvitation), name)
	}
}

// TestLookupWaitsContinueToGrow after another request of the write, and from one failed
// lookup to the next. The lookup that decides comes at the end of the grace time.
func TestLookupWaitsContinueToGrow(t *testing.T) {
	c := newCall(&clientConfig{random: func() float64 { return 0.9 }}, OperationCreate)
	require.NoError(t, c.setRetry(RetryConfig{}))
	c.pass = 3
	r := &reconciliation[int]{call: c}
	r.failed(&SDKError{class: transport.Ambiguous})
	require.Equal(t, 1, r.call.sent.Writes)
	wait, _ := r.waits(nil)
	require.InDelta(t, 0.9*0.5*1.5*1.5, wait.Seconds(), 1e-6)
	c.pass = 20
	wait, _ = r.waits(nil)
	require.InDelta(t, decide.Grace.Seconds(), wait.Seconds(), 0.1)

	r.call.sent.FailedAt = time.Now().Add(-decide.Grace)
	for _, want := range []float64{0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5.6953125, 8, 8} {
		wait, _ = r.waits(&SDKError{})
		require.InDelta(t, want, wait.Seconds(), 1e-6)
	}
}

func TestIsDefinite(t *testing.T) {
	notAllowed := &ClerkErrors{Errors: []ClerkError{{Code: CodeNotAllowedAccess}}}
	require.True(t, isDefinite(&ClerkErrors{Errors: []ClerkError{{Code: CodeFormParamMissing}}}), "documented")
	require.True(t, isDefinite(&SDKError{Err: notAllowed}), "its code says so")
	require.False(t, isDefinite(&SDKError{ResponseMeta: ResponseMeta{StatusCode: 403}}))
}

func TestUnknownOutcomeDescribesTheWrite(t *testing.T) {
	failure := &SDKError{ResponseMeta: ResponseMeta{Operation: OperationCreate, StatusCode: 502}, Message: "Bad Gateway", class: transport.Ambiguous}
	require.Same(t, failure, unknownOutcome(failure, nil, nil), "it says all")

	limited := &SDKError{ResponseMeta: ResponseMeta{Operation: OperationCreate, StatusCode: 429, RetryAfter: time.Hour}, class: transport.RateLimited}
	err := unknownOutcome(limited, nil, nil)
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.ErrorIs(t, err, ErrRateLimited)

	lookup := &SDKError{ResponseMeta: ResponseMeta{Operation: OperationList, StatusCode: 401, Attempts: 3}, Message: "Unauthorized"} // counted by the call
	err = unknownOutcome(failure, lookup, context.Canceled)
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrUnauthorized, "that is the lookup's")
	require.EqualError(t, err, "clerk: CreateInvitation: outcome unknown: 502 Bad Gateway; looking it up: ListInvitations: 401 Unauthorized")
}
