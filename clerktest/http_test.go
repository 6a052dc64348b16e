package clerktest_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestResponseNamesTheRequestedAPIVersion(t *testing.T) {
	fake := clerktest.New()
	resp, _ := send(t, fake, "GET", "/v1/invitations", "", "Clerk-API-Version", "2025-04-10")
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "2025-04-10", resp.Header.Get("Clerk-Api-Version"))
}

func TestSecretKey(t *testing.T) {
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_own"))
	require.Equal(t, "sk_test_own", fake.SecretKey())
	invite(t, fake, "ada@example.com")
	resp, _ := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 401, resp.StatusCode)
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

func TestLatencyAndSlowDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New(clerktest.WithLatency(time.Second), clerktest.WithSlowDelay(time.Minute))
		elapsed := func() time.Duration {
			start := time.Now()
			send(t, fake, "GET", "/v1/invitations", "")
			return time.Since(start)
		}
		require.Equal(t, time.Second, elapsed())
		fake.Fail(clerk.OperationList, clerktest.FaultSlowAfter)
		require.Equal(t, time.Minute+time.Second, elapsed())
		fake.SetLatency(0)
		require.Zero(t, elapsed())
	})
}
