package clerk_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%f", "%p", "%T", "%c", "%e", "%U", "%o", "%b"}

// A holder has a value of any type where a caller may have it.
type holder[T any] struct {
	Exported   T
	unexported T
	pointer    *T
	slice      []T
	array      [1]T
	byName     map[string]T
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

// TestKeyIsOutOfReachInUnexportedFields: package fmt calls no methods on the fields that
// a caller does not export, so what it reaches must not hold the key.
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

// TestNilPointersAreLogged has the types that a failed constructor or call returns as nil.
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
