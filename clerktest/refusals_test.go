package clerktest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

const (
	createPath = "POST /v1/invitations"
	bulkPath   = "POST /v1/invitations/bulk"
	listPath   = "GET /v1/invitations"
	revokePath = "POST /v1/invitations/inv_00000000000000000000000000%s/revoke"
)

var (
	longText         = strings.Repeat("x", 1<<20)
	elevenItems      = `[` + strings.Repeat(`{"email_address":"a@example.com"},`, 10) + `{"email_address":"b@example.com"}]`
	takenRefusal     = refusal(422, "form_identifier_exists", "That email address is taken. Please try another.", "That email address is taken. Please try another.", "email_address")
	badBodyRefusal   = withoutMeta(400, "request_body_invalid", "Request body invalid", "The request body is invalid. Please consult the API documentation for more information.")
	duplicateRefusal = `400 {"errors":[{"message":"duplicate invitation","long_message":"There are already pending invitations for the following email addresses: %[1]s","code":"duplicate_record","meta":{"email_addresses":["%[1]s"]}}]}`
	wrongKeyRefusal  = withoutMeta(401, "clerk_key_invalid", "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.", "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.")
	noKeyRefusal     = withoutMeta(401, "authorization_header_format_invalid", "Invalid Authorization header format", "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'")
)

