package clerk_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestErrorResponses checks each known error of Clerk's.
func TestErrorResponses(t *testing.T) {
	const (
		create = clerk.OperationCreate
		list   = clerk.OperationList
		bulk   = clerk.OperationBulkCreate
		revoke = clerk.OperationRevoke
	)
	for name, test := range map[string]struct {
		op      clerk.Operation
		body    string // of the response
		status  int
		is      error // nil for no sentinel
		refusal bool  // a *ClerkErrors, not an *SDKError
		text    string
	}{
		"a pending invitation exists": {
			create, duplicateJSON, 400, clerk.ErrDuplicateInvitation, true,
			"clerk: CreateInvitation: 400 duplicate_record: duplicate invitation (trace trace_in_body)",
		},
		"one of a bulk exists": {
			bulk, duplicateJSON, 400, clerk.ErrDuplicateInvitation, true,
			"clerk: CreateBulkInvitations: 400 duplicate_record: duplicate invitation (trace trace_in_body)",
		},
		"a pending invitation exists, with another status": {
			create, duplicateJSON, 422, clerk.ErrDuplicateInvitation, true,
			"clerk: CreateInvitation: 422 duplicate_record: duplicate invitation (trace trace_in_body)",
		},
		"a pending invitation exists, with an undocumented status": {
			create, duplicateJSON, 409, clerk.ErrDuplicateInvitation, false,
			"clerk: CreateInvitation: 409 duplicate_record: duplicate invitation (trace trace_in_body)",
		},
		"the address is a user": {
			create, envelope("form_identifier_exists", "That email address is taken. Please try another.", "That email address is taken. Please try another.", `{"param_name":"email_address"}`),
			422, clerk.ErrUserExists, true,
			"clerk: CreateInvitation: 422 form_identifier_exists: That email address is taken. Please try another. (email_address)",
		},
		"a bad address": {
			create, envelope("form_param_format_invalid", "is invalid", "email_address must be a valid email address.", `{"param_name":"email_address"}`),
			422, clerk.ErrInvalidRequest, true, "clerk: CreateInvitation: 422 form_param_format_invalid: is invalid (email_address)",
		},
		"a missing address": {
			create, envelope("form_param_missing", "is missing", "email_address must be included.", `{"param_name":"email_address"}`),
			422, clerk.ErrInvalidRequest, true, "clerk: CreateInvitation: 422 form_param_missing: is missing (email_address)",
		},
		"an unknown field": {
			create, envelope("form_param_unknown", "is unknown", "x is not a valid parameter for this request.", `{"param_name":"x"}`),
			422, clerk.ErrInvalidRequest, true, "clerk: CreateInvitation: 422 form_param_unknown: is unknown (x)",
		},
		"more than 10 in a bulk": {
			bulk, envelope("bulk_size_exceeded", "bulk size exceeded", "Parameters exceed the maximum allowed bulk processing size of 10.", `null`),
			400, clerk.ErrInvalidRequest, true, "clerk: CreateBulkInvitations: 400 bulk_size_exceeded: bulk size exceeded",
		},
		"a life that is too long": {
			create, envelope("form_param_value_invalid", "is invalid", "expires_in_days is invalid", `{"param_name":"expires_in_days"}`),
			422, clerk.ErrInvalidRequest, true, "clerk: CreateInvitation: 422 form_param_value_invalid: is invalid (expires_in_days)",
		},
		"revoked already": {
			revoke, envelope("invitation_already_revoked", "Invitation is already revoked.", "Invitation is already revoked.", `null`),
			400, clerk.ErrAlreadyRevoked, true, "clerk: RevokeInvitation: 400 invitation_already_revoked: Invitation is already revoked.",
		},
		"accepted already": {
			revoke, envelope("invitation_already_accepted", "Invitation is already accepted, try signing in instead.", "", `null`),
			400, clerk.ErrAlreadyAccepted, true,
			"clerk: RevokeInvitation: 400 invitation_already_accepted: Invitation is already accepted, try signing in instead.",
		},
		"an unknown id": {
			revoke, envelope("resource_not_found", "not found", "No invitation was found with id inv_1.", `null`),
			404, clerk.ErrNotFound, true, "clerk: RevokeInvitation: 404 resource_not_found: not found",
		},
		"a path that is not Clerk's": {
			revoke, "404 page not found", 404, nil, false, "clerk: RevokeInvitation: 404 Not Found (no Clerk error, but application/json, 18 bytes)",
		},
		"no authorization": {
			create, envelope("authorization_header_format_invalid", "Invalid Authorization header format", "", `null`),
			401, clerk.ErrUnauthorized, false,
			"clerk: CreateInvitation: 401 authorization_header_format_invalid: Invalid Authorization header format",
		},
		"a wrong key": {
			list, envelope("clerk_key_invalid", "The provided Clerk Secret Key is invalid.", "", `null`),
			401, clerk.ErrUnauthorized, false, "clerk: ListInvitations: 401 clerk_key_invalid: The provided Clerk Secret Key is invalid.",
		},
		"a wrong key, in words": {
			create, `who are you?`, 401, clerk.ErrUnauthorized, false,
			"clerk: CreateInvitation: 401 Unauthorized (no Clerk error, but application/json, 12 bytes)",
		},
		"a wrong key, with another status": {
			create, envelope("clerk_key_invalid", "The key is invalid.", "", `null`), 400, clerk.ErrUnauthorized, true,
			"clerk: CreateInvitation: 400 clerk_key_invalid: The key is invalid.",
		},
		"bad JSON": {
			create, envelope("request_body_invalid", "Request body invalid", "", `null`), 400, clerk.ErrInvalidRequest, true,
			"clerk: CreateInvitation: 400 request_body_invalid: Request body invalid",
		},
		"a wrong content type": {
			create, envelope("unsupported_content_type", "Content-Type is unsupported", "", `null`), 415, nil, false,
			"clerk: CreateInvitation: 415 unsupported_content_type: Content-Type is unsupported",
		},
		"a body too large": {
			create, envelope("request_body_too_large", "Request body too large", "", `null`), 413, clerk.ErrInvalidRequest, false,
			"clerk: CreateInvitation: 413 request_body_too_large: Request body too large",
		},
		"a list that is refused": {
			list, envelope("form_param_value_invalid", "is invalid", "limit is invalid", `{"param_name":"limit"}`), 422, clerk.ErrInvalidRequest, false,
			"clerk: ListInvitations: 422 form_param_value_invalid: is invalid (limit)",
		},
		"rate limited, with an envelope": {
			create, envelope("too_many_requests", "Too many requests", "Too many requests, retry later", `null`), 429,
			clerk.ErrRateLimited, false, "clerk: CreateInvitation: 429 too_many_requests: Too many requests",
		},
		"rate limited, with no errors": {
			create, `{"errors":[]}`, 429, clerk.ErrRateLimited, false,
			"clerk: CreateInvitation: 429 Too Many Requests (no Clerk error, but application/json, 13 bytes)",
		},
		"rate limited, with text": {
			bulk, "slow down", 429, clerk.ErrRateLimited, false,
			"clerk: CreateBulkInvitations: 429 Too Many Requests (no Clerk error, but application/json, 9 bytes)",
		},
		"rate limited, with nothing": {
			list, "", 429, clerk.ErrRateLimited, false,
			"clerk: ListInvitations: 429 Too Many Requests (no Clerk error, but an empty body)",
		},
		"Clerk is broken": {
			create, envelope("internal_clerk_error", "Oops, an unexpected error occurred", "", `null`), 500, clerk.ErrOutcomeUnknown, false,
			"clerk: CreateInvitation: outcome unknown: 500 internal_clerk_error: Oops, an unexpected error occurred",
		},
		"Clerk is broken for a read": {
			list, envelope("internal_clerk_error", "Oops, an unexpected error occurred", "", `null`), 500, nil, false,
			"clerk: ListInvitations: 500 internal_clerk_error: Oops, an unexpected error occurred",
		},
		"Clerk is down": {
			revoke, envelope("service_unavailable", "Service unavailable", "", `null`), 503, clerk.ErrOutcomeUnknown, false,
			"clerk: RevokeInvitation: outcome unknown: 503 service_unavailable: Service unavailable",
		},
		"Clerk is slow": {
			bulk, envelope("gateway_timeout", "Gateway Timeout", "", `null`), 504, clerk.ErrOutcomeUnknown, false,
			"clerk: CreateBulkInvitations: outcome unknown: 504 gateway_timeout: Gateway Timeout",
		},
		"the edge is down": {
			create, "<html>Bad gateway</html>", 502, clerk.ErrOutcomeUnknown, false,
			"clerk: CreateInvitation: outcome unknown: 502 Bad Gateway (no Clerk error, but application/json, 24 bytes)",
		},
		"the edge has a status of its own": {
			create, "", 520, clerk.ErrOutcomeUnknown, false,
			"clerk: CreateInvitation: outcome unknown: 520 (no Clerk error, but an empty body)",
		},
		"the request took too long": {
			create, "", 408, clerk.ErrOutcomeUnknown, false,
			"clerk: CreateInvitation: outcome unknown: 408 Request Timeout (no Clerk error, but an empty body)",
		},
		"a resource that is locked": {
			revoke, envelope("resource_locked", "resource busy", "", `null`), 409, nil, false,
			"clerk: RevokeInvitation: 409 resource_locked: resource busy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, answering(reply(test.status, test.body)),
				clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
			err := calls[test.op](t.Context(), client)
			require.EqualError(t, err, test.text)
			for _, sentinel := range allSentinels {
				require.Equal(t, sentinel == test.is, errors.Is(err, sentinel), "%v", sentinel) //nolint:errorlint // compares identity
			}
			var refused *clerk.ClerkErrors
			var sdk *clerk.SDKError
			require.Equal(t, !test.refusal, errors.As(err, &sdk))
			require.Equal(t, strings.Contains(test.body, `"code"`), errors.As(err, &refused))
			var meta clerk.ResponseMeta
			if test.refusal {
				meta = refused.ResponseMeta
				require.Equal(t, test.body, string(refused.Body))
			} else {
				meta = sdk.ResponseMeta
				require.Equal(t, test.body, string(sdk.Body))
			}
			require.Equal(t, test.op, meta.Operation)
			require.Equal(t, test.status, meta.StatusCode)
			require.Equal(t, 1, meta.Attempts)
			require.Equal(t, "application/json", meta.Header.Get("Content-Type"))
		})
	}
}

