package clerktest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRequests(t *testing.T) {
	fake := clerktest.New()
	invite(t, fake, "ada@example.com")
	send(t, fake, "GET", "/v1/invitations?limit=3", "", "X-Team", "one")
	send(t, fake, "GET", "/v2/else", "")
	log := fake.Requests()
	require.Len(t, log, 3)
	require.WithinDuration(t, time.Now(), log[0].Time, time.Minute)
	require.Equal(t, clerk.OperationCreate, log[0].Operation)
	require.Equal(t, "POST /v1/invitations 200", fmt.Sprint(log[0].Method, " ", log[0].Path, " ", log[0].Status))
	require.JSONEq(t, `{"email_address":"ada@example.com"}`, string(log[0].Body))
	require.NotContains(t, log[0].Header, "Authorization")
	require.Equal(t, clerk.OperationList, log[1].Operation)
	require.Equal(t, "3", log[1].Query.Get("limit"))
	require.Equal(t, "one", log[1].Header.Get("X-Team"))
	require.Empty(t, log[2].Operation)
	require.Equal(t, 404, log[2].Status)
}

func TestRequestsAndInvitationsAreCopies(t *testing.T) {
	client, fake := clerktest.NewClient(t)
	_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"role": "admin"},
	})
	require.NoError(t, err)
	send(t, fake, "GET", "/v1/invitations?limit=3", "", "X-Team", "one")
	fake.AddUser("grace@example.com")
	change := func() {
		requests, invitations, users := fake.Requests(), fake.Invitations(), fake.Users()
		requests[0].Body[0] = 'x'
		requests[1].Query["limit"][0] = "4"
		requests[1].Query.Set("own", "1")
		requests[1].Header["X-Team"][0] = "two"
		invitations[0].PublicMetadata[0] = 'x'
		users[0].PublicMetadata[0] = 'x'
		fake.State(clerktest.Filter{Limit: 1}).Invitations[0].PublicMetadata[0] = 'x'
	}
	requests, invitations, users := fake.Requests(), fake.Invitations(), fake.Users()
	change()
	require.Equal(t, requests, fake.Requests())
	require.Equal(t, invitations, fake.Invitations())
	require.Equal(t, users, fake.Users())
}

func TestRequestLogIsBounded(t *testing.T) {
	fake := clerktest.New(clerktest.WithRequestLog(3))
	numbers := func() (all []int) {
		for _, req := range fake.Requests() {
			all = append(all, req.Number)
		}
		return all
	}
	for i, want := range [][]int{{1}, {1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {4, 5, 6}, {5, 6, 7}} {
		send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, want, numbers(), i)
	}
	none := clerktest.New(clerktest.WithRequestLog(0))
	send(t, none, "GET", "/v1/invitations", "")
	require.Empty(t, none.Requests())
}

func TestRequestTextTellsRequestsApartWithoutAddresses(t *testing.T) {
	fake := clerktest.New()
	fake.Fail(clerk.OperationRevoke, clerktest.FaultErrorAfter)
	inv := invite(t, fake, "ada@example.com")
	send(t, fake, "POST", "/v1/invitations/"+inv.ID+"/revoke", "")
	send(t, fake, "GET", "/v1/invitations?query=ada@example.com", "")
	require.Equal(t, "[clerktest.Request{#1 POST /v1/invitations 200} "+
		"clerktest.Request{#2 POST /v1/invitations/inv_000000000000000000000000001/revoke 500 internal_clerk_error fault=\"error after\"} "+
		"clerktest.Request{#3 GET /v1/invitations 200}]", fmt.Sprintf("%+v", fake.Requests()))
	require.NotContains(t, fmt.Sprintf("%+v %#v %v", fake.Sent(), fake.Sent(), fake.State(clerktest.Filter{Limit: 9})), "ada@")
	fake.AddUser("ada@example.com")
	require.NotContains(t, fmt.Sprintf("%+v %#v", fake.Users(), fake.Users()[0]), "ada@")
}