// refusals has a row for each reason to refuse a request. TestRefusals describes the initial
// state.
var refusals = map[string]struct {
	call    string
	body    string
	headers []string
	want    string
}{
	"a pending invitation":         {createPath, `{"email_address":"pending@example.com"}`, nil, fmt.Sprintf(duplicateRefusal, "pending@example.com")},
	"in another case":              {createPath, `{"email_address":"Pending@Example.com"}`, nil, fmt.Sprintf(duplicateRefusal, "Pending@Example.com")},
	"a user":                       {createPath, `{"email_address":"user@example.com"}`, nil, takenRefusal},
	"a user and a pending one":     {bulkPath, `[{"email_address":"pending@example.com"},{"email_address":"user@example.com"}]`, nil, takenRefusal},
	"a pending one in a bulk":      {bulkPath, `[{"email_address":"new@example.com"},{"email_address":"pending@example.com"}]`, nil, fmt.Sprintf(duplicateRefusal, "pending@example.com")},
	"twice in a bulk":              {bulkPath, `[{"email_address":"new@example.com"},{"email_address":"new@example.com"}]`, nil, fmt.Sprintf(duplicateRefusal, "new@example.com")},
	"a user in a bulk, ignoring":   {bulkPath, `[{"email_address":"user@example.com","ignore_existing":true}]`, nil, takenRefusal},
	"a bulk of 11":                 {bulkPath, elevenItems, nil, withoutMeta(400, "bulk_size_exceeded", "bulk size exceeded", "Parameters exceed the maximum allowed bulk processing size of 10.")},
	"an empty bulk":                {bulkPath, `[]`, nil, badBodyRefusal},
	"a bulk that is an object":     {bulkPath, `{"email_address":"a@example.com"}`, nil, badBodyRefusal},
	"a bulk of numbers":            {bulkPath, `[5]`, nil, badBodyRefusal},
	"no JSON":                      {createPath, `{`, nil, badBodyRefusal},
	"no object":                    {createPath, `["a@example.com"]`, nil, badBodyRefusal},
	"null":                         {createPath, `null`, nil, badBodyRefusal},
	"no body":                      {createPath, ``, nil, badBodyRefusal},
	"no address":                   {createPath, `{}`, nil, refusal(422, "form_param_missing", "is missing", "email_address must be included.", "email_address")},
	"an address of null":           {createPath, `{"email_address":null}`, nil, refusal(422, "form_param_missing", "is missing", "email_address must be included.", "email_address")},
	"a bad address":                {createPath, `{"email_address":"no address"}`, nil, refusal(422, "form_param_format_invalid", "is invalid", "email_address must be a valid email address.", "email_address")},
	"a named address":              {createPath, `{"email_address":"Ada <ada@example.com>"}`, nil, refusal(422, "form_param_format_invalid", "is invalid", "email_address must be a valid email address.", "email_address")},
	"a bad address in a bulk":      {bulkPath, `[{"email_address":"a@example.com"},{"email_address":"@"}]`, nil, refusal(422, "form_param_format_invalid", "is invalid", "email_address must be a valid email address.", "email_address")},
	"an address that is a number":  {createPath, `{"email_address":5}`, nil, refusal(422, "form_param_type_invalid", "is invalid", "`email_address` must be a `string`.", "email_address")},
	"metadata that is a list":      {createPath, `{"email_address":"a@example.com","public_metadata":[]}`, nil, refusal(422, "form_param_type_invalid", "is invalid", "`public_metadata` must be a `object`.", "public_metadata")},
	"expiring in 0 days":           {createPath, `{"email_address":"a@example.com","expires_in_days":0}`, nil, refusal(422, "form_param_value_invalid", "is invalid", "expires_in_days is invalid", "expires_in_days")},
	"expiring in 366 days":         {createPath, `{"email_address":"a@example.com","expires_in_days":366}`, nil, refusal(422, "form_param_value_invalid", "is invalid", "expires_in_days is invalid", "expires_in_days")},
	"an unknown template":          {createPath, `{"email_address":"a@example.com","template_slug":"own"}`, nil, refusal(422, "form_param_value_invalid", "is invalid", "own does not match one of the allowed values for parameter template_slug", "template_slug")},
	"an unknown field":             {createPath, `{"email_address":"a@example.com","role":"admin"}`, nil, refusal(422, "form_param_unknown", "is unknown", "role is not a valid parameter for this request.", "role")},
	"a wrong content type":         {createPath, `{"email_address":"a@example.com"}`, []string{"Content-Type", "text/plain"}, withoutMeta(415, "unsupported_content_type", "Content-Type is unsupported", "Content-Type text/plain is unsupported. You should use application/json instead.")},
	"a body too large":             {createPath, `{"email_address":"` + longText + `"}`, nil, withoutMeta(413, "request_body_too_large", "Request body too large", "The request body exceeds the maximum allowed size of 1048576 bytes.")},
	"no key":                       {listPath, ``, []string{"Authorization", ""}, noKeyRefusal},
	"a key of another scheme":      {listPath, ``, []string{"Authorization", "Basic " + clerktest.SecretKey}, noKeyRefusal},
	"a key that is empty":          {listPath, ``, []string{"Authorization", "Bearer "}, noKeyRefusal},
	"a wrong key":                  {listPath, ``, []string{"Authorization", "Bearer sk_test_other"}, wrongKeyRefusal},
	"revoked already":              {fmt.Sprintf(revokePath, "3"), ``, nil, withoutMeta(400, "invitation_already_revoked", "Invitation is already revoked.", "Invitation is already revoked.")},
	"accepted already":             {fmt.Sprintf(revokePath, "2"), ``, nil, withoutMeta(400, "invitation_already_accepted", "Invitation is already accepted, try signing in instead.", "Invitation is already accepted, try signing in instead.")},
	"an unknown id":                {"POST /v1/invitations/inv_9/revoke", `null`, nil, withoutMeta(404, "resource_not_found", "not found", "No invitation was found with id inv_9.")},
	"an address too long":          {createPath, `{"email_address":"` + strings.Repeat("a", 243) + `@example.com"}`, nil, refusal(422, "form_param_max_length_exceeded", "exceeds maximum length", "email_address should not exceed 254 characters.", "email_address")},
	"an address that is not UTF-8": {createPath, "{\"email_address\":\"a\xff@example.com\"}", nil, refusal(422, "form_param_value_invalid", "invalid character encoding", "email_address contains invalid UTF-8 characters", "email_address")},
	"metadata that is not UTF-8":   {createPath, "{\"email_address\":\"a@example.com\",\"public_metadata\":{\"a\":\"\xff\"}}", nil, refusal(422, "form_param_value_invalid", "invalid character encoding", "public_metadata contains invalid UTF-8 characters", "public_metadata")},
	"a query that is not UTF-8":    {listPath + "?query=%ff", ``, nil, refusal(422, "form_param_value_invalid", "invalid character encoding", "query contains invalid UTF-8 characters", "query")},
	"an API version to come":       {listPath, ``, []string{"Clerk-API-Version", "2099-01-01"}, withoutMeta(400, "api_version_invalid", "invalid API version", "Invalid Clerk API version: 2099-01-01 does not exist")},
	"deleting an unknown id":       {"DELETE /v1/invitations/inv_9", ``, nil, withoutMeta(404, "resource_not_found", "not found", "No invitation was found with id inv_9.")},
	"a base URL without /v1":       {"GET /invitations", ``, nil, "404 Not Found: the fake has no GET /invitations. Its operations are under /v1/invitations: the base URL ends in /v1."},
	"an unknown path":              {"GET /v1/invitations/inv_1", ``, nil, withoutMeta(404, "resource_not_found", "not found", "Not Found: the fake has no GET /v1/invitations/inv_1.")},
	"an unclean path":              {"POST /v1//invitations", ``, nil, withoutMeta(404, "resource_not_found", "not found", "Not Found: the fake has no POST /v1//invitations.")},
	"a longer path":                {"POST /v1/invitations/bulk/", ``, nil, withoutMeta(404, "resource_not_found", "not found", "Not Found: the fake has no POST /v1/invitations/bulk/.")},
	"another path":                 {"POST /v1/invitationsbulk", ``, nil, withoutMeta(404, "resource_not_found", "not found", "Not Found: the fake has no POST /v1/invitationsbulk.")},
	"a path without an id":         {"POST /v1/invitations//revoke", ``, nil, withoutMeta(404, "resource_not_found", "not found", "Not Found: the fake has no POST /v1/invitations//revoke.")},
	"a path of two ids":            {"POST /v1/invitations/inv_1/inv_2/revoke", ``, nil, withoutMeta(404, "resource_not_found", "not found", "Not Found: the fake has no POST /v1/invitations/inv_1/inv_2/revoke.")},
	"an unclean path and no key":   {"POST /v1//invitations", ``, []string{"Authorization", ""}, noKeyRefusal},
	"an unknown method":            {"DELETE /v1/invitations", ``, nil, withoutMeta(404, "resource_not_found", "not found", "Not Found: the fake has no DELETE /v1/invitations.")},
	"an unknown status":            {listPath + "?status=own", ``, nil, refusal(422, "form_param_value_invalid", "is invalid", "own does not match one of the allowed values for parameter status", "status")},
	"an unknown order":             {listPath + "?order_by=-name", ``, nil, refusal(422, "form_param_value_invalid", "is invalid", "-name does not match one of the allowed values for parameter order_by", "order_by")},
	"a limit of 0":                 {listPath + "?limit=0", ``, nil, refusal(422, "form_param_value_invalid", "is invalid", "limit is invalid", "limit")},
	"a limit of 501":               {listPath + "?limit=501", ``, nil, refusal(422, "form_param_value_invalid", "is invalid", "limit is invalid", "limit")},
	"a limit of words":             {listPath + "?limit=all", ``, nil, refusal(422, "form_param_type_invalid", "is invalid", "`limit` must be a `integer`.", "limit")},
	"an offset below 0":            {listPath + "?offset=-1", ``, nil, refusal(422, "form_param_value_invalid", "is invalid", "offset is invalid", "offset")},
}