var allSentinels = []error{
	clerk.ErrDuplicateInvitation, clerk.ErrUserExists, clerk.ErrNotFound, clerk.ErrAlreadyRevoked,
	clerk.ErrAlreadyAccepted, clerk.ErrUnauthorized, clerk.ErrRateLimited, clerk.ErrOutcomeUnknown, clerk.ErrInvalidRequest,
	clerk.ErrNotSent, clerk.ErrOldNotRevoked,
}

func TestClerkErrorsDecodesAllFields(t *testing.T) {
	body := `{"errors":[
		{"message":"duplicate invitation","long_message":"long","code":"duplicate_record","meta":{"email_addresses":["ada@example.com","b@example.com"]}},
		{"message":"is invalid","long_message":"x is invalid","code":"form_param_value_invalid","meta":{"param_name":"x"}},
		{"message":"odd","code":"a_new_code","meta":["not","an","object"],"further":1}
	],"meta":{"a":1},"clerk_trace_id":"from_body"}`
	client := newClient(t, answering(reply(422, body)))
	err := calls[clerk.OperationCreate](t.Context(), client)
	refused := asClerkErrors(t, err)
	require.Equal(t, []clerk.ClerkError{
		{Code: clerk.CodeDuplicateRecord, Message: "duplicate invitation", LongMessage: "long", Meta: json.RawMessage(`{"email_addresses":["ada@example.com","b@example.com"]}`)},
		{Code: clerk.CodeFormParamValueInvalid, Message: "is invalid", LongMessage: "x is invalid", Meta: json.RawMessage(`{"param_name":"x"}`)},
		{Code: "a_new_code", Message: "odd", Meta: json.RawMessage(`["not","an","object"]`)},
	}, refused.Errors)
	require.JSONEq(t, `{"a":1}`, string(refused.Meta))
	require.Equal(t, []string{"ada@example.com", "b@example.com"}, refused.Errors[0].EmailAddresses())
	require.Empty(t, refused.Errors[0].ParamName())
	require.Equal(t, "x", refused.Errors[1].ParamName())
	require.Nil(t, refused.Errors[2].EmailAddresses())
	require.Empty(t, refused.Errors[2].ParamName())
	require.EqualError(t, err, "clerk: CreateInvitation: 422 duplicate_record: duplicate invitation; "+
		"form_param_value_invalid: is invalid (x); a_new_code: odd (trace from_body)")
}

