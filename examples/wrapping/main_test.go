package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/examples/internal/readme"
)

// invite invites an address, and returns the log and the error.
func invite(t *testing.T, api http.RoundTripper, address string) (log string, err error) {
	t.Helper()
	var out bytes.Buffer
	people, err := NewPeople(clerktest.SecretKey, api, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	_, err = people.Invite(t.Context(), address)
	return out.String(), err
}

// A roundTripper is a function that answers requests.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestErrorsHaveReasons(t *testing.T) {
	refused := func(req *http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused: " + req.URL.String() + " ada@example.com")}
	}
	lost := clerktest.New()
	for range 100 {
		lost.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		lost.Fail(clerk.OperationList, clerktest.FaultErrorBefore)
	}
	withUser := clerktest.New()
	withUser.AddUser("ada@example.com")
	for name, test := range map[string]struct {
		api     http.RoundTripper
		address string
		reason  error
		logged  string

		retryAfter time.Duration
	}{
		"known":   {withUser, "ada@example.com", ErrKnown, "route=\"POST /invitations\" attempt=1", 0},
		"invalid": {clerktest.New(), "ada", ErrInvalid, "status=422", 0},
		"empty":   {clerktest.New(), "", ErrInvalid, "call failed", 0},
		"busy":    {clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Per: time.Hour}})), "ada@example.com", ErrBusy, "status=429", time.Hour},
		"unknown": {lost, "ada@example.com", ErrUnknown, "route=\"GET /invitations\" attempt=2", 0},
		"refused": {roundTripper(refused), "ada@example.com", ErrDown, "error=*net.OpError", 0},
		"key":     {clerktest.New(clerktest.WithSecretKey("sk_test_another")), "ada@example.com", ErrDown, "status=401", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, err := invite(t, test.api, test.address)
				require.ErrorIs(t, err, test.reason)
				require.Contains(t, log, test.logged)
				require.Contains(t, log, "level=WARN")
				_, refused := errors.AsType[*clerk.ClerkErrors](err)
				_, failed := errors.AsType[*clerk.SDKError](err)
				require.False(t, refused || failed, "it wraps no error of package clerk")
				wrapped, _ := errors.AsType[*Error](err)
				require.Equal(t, test.retryAfter, wrapped.RetryAfter)
				for _, secret := range []string{"ada", "sk_test", "query="} {
					require.NotContains(t, log+err.Error(), secret)
				}
			})
		})
	}
}

// TestNoTypeOfTheLibraryIsExported checks every type in the SDK's methods and exported fields.
func TestNoTypeOfTheLibraryIsExported(t *testing.T) {
	library := reflect.TypeFor[clerk.Client]().PkgPath()
	for _, exported := range []reflect.Type{reflect.TypeFor[*People](), reflect.TypeFor[*Invitation](), reflect.TypeFor[*Error](), reflect.TypeOf(NewPeople)} {
		require.NotContains(t, typesOf(exported), library+".")
	}
	require.Contains(t, typesOf(reflect.TypeFor[*clerk.Client]()), library+".", "it finds them")
}

// typesOf returns the names of the types that are part of a type.
func typesOf(whole reflect.Type) string {
	var names strings.Builder
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(part reflect.Type) {
		if seen[part] {
			return
		}
		seen[part] = true
		names.WriteString(part.PkgPath() + "." + part.Name() + "\n")
		for method := range part.Methods() {
			visit(method.Type)
		}
		switch part.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(part.Elem())
		case reflect.Func:
			for in := range part.Ins() {
				visit(in)
			}
			for out := range part.Outs() {
				visit(out)
			}
		case reflect.Struct:
			for field := range part.Fields() {
				if field.IsExported() {
					visit(field.Type)
				}
			}
		}
	}
	visit(whole)
	return names.String()
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Contains(t, out.String(), "level=WARN msg=attempt operation=CreateInvitation route=\"POST /invitations\" attempt=1 error=*net.OpError\n")
	require.Contains(t, out.String(), "level=INFO msg=invited invitation.id=inv_")
	require.Contains(t, out.String(), "done: grace@example.com, <nil>\n")
	require.Contains(t, out.String(), "done: nobody, people: the request is invalid: clerk: CreateInvitation: email_address has no @\n")
}

func TestReadmeHasTheOutput(t *testing.T) { readme.RequireOutput(t, "wrapping", main) }
