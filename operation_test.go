package clerk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// cameBack lists the responses and failures that the first request of an operation may get.
var cameBack = map[string]httpmock.Responder{
	"200 cut off":              cutOff(200, `{"errors":[`),
	"200 HTML":                 httpmock.NewStringResponder(200, `<html>`).HeaderSet(http.Header{"Content-Type": {"text/html"}}),
	"200 null":                 reply(200, `null`),
	"307":                      reply(307, ``, "Location", "/elsewhere"),
	"400 duplicate_record":     reply(400, envelope("duplicate_record", "m", "", "null")),
	"400 already_revoked":      reply(400, envelope("invitation_already_revoked", "m", "", "null")),
	"400 HTML":                 reply(400, `<html>`),
	"401 clerk_key_invalid":    reply(401, envelope("clerk_key_invalid", "m", "", "null")),
	"403 HTML":                 reply(403, `<html>`),
	"404 resource_not_found":   reply(404, envelope("resource_not_found", "m", "", "null")),
	"408":                      reply(408, ``),
	"409 resource_locked":      reply(409, envelope("resource_locked", "m", "", "null")),
	"409 with Retry-After":     reply(409, ``, "Retry-After", "3"),
	"403 with Retry-After":     reply(403, `<html>`, "Retry-After", "1"),
	"422 too_many_requests":    reply(422, envelope("too_many_requests", "m", "", "null")),
	"503 too_many_requests":    reply(503, envelope("too_many_requests", "m", "", "null")),
	"422 identifier_exists":    reply(422, envelope("form_identifier_exists", "m", "", "null")),
	"422 cut off":              cutOff(422, `{"errors":[`),
	"429":                      reply(429, ``),
	"429 with a long wait":     reply(429, envelope("too_many_requests", "m", "", "null"), "Retry-After", "3600"),
	"500 internal_clerk_error": reply(500, envelope("internal_clerk_error", "m", "", "null")),
	"503 with Retry-After":     reply(503, ``, "Retry-After", "3"),
	"connection refused":       failing(errDial),
	"connection reset":         failing(errReset),
	"no response in time":      hangs,
	"untrusted certificate":    failing(&net.OpError{Op: "dial", Err: &tls.CertificateVerificationError{Err: errors.New("expired")}}),
}