func TestRandomIDs(t *testing.T) {
	ids := map[string]bool{}
	for range 2 { // two fakes, as before and after a restart
		fake := clerktest.New(clerktest.WithRandomIDs())
		for i := range 50 {
			inv := invite(t, fake, fmt.Sprintf("a%d@example.com", i))
			require.Regexp(t, `^inv_[0-9A-Za-z]{27}$`, inv.ID)
			require.NotContains(t, inv.URL, inv.ID)
			ids[inv.ID], ids[inv.URL] = true, true
		}
		resp, _ := send(t, fake, "GET", "/v1/invitations", "")
		ids[resp.Header.Get("X-Clerk-Trace-Id")] = true
		require.Regexp(t, `^[0-9a-f]{32}$`, resp.Header.Get("X-Clerk-Trace-Id"))
		require.Regexp(t, `^[0-9a-f]{16}-[A-Z]{3}$`, resp.Header.Get("Cf-Ray"))
	}
	require.Len(t, ids, 2*101)
}

func TestResponseNamesTheRequestedAPIVersion(t *testing.T) {
	fake := clerktest.New()
	resp, _ := send(t, fake, "GET", "/v1/invitations", "", "Clerk-API-Version", "2025-04-10")
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "2025-04-10", resp.Header.Get("Clerk-Api-Version"))
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

func TestSecretKey(t *testing.T) {
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_own"))
	require.Equal(t, "sk_test_own", fake.SecretKey())
	invite(t, fake, "ada@example.com")
	resp, _ := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 401, resp.StatusCode)
}

// TestServe checks that the server shares the in-process fake's state, and accepts
// chunked bodies and any body for a revoke.
func TestServe(t *testing.T) {
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	for i, body := range []string{``, `null`, `{}`} {
		chunked, err := http.NewRequestWithContext(t.Context(), "POST", baseURL+"/invitations",
			io.MultiReader(strings.NewReader(`{"email_address":`), strings.NewReader(`"ada@example.com"}`)))
		require.NoError(t, err)
		chunked.Header.Set("Authorization", "Bearer "+fake.SecretKey())
		chunked.Header.Set("Content-Type", "application/json; charset=utf-8")
		resp, err := http.DefaultClient.Do(chunked)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode)
		require.Len(t, fake.Invitations(), i+1)

		revoked, answer := send(t, http.DefaultTransport, "POST", baseURL+"/invitations/"+fake.Invitations()[i].ID+"/revoke", body)
		require.Equal(t, 200, revoked.StatusCode, answer)
		require.Equal(t, []string{"application/json"}, revoked.Header["Content-Type"])
	}
}

func TestRoundTripHonoursTheContext(t *testing.T) {
	fake := clerktest.New()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &closeNoting{Reader: bytes.NewReader(nil)}
	req, err := http.NewRequestWithContext(ctx, "POST", "https://api.clerk.com/v1/invitations", body)
	require.NoError(t, err)
	_, err = fake.RoundTrip(req)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, body.closed)
	require.Empty(t, fake.Requests())
}

func TestIncompleteRequestBodies(t *testing.T) {
	fake := clerktest.New()
	broken := io.MultiReader(strings.NewReader(`{"email_address":`), iotest.ErrReader(io.ErrUnexpectedEOF))
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.clerk.com/v1/invitations", broken)
	require.NoError(t, err)
	_, err = fake.RoundTrip(req)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	baseURL, stop := fake.Serve()
	defer stop()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(baseURL, "http://"), "/v1"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/invitations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+clerktest.SecretKey+
		"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n")
	require.NoError(t, err)
	_, err = bufio.NewReader(conn).ReadString('\n')
	require.ErrorIs(t, err, io.EOF, "the fake does not respond to half a request")
	require.Empty(t, fake.Requests())
}

func TestInvalidConfigurationPanics(t *testing.T) {
	require.Panics(t, func() { clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1}}) })
	require.Panics(t, func() { clerktest.New().Fail(clerk.OperationCreate, "drop_after") })
}

func TestStopDoesNotWaitForHangingRequests(t *testing.T) {
	baseURL, stop := clerktest.New().Serve()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(baseURL, "http://"), "/v1"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/invitations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue", "the fake waits for the body")
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(30 * time.Second):
		t.Fatal("it waits")
	}
}
