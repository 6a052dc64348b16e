package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

const ada = `{"email_address": "ada@example.com"}`

// A roundTripper is a function that answers requests.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// answer returns a transport that answers every request with a status, and no body.
func answer(status int) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	})
}

// fail returns a fake whose requests for the operations all get the fault.
func fail(fault clerktest.Fault, operations ...clerk.Operation) *clerktest.Fake {
	return clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
		Share: 1, Faults: []clerktest.Fault{fault}, Operations: operations,
	}))
}

func TestInvite(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	withUser := clerktest.New()
	withUser.AddUser("ada@example.com")
	full := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Per: time.Hour}}))
	for name, test := range map[string]struct {
		api        http.RoundTripper
		body       string
		status     int
		retryAfter string
	}{
		"created":             {clerktest.New(), ada, http.StatusCreated, ""},
		"not JSON":            {clerktest.New(), `ada@example.com`, http.StatusBadRequest, ""},
		"user exists":         {withUser, ada, http.StatusConflict, ""},
		"no address":          {clerktest.New(), `{}`, http.StatusUnprocessableEntity, ""},
		"refused by Clerk":    {clerktest.New(), `{"email_address": "ada"}`, http.StatusUnprocessableEntity, ""},
		"rate limited":        {full, ada, http.StatusTooManyRequests, "3600"},
		"wrong key":           {clerktest.New(clerktest.WithSecretKey("sk_test_another")), ada, http.StatusServiceUnavailable, ""},
		"connection refused":  {roundTripper(func(*http.Request) (*http.Response, error) { return nil, refused }), ada, http.StatusServiceUnavailable, ""},
		"not Clerk":           {answer(http.StatusNotFound), ada, http.StatusServiceUnavailable, ""},
		"response lost":       {fail(clerktest.FaultDropAfter, clerk.OperationCreate), ada, http.StatusCreated, ""},
		"outcome unknown":     {fail(clerktest.FaultDropAfter, clerk.OperationCreate, clerk.OperationList), ada, http.StatusGatewayTimeout, ""},
		"nothing works":       {answer(http.StatusServiceUnavailable), ada, http.StatusGatewayTimeout, ""},
		"hangs until the end": {fail(clerktest.FaultSlowAfter, clerk.OperationCreate, clerk.OperationList), ada, http.StatusGatewayTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := serve(t, test.api, test.body)
				require.Equal(t, test.status, got.Code, got.Body)
				require.Equal(t, test.retryAfter, got.Header().Get("Retry-After"))
			})
		})
	}
}

func TestInviteTwiceIsConflict(t *testing.T) {
	fake := clerktest.New()
	require.Equal(t, http.StatusCreated, serve(t, fake, ada).Code)
	require.Equal(t, http.StatusConflict, serve(t, fake, ada).Code)
	require.Len(t, fake.Invitations(), 1)
}

// The client disconnects while Clerk creates the invitation, and the response is lost.
func TestInviteOutlastsADisconnectedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, disconnect := context.WithCancel(t.Context())
		fake := fail(clerktest.FaultDropAfter, clerk.OperationCreate)
		api := roundTripper(func(req *http.Request) (*http.Response, error) {
			disconnect()
			return fake.RoundTrip(req)
		})
		recorder := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/invitations", strings.NewReader(ada))
		Invite(newClient(t, api))(recorder, req)
		require.Equal(t, http.StatusCreated, recorder.Code)
		require.Len(t, fake.Sent(), 1)
	})
}

func TestInviteLogsNoAddress(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	got := serve(t, answer(http.StatusNotFound), ada)
	require.Contains(t, log.String(), `error="clerk: CreateInvitation: 404 `)
	require.NotContains(t, log.String()+got.Body.String(), "ada")
}

func TestList(t *testing.T) {
	fake := clerktest.New()
	client := newClient(t, fake)
	for i := range 60 {
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("guest%d@example.com", i)})
		require.NoError(t, err)
	}
	for target, want := range map[string]int{"/invitations": 50, "/invitations?offset=50": 10, "/invitations?offset=60": 0} {
		got := request(t, fake, http.MethodGet, target, "")
		require.Equal(t, http.StatusOK, got.Code)
		var page struct {
			Invitations []map[string]string
			TotalCount  int `json:"total_count"`
		}
		require.NoError(t, json.Unmarshal(got.Body.Bytes(), &page))
		require.Len(t, page.Invitations, want)
		require.NotNil(t, page.Invitations)
		require.Equal(t, 60, page.TotalCount)
		require.NotContains(t, got.Body.String(), "ticket")
	}
	require.Equal(t, http.StatusBadRequest, request(t, fake, http.MethodGet, "/invitations?offset=-1", "").Code)
	require.Equal(t, http.StatusServiceUnavailable, request(t, answer(http.StatusNotFound), http.MethodGet, "/invitations", "").Code)
}