// TestOperations checks each operation with everything that its first request may get. class,
// type and sentinel describe the error with RetryNone; then says what follows the first
// request by default. The type is refusal for *ClerkErrors, and other for *SDKError.
func TestOperations(t *testing.T) {
	const (
		list, create, bulk, revoke, del              = "list", "create", "bulk", "revoke", "delete"
		refused, limited, notSent, ambiguous, failed = "refused", "rate limited", "not sent", "ambiguous", "failed"
		fails, retries, looksUp                      = "fails", "retries", "looks up"
		refusal, other                               = true, false
	)
	rows := []struct {
		operation, response, class, then string
		isRefusal                        bool
		sentinel                         error // nil for none
	}{
		{list, "200 cut off", failed, retries, other, nil},
		{list, "200 HTML", failed, fails, other, nil},
		{list, "200 null", failed, fails, other, nil},
		{list, "307", failed, fails, other, nil},
		{list, "400 duplicate_record", refused, fails, other, clerk.ErrDuplicateInvitation},
		{list, "400 already_revoked", refused, fails, other, clerk.ErrAlreadyRevoked},
		{list, "400 HTML", refused, fails, other, nil},
		{list, "401 clerk_key_invalid", refused, fails, other, clerk.ErrUnauthorized},
		{list, "403 HTML", refused, fails, other, nil},
		{list, "404 resource_not_found", refused, fails, other, clerk.ErrNotFound},
		{list, "408", failed, fails, other, nil},
		{list, "409 resource_locked", refused, fails, other, nil},
		{list, "409 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{list, "403 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{list, "422 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{list, "503 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{list, "422 identifier_exists", refused, fails, other, clerk.ErrUserExists},
		{list, "422 cut off", refused, fails, other, nil},
		{list, "429", limited, retries, other, clerk.ErrRateLimited},
		{list, "429 with a long wait", limited, fails, other, clerk.ErrRateLimited},
		{list, "500 internal_clerk_error", failed, retries, other, nil},
		{list, "503 with Retry-After", failed, retries, other, nil},
		{list, "connection refused", notSent, retries, other, clerk.ErrNotSent},
		{list, "connection reset", failed, retries, other, nil},
		{list, "no response in time", failed, retries, other, nil},
		{list, "untrusted certificate", notSent, fails, other, clerk.ErrNotSent},

		{create, "200 cut off", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "200 HTML", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "200 null", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "307", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "400 duplicate_record", refused, fails, refusal, clerk.ErrDuplicateInvitation},
		{create, "400 already_revoked", refused, fails, refusal, clerk.ErrAlreadyRevoked},
		{create, "400 HTML", refused, fails, other, nil},
		{create, "401 clerk_key_invalid", refused, fails, other, clerk.ErrUnauthorized},
		{create, "403 HTML", refused, fails, other, nil},
		{create, "404 resource_not_found", refused, fails, other, clerk.ErrNotFound},
		{create, "408", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "409 resource_locked", refused, fails, other, nil},
		{create, "409 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{create, "403 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{create, "422 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{create, "503 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{create, "422 identifier_exists", refused, fails, refusal, clerk.ErrUserExists},
		{create, "422 cut off", refused, fails, other, nil},
		{create, "429", limited, retries, other, clerk.ErrRateLimited},
		{create, "429 with a long wait", limited, fails, other, clerk.ErrRateLimited},
		{create, "500 internal_clerk_error", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "503 with Retry-After", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "connection refused", notSent, retries, other, clerk.ErrNotSent},
		{create, "connection reset", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "no response in time", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{create, "untrusted certificate", notSent, fails, other, clerk.ErrNotSent},

		{bulk, "200 cut off", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "200 HTML", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "200 null", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "307", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "400 duplicate_record", refused, looksUp, refusal, clerk.ErrDuplicateInvitation},
		{bulk, "400 already_revoked", refused, looksUp, refusal, clerk.ErrAlreadyRevoked},
		{bulk, "400 HTML", refused, looksUp, other, nil},
		{bulk, "401 clerk_key_invalid", refused, looksUp, other, clerk.ErrUnauthorized},
		{bulk, "403 HTML", refused, looksUp, other, nil},
		{bulk, "404 resource_not_found", refused, looksUp, other, clerk.ErrNotFound},
		{bulk, "408", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "409 resource_locked", refused, looksUp, other, nil},
		{bulk, "409 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{bulk, "403 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{bulk, "422 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{bulk, "503 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{bulk, "422 identifier_exists", refused, looksUp, refusal, clerk.ErrUserExists},
		{bulk, "422 cut off", refused, looksUp, other, nil},
		{bulk, "429", limited, retries, other, clerk.ErrRateLimited},
		{bulk, "429 with a long wait", limited, fails, other, clerk.ErrRateLimited},
		{bulk, "500 internal_clerk_error", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "503 with Retry-After", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "connection refused", notSent, retries, other, clerk.ErrNotSent},
		{bulk, "connection reset", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "no response in time", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{bulk, "untrusted certificate", notSent, fails, other, clerk.ErrNotSent},

		{revoke, "200 cut off", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "200 HTML", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "200 null", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "307", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "400 duplicate_record", refused, fails, refusal, clerk.ErrDuplicateInvitation},
		{revoke, "400 already_revoked", refused, fails, refusal, clerk.ErrAlreadyRevoked},
		{revoke, "400 HTML", refused, fails, other, nil},
		{revoke, "401 clerk_key_invalid", refused, fails, other, clerk.ErrUnauthorized},
		{revoke, "403 HTML", refused, fails, other, nil},
		{revoke, "404 resource_not_found", refused, fails, refusal, clerk.ErrNotFound},
		{revoke, "408", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "409 resource_locked", refused, fails, other, nil},
		{revoke, "409 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{revoke, "403 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{revoke, "422 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{revoke, "503 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{revoke, "422 identifier_exists", refused, fails, other, clerk.ErrUserExists},
		{revoke, "422 cut off", refused, fails, other, nil},
		{revoke, "429", limited, retries, other, clerk.ErrRateLimited},
		{revoke, "429 with a long wait", limited, fails, other, clerk.ErrRateLimited},
		{revoke, "500 internal_clerk_error", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "503 with Retry-After", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "connection refused", notSent, retries, other, clerk.ErrNotSent},
		{revoke, "connection reset", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "no response in time", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{revoke, "untrusted certificate", notSent, fails, other, clerk.ErrNotSent},

		{del, "200 cut off", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "200 HTML", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "200 null", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "307", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "400 duplicate_record", refused, fails, refusal, clerk.ErrDuplicateInvitation},
		{del, "400 already_revoked", refused, fails, refusal, clerk.ErrAlreadyRevoked},
		{del, "400 HTML", refused, fails, other, nil},
		{del, "401 clerk_key_invalid", refused, fails, other, clerk.ErrUnauthorized},
		{del, "403 HTML", refused, fails, other, nil},
		{del, "404 resource_not_found", refused, fails, refusal, clerk.ErrNotFound},
		{del, "408", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "409 resource_locked", refused, fails, other, nil},
		{del, "409 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{del, "403 with Retry-After", limited, retries, other, clerk.ErrRateLimited},
		{del, "422 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{del, "503 too_many_requests", limited, retries, other, clerk.ErrRateLimited},
		{del, "422 identifier_exists", refused, fails, other, clerk.ErrUserExists},
		{del, "422 cut off", refused, fails, other, nil},
		{del, "429", limited, retries, other, clerk.ErrRateLimited},
		{del, "429 with a long wait", limited, fails, other, clerk.ErrRateLimited},
		{del, "500 internal_clerk_error", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "503 with Retry-After", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "connection refused", notSent, retries, other, clerk.ErrNotSent},
		{del, "connection reset", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "no response in time", ambiguous, looksUp, other, clerk.ErrOutcomeUnknown},
		{del, "untrusted certificate", notSent, fails, other, clerk.ErrNotSent},
	}
	for _, row := range rows {
		t.Run(row.operation+"/"+row.response, func(t *testing.T) {
			t.Parallel()
			err := callOnce(t, row.operation, row.response)
			require.Equal(t, row.class, clerk.ClassOf(err))
			_, isRefusal := err.(*clerk.ClerkErrors) //nolint:errorlint // checks the outermost type
			require.Equal(t, row.isRefusal, isRefusal)
			for _, sentinel := range allSentinels {
				require.Equal(t, sentinel == row.sentinel, errors.Is(err, sentinel), "%v", sentinel) //nolint:errorlint // compares identity
			}
			require.Equal(t, row.then, whatFollows(t, row.operation, row.response))
		})
	}
	require.Len(t, rows, len(tableCalls)*len(cameBack), "a row for each pair")
}

// tableCalls holds each operation. A bulk has two requests, as one of them may be carried
// out when the bulk is refused.
var tableCalls = map[string]func(context.Context, *clerk.Client, ...clerk.CallOption) error{
	"list":   calls[clerk.OperationList],
	"create": calls[clerk.OperationCreate],
	"revoke": calls[clerk.OperationRevoke],
	"delete": calls[clerk.OperationDelete],
	"bulk": func(ctx context.Context, c *clerk.Client, opts ...clerk.CallOption) error {
		_, err := c.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{{EmailAddress: address}, {EmailAddress: guest(1)}}, opts...)
		return err
	},
}

// tableSuccess holds the body of a successful response to each operation.
var tableSuccess = map[string]string{
	"list":   success[clerk.OperationList],
	"create": pendingJSON,
	"bulk":   "[" + pendingJSON + "," + strings.Replace(pendingJSON, address, guest(1), 1) + "]",
	"revoke": revokedJSON,
	"delete": deletedJSON,
}

// callOnce calls an operation with RetryNone.
func callOnce(t *testing.T, operation, response string) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		err = tableCalls[operation](t.Context(), newClient(t, answering(cameBack[response])), once)
	})
	require.Error(t, err)
	return err
}

// whatFollows says what follows when the first request of an operation gets a response. All
// later ones succeed, but lookups fail.
func whatFollows(t *testing.T, operation, response string) (then string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var methods []string
		mock := answering(cameBack[response], reply(200, tableSuccess[operation]))
		err := tableCalls[operation](t.Context(), newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			methods = append(methods, req.Method)
			if operation != "list" && req.Method == http.MethodGet {
				return reply(403, ``)(req)
			}
			return mock.RoundTrip(req)
		})))
		switch {
		case len(methods) == 1:
			then = "fails"
			require.Error(t, err)
		case operation != "list" && methods[1] == http.MethodGet:
			then = "looks up"
			require.Error(t, err)
			require.NotContains(t, methods[1:], methods[0], "no write is retried before a lookup succeeds")
		default:
			then = "retries"
			require.NoError(t, err)
			require.Len(t, methods, 2)
		}
	})
	return then
}
