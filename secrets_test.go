package clerk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// secrets lists what must not be shown: the key, a header's value, a ticket, an address in
// plain text and in a query, and the contents of metadata and queries.
var secrets = []string{testKey, "header_secret", "ticket=", "dummy_ticket", "ada@", "ada%40", "metadata_secret"}

// shown formats a value in each way that it may be printed or logged.
func shown(t *testing.T, value any) map[string]string {
	t.Helper()
	forms := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		forms[verb] = fmt.Sprintf(verb, value)
	}
	var text, jsonLog bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "value", value)
	slog.New(slog.NewJSONHandler(&jsonLog, nil)).Info("m", "value", value)
	forms["slog text"], forms["slog JSON"] = text.String(), jsonLog.String()
	return forms
}

func requireNoSecrets(tb testing.TB, form, text string) {
	tb.Helper()
	for _, secret := range secrets {
		require.NotContains(tb, text, secret, form)
	}
	require.NotContains(tb, text, fmt.Sprintf("%x", address), form)
}

func TestNoTypeShowsSecrets(t *testing.T) {
	client := newClient(t, http.DefaultTransport, clerk.WithHeader("X-Secret", "header_secret"))
	req := clerk.CreateInvitationRequest{
		EmailAddress: address, PublicMetadata: map[string]any{"a": "metadata_secret"}, RedirectURL: ticketURL,
	}
	one := clerk.ClerkError{
		Code: clerk.CodeDuplicateRecord, Message: "for " + address, LongMessage: address,
		Meta: json.RawMessage(`{"email_addresses":["` + address + `"],"param_name":"` + address + `"}`),
	}
	meta := clerk.ResponseMeta{
		TraceID: "abc", StatusCode: 400,
		Header: http.Header{"Location": {"/v1/invitations?query=ada%40example.com"}},
	}
	inv := *pending()
	inv.PublicMetadata = json.RawMessage(`{"a":"metadata_secret"}`)
	fake := clerktest.New(clerktest.WithSecretKey(testKey))
	fake.AddUser(address)
	for _, value := range []any{
		client, *client, client.Invitations, *client.Invitations,
		clerk.WithHeader("X-Secret", "header_secret"), clerk.WithBaseURL("https://" + testKey),
		clerk.WithAppName(testKey), clerk.WithResponse(&meta),
		clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return testKey, nil }),
		clerk.RetryConfig{}, clerk.BackoffStrategy{}, clerk.OperationCreate,
		clerk.UnixMilli(1), clerk.InvitationStatusPending, clerk.OrderByCreatedAt, clerk.TemplateSlugInvitation,
		meta, &meta, one, &one, []clerk.ClerkError{one},
		&clerk.ClerkErrors{ResponseMeta: meta, Errors: []clerk.ClerkError{one}, Meta: one.Meta, Body: []byte(duplicateJSON)},
		clerk.ClerkErrors{ResponseMeta: meta, Errors: []clerk.ClerkError{one}, Meta: one.Meta, Body: []byte(duplicateJSON)},
		&clerk.SDKError{ResponseMeta: meta, Message: "m", Body: []byte(duplicateJSON), Err: errors.New(address)},
		clerk.SDKError{ResponseMeta: meta, Message: "m", Body: []byte(duplicateJSON), Err: errors.New(address)},
		clerk.WithHTTPClient(http.DefaultClient), clerk.WithLogger(nil), clerk.WithMaxResponseBytes(1),
		clerk.WithRetry(clerk.RetryConfig{}), clerk.WithAttemptTimeout(1), clerk.CodeBadRequest, clerk.RetryBackoff,
		clerk.Progress{Cause: errors.New(address)}, &clerk.Progress{Cause: errors.New(address)}, clerk.Budget{}, clerk.OutcomeCreated,
		clerk.WithBudget(clerk.Budget{BulkCreates: 1}), clerk.WithSkipNone(), clerk.WithPrefetch(1), clerk.WithProgress(func(clerk.Progress) {}),
		fake,
	} {
		for form, text := range shown(t, value) {
			requireNoSecrets(t, fmt.Sprintf("%T as %s", value, form), text)
		}
		asJSON, err := json.Marshal(value)
		if err == nil { // functions have no JSON
			requireNoSecrets(t, fmt.Sprintf("%T as JSON", value), string(asJSON))
		}
	}

	// The JSON of these is Clerk's, and contains their values.
	for _, value := range []any{
		clerk.CreateResult{Request: req, Invitation: &inv, Err: errors.New(address)},
		&clerk.CreateResult{Request: req, Invitation: &inv, Outcome: clerk.OutcomeCreated},
		inv, &inv, req, &req, clerk.ListInvitationsRequest{Query: address}, &clerk.ListInvitationsRequest{Query: address},
		clerk.InvitationList{Data: []clerk.Invitation{inv}}, &clerk.InvitationList{Data: []clerk.Invitation{inv}},
		clerk.Change{Kind: clerk.ChangeNew, Invitation: inv}, &clerk.Change{Kind: clerk.ChangeNew, Invitation: inv}, clerk.Snapshot{},
	} {
		for form, text := range shown(t, value) {
			requireNoSecrets(t, fmt.Sprintf("%T as %s", value, form), text)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		requireNoSecrets(t, verb, fmt.Sprintf(verb, clerktest.Request{Body: []byte(address), Query: url.Values{"query": {address}}}))
		requireNoSecrets(t, verb, fmt.Sprintf(verb, []clerk.Invitation{inv}))
		requireNoSecrets(t, verb, fmt.Sprintf(verb, struct{ Req clerk.CreateInvitationRequest }{req}))
	}
}