func TestTraceIDComesFromHeaderOrBody(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string
		body    string
		want    string
	}{
		"from the header":    {[]string{"X-Clerk-Trace-Id", "from_header"}, duplicateJSON, "from_header"},
		"else from the body": {nil, duplicateJSON, "trace_in_body"},
		"not from elsewhere": {[]string{"Clerk-Trace-Id", "other"}, `{"errors":[{"code":"x"}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, answering(reply(400, test.body, test.headers...)))
			err := calls[clerk.OperationCreate](t.Context(), client)
			require.Equal(t, test.want, asClerkErrors(t, err).TraceID)
			err = calls[clerk.OperationList](t.Context(), client)
			require.Equal(t, test.want, asSDKError(t, err).TraceID)
			require.Equal(t, test.want, asClerkErrors(t, err).TraceID)
		})
	}
}

func TestErrorBodyIsLimited(t *testing.T) {
	const limit = 64 << 10
	for name, test := range map[string]struct {
		status int
		body   string
	}{
		"of a refusal":            {400, strings.Repeat("x", 3*limit)},
		"of an unusable response": {200, strings.Repeat("x", 3*limit)},
		"of exactly that much":    {502, strings.Repeat("x", limit)},
		"of an enormous refusal":  {400, `{"errors":[{"code":"duplicate_record","message":"` + strings.Repeat("x", 3*limit)},
	} {
		t.Run(name, func(t *testing.T) {
			err := calls[clerk.OperationCreate](t.Context(), newClient(t, answering(reply(test.status, test.body))), once)
			require.Equal(t, test.body[:limit], string(asSDKError(t, err).Body))
			require.Less(t, len(err.Error()), 300)
		})
	}
}

// TestErrorsCanBeConstructed constructs errors by hand, as tests of code that handles them do.
func TestErrorsCanBeConstructed(t *testing.T) {
	var err error = &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeFormIdentifierExists}}}
	require.ErrorIs(t, err, clerk.ErrUserExists)
	require.EqualError(t, err, "clerk: form_identifier_exists")

	err = &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeFormParamMissing}, {Code: clerk.CodeDuplicateRecord}}}
	require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
	require.NotErrorIs(t, err, clerk.ErrUserExists)

	err = &clerk.SDKError{ResponseMeta: clerk.ResponseMeta{StatusCode: 429, RetryAfter: time.Minute}, Message: "slow down"}
	require.ErrorIs(t, err, clerk.ErrRateLimited)
	require.EqualError(t, err, "clerk: 429 slow down (retry after 1m0s)")

	err = &clerk.SDKError{Message: "no response", Err: clerk.ErrOutcomeUnknown}
	require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
	require.EqualError(t, err, "clerk: outcome unknown: no response")
}