// refusal returns the expected response for an error about a parameter, and withoutMeta for
// another error.
func refusal(status int, code, message, long, name string) string {
	return fmt.Sprintf(`%d {"errors":[{"message":%q,"long_message":%q,"code":%q,"meta":{"param_name":%q}}]}`, status, message, long, code, name)
}

func withoutMeta(status int, code, message, long string) string {
	return fmt.Sprintf(`%d {"errors":[{"message":%q,"long_message":%q,"code":%q}]}`, status, message, long, code)
}

// TestRefusals sends each request of refusals. Initially, pending@example.com is invited (id
// 1), user@example.com has accepted (id 2), and id 3 is revoked.
func TestRefusals(t *testing.T) {
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			fake := clerktest.New()
			client, err := fake.Client()
			require.NoError(t, err)
			invite(t, fake, "pending@example.com")
			require.NoError(t, fake.Accept(invite(t, fake, "user@example.com").ID))
			_, err = client.Invitations.Revoke(t.Context(), invite(t, fake, "revoked@example.com").ID)
			require.NoError(t, err)
			before := fake.Invitations()

			method, path, _ := strings.Cut(test.call, " ")
			resp, body := send(t, fake, method, path, test.body, test.headers...)
			status, want, _ := strings.Cut(test.want, " ")
			require.Equal(t, status, fmt.Sprint(resp.StatusCode))
			if strings.HasPrefix(want, "{") {
				require.JSONEq(t, want, body)
				require.Equal(t, []string{"application/json"}, resp.Header["Content-Type"])
			} else {
				require.Equal(t, want, body)
				require.Equal(t, []string{"text/plain"}, resp.Header["Content-Type"])
			}
			require.Equal(t, before, fake.Invitations(), "a refusal changes nothing")
			log := fake.Requests()
			require.Equal(t, resp.StatusCode, log[len(log)-1].Status)
		})
	}
}