// TestNoErrorShowsSecrets makes every operation fail in every way, with responses and
// transport errors that contain secrets.
func TestNoErrorShowsSecrets(t *testing.T) {
	t.Parallel()
	everything := fmt.Sprintf("%s header_secret@ %s %s ada%%40example.com metadata_secret=1", testKey, ticketURL, address)
	leaky := fmt.Sprintf(`{"errors":[{"message":%q,"long_message":%q,"code":%q,"meta":{"email_addresses":[%q],"param_name":%q}}],"clerk_trace_id":%q}`,
		everything, everything, everything, address, everything, everything)
	failures := map[string]httpmock.Responder{
		"a transport error": failing(errors.New(everything)),
		"a dial error":      failing(fmt.Errorf("%s: %w", everything, errDial)),
	}
	for _, status := range []int{200, 204, 302, 400, 401, 404, 408, 409, 422, 429, 500, 502, 503} {
		for name, body := range map[string]string{
			"its envelope": leaky, "text": everything, "an invitation": pendingJSON[:len(pendingJSON)-1], "a duplicate": duplicateJSON,
		} {
			failures[fmt.Sprint(status, " with ", name)] = reply(status, body,
				"Location", "https://example.com/?query="+address, "X-Clerk-Trace-Id", everything,
				"Content-Type", "text/ada@example.com", "Set-Cookie", testKey)
		}
	}
	for name, failure := range failures {
		for op, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				logger := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
				client := newClient(t, answering(failure), clerk.WithLogger(logger), clerk.WithHeader("X-Secret", "header_secret"))
				err := call(t.Context(), client)
				require.Error(t, err)
				where := name + " on " + string(op)
				for form, text := range shown(t, err) {
					requireNoSecrets(t, where+" as "+form, text)
				}
				wrapped := fmt.Errorf("wrapped: %w", err)
				for form, text := range shown(t, wrapped) {
					requireNoSecrets(t, where+", wrapped, as "+form, text)
				}
				asJSON, jsonErr := json.Marshal(err)
				require.NoError(t, jsonErr)
				requireNoSecrets(t, where+" as JSON", string(asJSON))
				require.NotEmpty(t, logged.String())
				requireNoSecrets(t, where+", logged", logged.String())
			})
		}
	}
}