func TestErrorTextListsFiveErrors(t *testing.T) {
	body := `{"errors":[` + strings.Repeat(`{"code":"a"},`, 999) + `{"code":"a"}]}`
	err := calls[clerk.OperationCreate](t.Context(), newClient(t, answering(reply(400, body))))
	require.EqualError(t, err, "clerk: CreateInvitation: 400 a; a; a; a; a; and 995 more")
	require.Len(t, asClerkErrors(t, err).Errors, 1000)
}

func TestBodiesThatAreNoErrorEnvelope(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `""`, `{"errors":null}`, `{"errors":{}}`, `{"errors":[null]}`, `{"errors":[{}]}`,
		`{"errors":["text"]}`, `{"errors":[{"code":5}]}`, `{"errors":[{"code":"x"}]`, `<html>`,
	} {
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, answering(reply(400, body))))
		sdk := asSDKError(t, err)
		require.Equal(t, http.StatusBadRequest, sdk.StatusCode)
		require.Equal(t, body, string(sdk.Body))
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, "a 400 is a refusal, whatever it says")
	}
}

func TestInputErrorsNameTheField(t *testing.T) {
	l := newLife(t)
	invs, ctx := l.client.Invitations, t.Context()
	valid := clerk.CreateInvitationRequest{EmailAddress: address}
	invalid := clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"a": math.NaN()}}
	failure := func(_ any, err error) error { return err }
	all := func(opts ...clerk.AllOption) error {
		for _, err := range invs.All(ctx, clerk.ListInvitationsRequest{}, opts...) {
			return err
		}
		return nil
	}
	for _, test := range []struct {
		field string
		err   error
	}{
		{"email_address", failure(invs.Create(ctx, clerk.CreateInvitationRequest{}))},
		{"email_address", failure(invs.FindPending(ctx, " "))},
		{"public_metadata", failure(invs.Create(ctx, invalid))},
		{"public_metadata", failure(invs.Resend(ctx, testID, invalid))},
		{"limit", failure(invs.List(ctx, clerk.ListInvitationsRequest{Limit: -1}))},
		{"offset", failure(invs.List(ctx, clerk.ListInvitationsRequest{Offset: -1}))},
		{"requests", failure(invs.BulkCreate(ctx, nil))},
		{"requests[1].email_address", failure(invs.BulkCreate(ctx, []clerk.CreateInvitationRequest{valid, {}}))},
		{"invitation_id", failure(invs.Get(ctx, ""))},
		{"invitation_id", failure(invs.Revoke(ctx, "../users"))},
		{"invitation_id", failure(invs.Delete(ctx, ""))},
		{"invitation_id", failure(invs.Resend(ctx, "a/b", valid))},
		{"WithPrefetch", all(clerk.WithPrefetch(-1))},
		{"WithResponse", failure(invs.Create(ctx, valid, clerk.WithResponse(nil)))},
		{"WithAttemptTimeout", failure(invs.Create(ctx, valid, clerk.WithAttemptTimeout(-1)))},
		{"option", failure(invs.Create(ctx, valid, nil))},
		{"secret key", failure(clerk.NewClient("pk_test_dummy"))},
		{"WithBaseURL", failure(clerk.NewClient(testKey, clerk.WithBaseURL("http://example.com")))},
		{"WithHTTPClient", failure(clerk.NewClient(testKey, clerk.WithHTTPClient(nil)))},
		{"WithRetry", failure(clerk.NewClient(testKey, clerk.WithRetry(clerk.RetryConfig{Strategy: "always"})))},
		{"WithHeader", failure(clerk.NewClient(testKey, clerk.WithHeader("Authorization", "x")))},
		{"WithAppName", failure(clerk.NewClient(testKey, clerk.WithAppName("")))},
		{"WithMaxResponseBytes", failure(l.client.With(clerk.WithMaxResponseBytes(0)))},
	} {
		require.ErrorIs(t, test.err, clerk.ErrInvalidRequest, test.field)
		require.NotErrorIs(t, test.err, clerk.ErrNotSent, "calling again would not help")
		input := asError[*clerk.InputError](t, test.err)
		require.Equal(t, test.field, input.Field)
		require.NotEmpty(t, input.Problem)
	}
	require.Empty(t, l.fake.Requests())
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
