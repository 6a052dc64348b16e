package fakeserver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// call sends a request to the handler of fake, and returns the status and the body.
func call(t *testing.T, fake *clerktest.Fake, request, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Host = "localhost:8080"
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	fakeserver.Handler(fake).ServeHTTP(recorder, req)
	resp := recorder.Result()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(got)
}

func invite(t *testing.T, fake *clerktest.Fake, address, redirectURL string) *clerk.Invitation {
	t.Helper()
	client, err := fake.Client()
	require.NoError(t, err)
	inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, RedirectURL: redirectURL})
	require.NoError(t, err)
	return inv
}

// ada is the id of the first invitation of a fake.
const ada = "inv_000000000000000000000000001"

// A check checks what an operation did.
type check func(*testing.T, *clerktest.Fake)

func hasStatus(want clerk.InvitationStatus) check {
	return func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Equal(t, want, fake.Invitations()[0].Status)
	}
}

func hasPlanned(want ...string) check {
	return func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Equal(t, append([]string{}, want...), fake.Planned())
	}
}

func hasUsers(want int) check {
	return func(t *testing.T, fake *clerktest.Fake) {
		t.Helper()
		require.Len(t, fake.Users(), want)
	}
}

func changedNothing(t *testing.T, fake *clerktest.Fake) {
	t.Helper()
	hasStatus("pending")(t, fake)
	hasPlanned()(t, fake)
	hasUsers(1)(t, fake)
}

// An operation is an operation of the control API: its request, its response, and a check of
// its effect.
type operation struct {
	request, body string
	status        int
	response      string // a part of it
	check         check
}

// control calls each of operations. Before each call, ada@example.com is invited, and
// user@example.com is a user.
func control(t *testing.T, operations map[string]operation) {
	t.Helper()
	for name, test := range operations {
		t.Run(name, func(t *testing.T) {
			fake := clerktest.New()
			invite(t, fake, "ada@example.com", "")
			fake.AddUser("user@example.com")
			resp, body := call(t, fake, test.request, test.body)
			require.Equal(t, test.status, resp.StatusCode, body)
			require.Contains(t, body, test.response)
			if test.response != "" {
				require.True(t, json.Valid([]byte(body)), body)
			}
			test.check(t, fake)
		})
	}
}