func TestTransportErrorDoesNotShowTheAddress(t *testing.T) {
	client, err := clerk.NewClient(testKey, clerk.WithBaseURL("http://127.0.0.1:1"),
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.NoError(t, err)
	err = calls[clerk.OperationList](t.Context(), client)
	require.ErrorContains(t, err, "clerk: ListInvitations: nothing sent: dial tcp 127.0.0.1:1: connect: connection refused")
	for e := err; e != nil; e = errors.Unwrap(e) {
		requireNoSecrets(t, "unwrapped", fmt.Sprintf("%+v", e))
	}
}

func hold[T any](value T) holder[T] {
	return holder[T]{value, value, &value, []T{value}, [1]T{value}, map[string]T{"a": value}}
}

// A recordingT keeps the failure texts of testify.
type recordingT struct{ text string }

func (r *recordingT) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }

// requireHidden checks that value shows no secret, wherever a caller holds it, in any
// verb and in a failure text of testify.
func requireHidden[T any](t *testing.T, value T) {
	t.Helper()
	held := hold(value)
	for _, verb := range verbs {
		for _, form := range []any{value, &value, held, &held, []any{held}, map[string]any{"a": held}, struct{ h holder[T] }{held}, struct{ h *holder[T] }{&held}} {
			text := fmt.Sprintf(verb, form)
			requireNoSecrets(t, fmt.Sprintf("%T as %s", form, verb), text)
			require.NotContains(t, text, fmt.Sprintf("%x", testKey), verb)
			require.NotContains(t, text, fmt.Sprintf("%X", testKey), verb)
		}
	}
	var failure recordingT
	assert.Equal(&failure, holder[T]{}, held)
	assert.Nil(&failure, held)
	require.NotEmpty(t, failure.text)
	requireNoSecrets(t, fmt.Sprintf("testify on %T", value), failure.text)
}

// TestKeyIsOutOfReachInUnexportedFields: package fmt calls no methods on a caller's unexported
// fields, so what it reaches through them must not hold the key.
func TestKeyIsOutOfReachInUnexportedFields(t *testing.T) {
	client := newClient(t, http.DefaultTransport, clerk.WithHeader("X-Secret", "header_secret"), clerk.WithAppName("ada@example.com"))
	requireHidden(t, client)
	requireHidden(t, *client)
	requireHidden(t, client.Invitations)
	requireHidden(t, *client.Invitations)
	requireHidden(t, clerk.WithHeader("X-Secret", "header_secret"))
	requireHidden(t, clerk.WithBaseURL("https://"+testKey))
	requireHidden(t, clerk.WithAppName(testKey))
	requireHidden(t, clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return testKey, nil }))
	requireHidden(t, clerk.RetryConfig{})
	requireHidden(t, clerk.InputError{Field: "email_address", Problem: "is empty"})
}

// A failed constructor or call returns these types as nil.
func TestNilPointersAreLogged(t *testing.T) {
	var client *clerk.Client
	var service *clerk.InvitationsService
	var sdk *clerk.SDKError
	var refused *clerk.ClerkErrors
	var input *clerk.InputError
	for _, value := range []any{client, service, sdk, refused, input, clerk.Client{}, clerk.InvitationsService{}, error(sdk), error(refused)} {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "value", value)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "value", value)
		require.NotContains(t, b.String(), "panicked", "%T", value)
		require.NotContains(t, b.String(), "PANIC", "%T", value)
		require.NotPanics(t, func() { _ = fmt.Sprintf("%v %+v %s", value, value, value) })
	}
}

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%f", "%p", "%T", "%c", "%e", "%U", "%o", "%b"}

// A holder holds a value of any type in the ways that a caller may hold it.
type holder[T any] struct {
	Exported   T
	unexported T
	pointer    *T
	slice      []T
	array      [1]T
	byName     map[string]T
}
