package clerktest_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRespond(t *testing.T) {
	const body = `{"email_address":"ada@example.com"}`
	for name, test := range map[string]struct {
		response   clerktest.Response
		status     int
		header     string // of the response
		body       string
		retryAfter string
		performed  bool
		delay      time.Duration
	}{
		"a status alone":         {clerktest.Response{Status: 503}, 503, "text/plain", "Service Unavailable", "", false, 0},
		"another status":         {clerktest.Response{Status: 418, Code: clerk.CodeConflict}, 418, "application/json", `"code":"conflict"`, "", false, 0},
		"an unknown code":        {clerktest.Response{Status: 400, Code: "own"}, 400, "application/json", `"code":"own"`, "", false, 0},
		"a body":                 {clerktest.Response{Status: 521, ContentType: "text/html", Body: "<html>down"}, 521, "text/html", "<html>down", "", false, 0},
		"a Retry-After":          {clerktest.Response{Code: clerk.CodeTooManyRequests, RetryAfter: 90 * time.Second}, 429, "application/json", "too_many_requests", "90", false, 0},
		"after performing":       {clerktest.Response{Status: 500, After: true}, 500, "text/plain", "Internal Server Error", "", true, 0},
		"the own one, delayed":   {clerktest.Response{Delay: 3 * time.Second}, 200, "application/json", `"email_address":"ada@example.com"`, "", true, 3 * time.Second},
		"an error that is late":  {clerktest.Response{Code: clerk.CodeConflict, Delay: time.Second}, 409, "application/json", "conflict", "", false, time.Second},
		"the own one, truncated": {clerktest.Response{ContentType: "application/json", Body: `{"object":`, After: true}, 200, "application/json", `{"object":`, "", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New()
				fake.Respond(clerk.OperationCreate, test.response)
				start := time.Now()
				resp, got := send(t, fake, "POST", "/v1/invitations", body)
				require.Equal(t, test.delay, time.Since(start))
				require.Equal(t, test.status, resp.StatusCode)
				require.Equal(t, test.header, resp.Header.Get("Content-Type"))
				require.Contains(t, got, test.body)
				require.Equal(t, test.retryAfter, resp.Header.Get("Retry-After"))
				require.Equal(t, test.performed, len(fake.Invitations()) == 1)
				require.Equal(t, clerktest.FaultResponse, fake.Requests()[0].Fault)
				next, _ := send(t, fake, "GET", "/v1/invitations", "")
				require.Equal(t, 200, next.StatusCode)
			})
		})
	}
}

func TestRefusedConnectionIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := clerktest.NewClient(t)
		fake.Fail(clerk.OperationCreate, clerktest.FaultRefuse)
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.NoError(t, err)
		require.Len(t, fake.Requests(), 2, "no lookup is needed: nothing was sent")

		fake.Fail(clerk.OperationList, clerktest.FaultRefuse)
		_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{},
			clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
}

func TestHeaders(t *testing.T) {
	fake := clerktest.New()
	for i := range 2 {
		resp, _ := send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, fmt.Sprintf("%032d", i+1), resp.Header.Get("X-Clerk-Trace-Id"))
		require.Equal(t, clerk.APIVersion, resp.Header.Get("Clerk-Api-Version"))
		require.Equal(t, fmt.Sprintf("%016d-AMS", i+1), resp.Header.Get("Cf-Ray"))
		date, err := http.ParseTime(resp.Header.Get("Date"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), date, 2*time.Second)
	}
}

func TestOmittedHeadersOverHTTP(t *testing.T) {
	fake := clerktest.New(
		clerktest.WithBehavior(clerktest.Behavior{NoDate: true, NoTraceID: true, RateLimitBody: clerktest.RateLimitBodyNone}),
		clerktest.WithRateLimits(clerktest.RateLimits{Requests: clerktest.Limit{Per: time.Second}}))
	baseURL, stop := fake.Serve()
	defer stop()
	resp, body := send(t, http.DefaultTransport, "GET", baseURL+"/invitations", "")
	require.Equal(t, 429, resp.StatusCode)
	require.Empty(t, body)
	for _, name := range []string{"Date", "X-Clerk-Trace-Id", "Content-Type"} {
		require.NotContains(t, resp.Header, name)
	}
}

func TestResponsesWithHeadersAndEmptyBodies(t *testing.T) {
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	for name, transport := range map[string]http.RoundTripper{"in process": fake, "over HTTP": http.DefaultTransport} {
		fake.Respond(clerk.OperationList,
			clerktest.Response{Header: http.Header{"server": {"edge"}, "Cf-Ray": nil}},
			clerktest.Response{Code: clerk.CodeConflict, EmptyBody: true, Header: http.Header{"Content-Type": nil}},
			clerktest.Response{EmptyBody: true})
		resp, body := send(t, transport, "GET", baseURL+"/invitations", "")
		require.Equal(t, "200 [] edge", fmt.Sprint(resp.StatusCode, " ", body, " ", resp.Header.Get("Server")), name)
		require.Empty(t, resp.Header.Get("Cf-Ray"), name)
		resp, body = send(t, transport, "GET", baseURL+"/invitations", "")
		require.Equal(t, "409", fmt.Sprint(resp.StatusCode, body), name)
		require.Empty(t, resp.Header.Get("Content-Type"), name)
		resp, body = send(t, transport, "GET", baseURL+"/invitations", "")
		require.Equal(t, "200", fmt.Sprint(resp.StatusCode, body), name)
	}
}
