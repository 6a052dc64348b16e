package clerktest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// catalogue lists the code and status of each error of Clerk's catalogue that the operations
// can return.
const catalogue = `api_version_invalid 400, bad_request 400, bulk_size_exceeded 400,
	dev_monthly_email_limit_exceeded 400, duplicate_record 400, invitation_already_accepted 400,
	invitation_already_revoked 400, invitations_not_supported 400, malformed_request_parameters 400,
	request_body_invalid 400, authorization_header_format_invalid 401, clerk_key_invalid 401, action_blocked 403,
	authorization_invalid 403, not_allowed_access 403, quota_exceeded 403, user_quota_exceeded 403,
	resource_not_found 404, conflict 409, resource_locked 409, request_body_too_large 413,
	unsupported_content_type 415, form_identifier_exists 422, form_param_array_size_exceeded 422,
	form_param_exceeds_allowed_size 422, form_param_format_invalid 422, form_param_max_length_exceeded 422,
	form_param_missing 422, form_param_nil 422, form_param_type_invalid 422, form_param_unknown 422,
	form_param_value_invalid 422, form_param_value_too_large 422, too_many_requests 429,
	internal_clerk_error 500, service_unavailable 503, gateway_timeout 504`

func TestRespondWithEveryCodeOfTheCatalogue(t *testing.T) {
	want := map[clerk.ErrorCode]int{}
	for line := range strings.SplitSeq(catalogue, ",") {
		var code clerk.ErrorCode
		var status int
		_, err := fmt.Sscan(line, &code, &status)
		require.NoError(t, err)
		want[code] = status
	}
	require.Len(t, want, 37)
	require.Len(t, clerktest.Codes(), 37)
	fake := clerktest.New()
	for _, code := range clerktest.Codes() {
		fake.Respond(clerk.OperationList, clerktest.Response{Code: code})
		resp, body := send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, want[code], resp.StatusCode, code)
		var envelope struct{ Errors []clerk.ClerkError }
		require.NoError(t, json.Unmarshal([]byte(body), &envelope))
		require.Len(t, envelope.Errors, 1)
		require.Equal(t, code, envelope.Errors[0].Code)
		require.NotEmpty(t, envelope.Errors[0].Message)
		require.NotEmpty(t, envelope.Errors[0].LongMessage)
		log := fake.Requests()
		require.Equal(t, code, log[len(log)-1].Code)
	}
}
