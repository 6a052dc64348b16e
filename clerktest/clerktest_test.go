package clerktest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A recorder is a TB that records its failures.
type recorder struct {
	*testing.T

	failures []string
	cleanups []func()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

func TestNewClientReportsFailuresThatNoRequestMet(t *testing.T) {
	r := &recorder{T: t}
	client, fake := clerktest.NewClient(r)
	fake.Fail(clerk.OperationList, clerktest.FaultErrorBefore)
	fake.Fail(clerk.OperationRevoke, clerktest.FaultDropAfter)
	fake.Respond(clerk.OperationDelete, clerktest.Response{Code: clerk.CodeConflict, Delay: time.Second}, clerktest.Response{Delay: time.Minute})
	_, err := client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.Error(t, err)
	for _, cleanup := range r.cleanups {
		cleanup()
	}
	require.Equal(t, []string{
		"clerktest: no request met the failure RevokeInvitation: drop after",
		"clerktest: no request met the failure DeleteInvitation: conflict in 1s",
		"clerktest: no request met the failure DeleteInvitation: response in 1m0s",
	}, r.failures)
}

func TestNewClientReportsInvalidOptions(t *testing.T) {
	r := &recorder{T: t}
	clerktest.NewClient(r, clerktest.WithClientOptions(clerk.WithAppName("")))
	require.Len(t, r.failures, 1)
	require.Contains(t, r.failures[0], "WithAppName")
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

func TestServeSetsWhereLinksLead(t *testing.T) {
	fake := clerktest.New()
	inv := invite(t, fake, "ada@example.com")
	baseURL, stop := fake.Serve()
	defer stop()
	require.Equal(t, baseURL+"/tickets/accept?ticket=ticket_of_"+inv.ID, fake.Sent()[0].Link)
	resp, _ := send(t, http.DefaultTransport, "GET", fake.Sent()[0].Link, "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
}

// TestSeedRepeatsTheWaitsOfClients retries through many failures, and compares the
// times of the requests.
func TestSeedRepeatsTheWaitsOfClients(t *testing.T) {
	run := func(seed uint64) []time.Duration {
		var times []time.Duration
		synctest.Test(t, func(t *testing.T) {
			client, fake := clerktest.NewClient(t, clerktest.WithSeed(seed), clerktest.WithFaults(clerktest.FaultMix{
				Share: 0.5, Faults: []clerktest.Fault{clerktest.FaultErrorBefore, clerktest.FaultRateLimit},
			}))
			start := time.Now()
			for i := range 5 {
				_, _ = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("a%d@example.com", i)})
			}
			for _, req := range fake.Requests() {
				times = append(times, req.Time.Sub(start))
			}
		})
		return times
	}
	first, again := run(1), run(1)
	require.Equal(t, first, again)
	require.Greater(t, len(first), 5)
	require.NotEqual(t, first, run(2))
	first, again = run(0), run(0)
	require.NotEqual(t, first, again, "without a seed")
}
