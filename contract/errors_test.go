package contract_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// An entry is an entry of Clerk's error catalogue.
type entry struct {
	Status      int
	Code        clerk.ErrorCode
	Name        string
	Message     string
	LongMessage string `json:"long_message"`
	Meta        string
}

// catalogue returns the part of Clerk's error catalogue that is about these operations. Its
// file is beside the OpenAPI document.
func catalogue(t *testing.T) []entry {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(filepath.Dir(specPath(t)), "errors.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("Clerk publishes its error catalogue as a page: errors.json must lie beside the OpenAPI document")
	}
	require.NoError(t, err)
	var entries []entry
	require.NoError(t, json.Unmarshal(content, &entries))
	require.NotEmpty(t, entries)
	return entries
}

// sentinels maps codes to the sentinels that they match. Other codes match none.
var sentinels = map[clerk.ErrorCode]error{
	"duplicate_record":                    clerk.ErrDuplicateInvitation,
	"form_identifier_exists":              clerk.ErrUserExists,
	"resource_not_found":                  clerk.ErrNotFound,
	"invitation_already_revoked":          clerk.ErrAlreadyRevoked,
	"invitation_already_accepted":         clerk.ErrAlreadyAccepted,
	"authorization_header_format_invalid": clerk.ErrUnauthorized,
	"clerk_key_invalid":                   clerk.ErrUnauthorized,
	"too_many_requests":                   clerk.ErrRateLimited,
	"bulk_size_exceeded":                  clerk.ErrInvalidRequest,
	"malformed_request_parameters":        clerk.ErrInvalidRequest,
}

// sentinelOf returns the sentinel that a code matches, or nil if it matches none.
func sentinelOf(code clerk.ErrorCode) error {
	if strings.HasPrefix(string(code), "form_param_") || strings.HasPrefix(string(code), "request_body_") {
		return clerk.ErrInvalidRequest
	}
	return sentinels[code]
}

var allSentinels = []error{
	clerk.ErrDuplicateInvitation, clerk.ErrUserExists, clerk.ErrNotFound, clerk.ErrAlreadyRevoked,
	clerk.ErrAlreadyAccepted, clerk.ErrUnauthorized, clerk.ErrRateLimited, clerk.ErrInvalidRequest, clerk.ErrOldNotRevoked,
}

// Each operation meets each error of Clerk's catalogue.
func TestCatalogue(t *testing.T) {
	documented := map[clerk.Operation][]int{
		clerk.OperationCreate: {400, 422}, clerk.OperationBulkCreate: {400, 422}, clerk.OperationRevoke: {400, 404},
	}
	for _, e := range catalogue(t) {
		t.Run(e.Name, func(t *testing.T) {
			for op, call := range map[clerk.Operation]func(*clerk.Client) error{
				clerk.OperationCreate: func(c *clerk.Client) error {
					_, err := c.Invitations.Create(t.Context(), guest(0))
					return err
				},
				clerk.OperationBulkCreate: func(c *clerk.Client) error {
					_, err := c.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{guest(0)})
					return err
				},
				clerk.OperationRevoke: func(c *clerk.Client) error {
					_, err := c.Invitations.Revoke(t.Context(), "inv_1")
					return err
				},
				clerk.OperationList: func(c *clerk.Client) error {
					_, err := c.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
					return err
				},
			} {
				err := call(answering(t, e))
				refused, ok := errors.AsType[*clerk.ClerkErrors](err)
				require.True(t, ok, err)
				_, isSDKError := errors.AsType[*clerk.SDKError](err)
				require.Equal(t, !slices.Contains(documented[op], e.Status), isSDKError, op)
				require.Equal(t, e.Status, refused.StatusCode)
				require.Equal(t, e.Code, refused.Errors[0].Code)
				require.Equal(t, e.Message, refused.Errors[0].Message)
				require.Equal(t, e.LongMessage, refused.Errors[0].LongMessage)
				for _, sentinel := range allSentinels {
					require.Equal(t, sentinelOf(e.Code) == sentinel, errors.Is(err, sentinel), "%s is %v", e.Code, sentinel) //nolint:errorlint // compares identity
				}
				isAmbiguous := op != clerk.OperationList && e.Status >= 500
				require.Equal(t, isAmbiguous, errors.Is(err, clerk.ErrOutcomeUnknown), "%s on %s", e.Code, op)
				switch e.Meta {
				case `{"Name": "param"}`, `{"Name": "sanitizedField"}`:
					require.Equal(t, "email_address", refused.Errors[0].ParamName())
				case `{"EmailAddresses": "emailAddresses"}`, `{"Identifiers": identifiers}`:
					require.Equal(t, []string{"guest0@example.com"}, refused.Errors[0].EmailAddresses())
				}
			}
		})
	}
}

// answering returns a client that makes each request once, and gets an error for it.
func answering(t *testing.T, e entry) *clerk.Client {
	t.Helper()
	one := map[string]any{"message": e.Message, "long_message": e.LongMessage, "code": e.Code}
	switch e.Meta {
	case "":
	case `{"Name": "param"}`, `{"Name": "sanitizedField"}`:
		one["meta"] = map[string]any{"param_name": "email_address"}
	case `{"EmailAddresses": "emailAddresses"}`:
		one["meta"] = map[string]any{"email_addresses": []string{"guest0@example.com"}}
	case `{"Identifiers": identifiers}`:
		one["meta"] = map[string]any{"identifiers": []string{"guest0@example.com"}}
	case `{"ResetsIn": resetsIn}`, `{"DevMonthlyEmailLimit": limit}`:
		one["meta"] = map[string]any{"resets_in": 7, "dev_monthly_email_limit": 100}
	default:
		t.Fatalf("the meta %s of %s is not known", e.Meta, e.Name)
	}
	body, err := json.Marshal(map[string]any{"errors": []any{one}})
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(e.Status)
		_, _ = w.Write(body) // the client may be gone
	}))
	t.Cleanup(server.Close)
	client, err := clerk.NewClient("sk_test_dummy", clerk.WithBaseURL(server.URL),
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.NoError(t, err)
	return client
}

// TestCodes checks that every constant of package clerk is in the catalogue, and every code of
// the catalogue among the constants.
func TestCodes(t *testing.T) {
	var known []string
	for _, e := range catalogue(t) {
		known = append(known, string(e.Code))
	}
	slices.Sort(known)
	file, err := parser.ParseFile(token.NewFileSet(), "../codes.go", nil, 0)
	require.NoError(t, err)
	var ours []string
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "ErrorCode" {
				literal, ok := spec.Values[0].(*ast.BasicLit)
				require.True(t, ok)
				code, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				ours = append(ours, code)
			}
		}
		return true
	})
	require.NotEmpty(t, ours)
	slices.Sort(ours)
	require.Equal(t, slices.Compact(known), ours)
}
