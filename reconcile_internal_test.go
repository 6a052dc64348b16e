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