func TestRevoke(t *testing.T) {
	fake := clerktest.New()
	client := newClient(t, fake)
	var ids []string
	for _, address := range []string{"ada@example.com", "grace@example.com"} {
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		ids = append(ids, inv.ID)
	}
	require.NoError(t, fake.Accept(ids[1]))
	for _, test := range []struct {
		id     string
		status int
	}{
		{ids[0], http.StatusNoContent},
		{ids[0], http.StatusConflict},
		{ids[1], http.StatusConflict},
		{"inv_of_nobody", http.StatusNotFound},
		{"..%2f", http.StatusUnprocessableEntity},
	} {
		require.Equal(t, test.status, request(t, fake, http.MethodDelete, "/invitations/"+test.id, "").Code, test.id)
	}
	require.Equal(t, clerk.InvitationStatusRevoked, fake.Invitations()[0].Status)
}

// Other calls return these errors.
func TestStatusOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status, api := range map[int]http.RoundTripper{
			http.StatusServiceUnavailable: answer(http.StatusBadGateway),
			http.StatusGatewayTimeout:     fail(clerktest.FaultSlowAfter, clerk.OperationList),
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := newClient(t, api).Invitations.List(ctx, clerk.ListInvitationsRequest{})
			cancel()
			require.Equal(t, status, statusOf(fmt.Errorf("listing: %w", err)), err)
		}
	})
	late := func(context.Context) (string, error) { return "", context.DeadlineExceeded }
	client, err := clerk.NewClient("", clerk.WithSecretKeyFunc(late))
	require.NoError(t, err)
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, http.StatusServiceUnavailable, statusOf(err), "certainly not sent")
	require.Equal(t, http.StatusGatewayTimeout, statusOf(context.Canceled))
	wrongKey := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeClerkKeyInvalid}}}
	require.Equal(t, http.StatusServiceUnavailable, statusOf(wrongKey))
	require.Equal(t, http.StatusServiceUnavailable, statusOf(errors.New("another")))
}

// Only the address is the caller's mistake.
func TestStatusOfInvalidRequests(t *testing.T) {
	client := newClient(t, clerktest.New())
	for name, test := range map[string]struct {
		req    clerk.CreateInvitationRequest
		status int
	}{
		"no address":               {clerk.CreateInvitationRequest{}, http.StatusUnprocessableEntity},
		"address, says Clerk":      {clerk.CreateInvitationRequest{EmailAddress: "ada@@"}, http.StatusUnprocessableEntity},
		"expiry, says Clerk":       {clerk.CreateInvitationRequest{EmailAddress: "ada@example.com", ExpiresInDays: 999}, http.StatusInternalServerError},
		"metadata that is no JSON": {clerk.CreateInvitationRequest{EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"x": func() {}}}, http.StatusInternalServerError},
	} {
		_, err := client.Invitations.Create(t.Context(), test.req)
		require.ErrorIs(t, err, clerk.ErrInvalidRequest, name)
		require.Equal(t, test.status, statusOf(err), name)
	}
	unnamed := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeMalformedRequestParameters}}}
	require.Equal(t, http.StatusUnprocessableEntity, statusOf(unnamed), "most likely the address")
}

// Whatever Clerk really does where its documentation is silent, a typo is the caller's mistake.
func TestTypoIsUnprocessable(t *testing.T) {
	for name, behavior := range clerktest.Behaviors() {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New(clerktest.WithBehavior(behavior))
			got := serve(t, fake, `{"email_address": "ada@@"}`)
			require.Equal(t, http.StatusUnprocessableEntity, got.Code, name)
		})
	}
}

// An error can match both. It is only certain that nobody was invited.
func TestStatusOfUnsentRateLimit(t *testing.T) {
	err := errors.Join(clerk.ErrNotSent, clerk.ErrRateLimited)
	require.Equal(t, http.StatusTooManyRequests, statusOf(err))
	require.Equal(t, http.StatusGatewayTimeout, statusOf(errors.Join(err, clerk.ErrOutcomeUnknown)))
}

func newClient(t *testing.T, api http.RoundTripper) *clerk.Client {
	t.Helper()
	client, err := clerk.NewClient(clerktest.SecretKey, clerk.WithHTTPClient(&http.Client{Transport: api}))
	require.NoError(t, err)
	return client
}

// serve answers a request to invite somebody.
func serve(t *testing.T, api http.RoundTripper, body string) *httptest.ResponseRecorder {
	t.Helper()
	return request(t, api, http.MethodPost, "/invitations", body)
}

func request(t *testing.T, api http.RoundTripper, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	Routes(newClient(t, api)).ServeHTTP(recorder, req)
	return recorder
}
