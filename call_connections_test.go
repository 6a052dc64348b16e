package clerk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// Real connections fail before anything is sent. The error alone may not show that, but
// the connection trace does.
func TestFailureBeforeSendingIsNotAmbiguous(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())

	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it logs the failed handshake
	defer server.Close()

	t.Run("nobody listens", func(t *testing.T) {
		client, err := clerk.NewClient(testKey, clerk.WithBaseURL(nobody), clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.NoError(t, err)
		for op, call := range calls {
			require.NotErrorIs(t, call(t.Context(), client), clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a certificate that is not trusted", func(t *testing.T) {
		client, err := clerk.NewClient(testKey, clerk.WithBaseURL(server.URL))
		require.NoError(t, err)
		for op, call := range calls {
			err := call(t.Context(), client)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
			require.Equal(t, 1, asSDKError(t, err).Attempts, "it will not pass")
			var untrusted *tls.CertificateVerificationError
			require.ErrorAs(t, err, &untrusted)
		}
	})
	t.Run("a deadline while connecting again", func(t *testing.T) {
		// The first attempt gets a connection, the second does not.
		busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		defer busy.Close()
		for op, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			dials := 0
			transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if dials++; dials == 1 {
					return new(net.Dialer).DialContext(ctx, network, addr)
				}
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			soon := clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{InitialInterval: time.Millisecond}})
			err := call(ctx, newClient(t, transport, clerk.WithBaseURL(busy.URL)), soon)
			require.Equal(t, 2, asSDKError(t, err).Attempts)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a deadline while connecting", func(t *testing.T) {
		for op, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			err := call(ctx, newClient(t, transport))
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a context that ends while the key is fetched", func(t *testing.T) {
		for op, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			client := newClient(t, http.DefaultTransport, clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
				cancel()
				return testKey, nil
			}))
			err := call(ctx, client)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("no time at all", func(t *testing.T) {
		for op, call := range calls {
			err := call(t.Context(), newClient(t, http.DefaultTransport), clerk.WithAttemptTimeout(1),
				clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a dial error beside a request that was sent", func(t *testing.T) {
		var carriedOut atomic.Int32
		dropping := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			carriedOut.Add(1)
			panic(http.ErrAbortHandler)
		}))
		defer dropping.Close()
		// This transport has two servers, one of them down, and may try the other
		// more than once.
		for _, tries := range []int{1, 2} {
			failover := roundTripFunc(func(req *http.Request) (*http.Response, error) {
				err := error(errDial)
				for range tries {
					_, sendErr := http.DefaultTransport.RoundTrip(req)
					err = errors.Join(err, sendErr)
				}
				return nil, err
			})
			for op, call := range calls {
				if op == clerk.OperationList {
					continue
				}
				carriedOut.Store(0)
				require.ErrorIs(t, call(t.Context(), newClient(t, failover, clerk.WithBaseURL(dropping.URL)), once), clerk.ErrOutcomeUnknown)
				require.Positive(t, carriedOut.Load())
				require.LessOrEqual(t, int(carriedOut.Load()), tries, "the library does not retry it")
			}
		}
	})
}

// TestNetHTTPDoesNotRetryWrites: when a reused connection turns out to be closed, net/http
// resends requests that it considers idempotent.
func TestNetHTTPDoesNotRetryWrites(t *testing.T) {
	var got atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if got.Add(1)%2 == 0 { // every second request is carried out but not answered
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, pendingJSON)
	}))
	defer server.Close()
	client, err := clerk.NewClient(testKey, clerk.WithBaseURL(server.URL))
	require.NoError(t, err)
	for range 5 {
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		require.ErrorIs(t, calls[clerk.OperationCreate](t.Context(), client, once), clerk.ErrOutcomeUnknown)
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		_, err := client.Invitations.Revoke(t.Context(), testID, once)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
	}
	require.EqualValues(t, 20, got.Load())
}

// TestConnectionsAreReused makes many concurrent requests twice: the second time uses the
// connections of the first.
func TestConnectionsAreReused(t *testing.T) {
	const n = 32
	var together sync.WaitGroup
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		together.Done()
		together.Wait()
		_, _ = io.WriteString(w, pendingJSON)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client, err := clerk.NewClient(testKey, clerk.WithBaseURL(server.URL))
	require.NoError(t, err)
	for range 2 {
		together.Add(n)
		var group sync.WaitGroup
		for range n {
			group.Go(func() { _ = calls[clerk.OperationCreate](context.Background(), client, once) })
		}
		group.Wait()
	}
	require.EqualValues(t, n, conns.Load())
}

// TestIdleConnectionsStayOpen: go-retryablehttp would close those of the caller's HTTP
// client after every failure.
func TestIdleConnectionsStayOpen(t *testing.T) {
	transport := &closing{RoundTripper: answering(reply(503, ``), failing(errReset), failing(errDial), reply(400, ``))}
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, transport)
		for range 3 {
			require.Error(t, calls[clerk.OperationCreate](t.Context(), client))
		}
		ctx, cancel := context.WithCancel(t.Context())
		transport.RoundTripper = answering(reply(429, ``, "Retry-After", "30"))
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, calls[clerk.OperationCreate](ctx, client), context.Canceled)
		require.Zero(t, transport.closed)
	})
}

type closing struct {
	http.RoundTripper
	closed int
}

func (c *closing) CloseIdleConnections() { c.closed++ }

// TestCallsLeakNoConnectionOrGoroutine counts connections and goroutines after responses
// of all kinds. Connections are reused only after bodies that were read to the end.
func TestCallsLeakNoConnectionOrGoroutine(t *testing.T) {
	statuses := []int{200, 400, 502, 429, 204, 302}
	var n, conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/other")
		w.WriteHeader(statuses[int(n.Add(1))%len(statuses)])
		_, _ = io.WriteString(w, pendingJSON)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	transport := &http.Transport{}
	client, err := clerk.NewClient(testKey,
		clerk.WithBaseURL(server.URL), clerk.WithHTTPClient(&http.Client{Transport: transport}),
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.NoError(t, err)
	before := runtime.NumGoroutine()
	for range 20 {
		for _, call := range calls {
			_ = call(t.Context(), client) // whatever the result
		}
	}
	require.EqualValues(t, 20*len(calls), n.Load())
	require.LessOrEqual(t, conns.Load(), int32(3), "one connection serves all, or very few on a machine that is busy")
	transport.CloseIdleConnections()
	server.Close()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before }, 5*time.Second, time.Millisecond)
}

// TestResponseBodiesAreClosed counts closed bodies for responses of each kind. go-
// retryablehttp's pass-through handler leaves one open.
func TestResponseBodiesAreClosed(t *testing.T) {
	for name, responses := range map[string][]httpmock.Responder{
		"success":          {reply(200, pendingJSON)},
		"a refusal":        {reply(400, duplicateJSON)},
		"nonsense":         {reply(200, `<html>`)},
		"a redirect":       {reply(302, `elsewhere`, "Location", "https://example.com")},
		"a bad redirect":   {reply(302, `elsewhere`, "Location", "http://[::1")},
		"retries":          {reply(429, `x`), reply(429, strings.Repeat("x", 1<<20)), reply(200, pendingJSON)},
		"exhaustion":       {reply(429, `x`)},
		"no time for more": {reply(429, `x`, "Retry-After", "3600")},
		"a broken body":    {cutOff(200, `{"errors":[`)},
		"one too large":    {reply(200, strings.Repeat("x", 1<<20))},
	} {
		for op, call := range calls {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var opened, closed atomic.Int32
					mock := answering(responses[0], responses[1:]...)
					counting := roundTripFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := mock.RoundTrip(req)
						if err == nil {
							opened.Add(1)
							resp.Body = &closeCounter{ReadCloser: resp.Body, closed: &closed}
						}
						return resp, err
					})
					client := newClient(t, counting, clerk.WithMaxResponseBytes(100_000))
					_ = call(t.Context(), client) // whatever the result
					require.Positive(t, opened.Load())
					require.Equal(t, opened.Load(), closed.Load())
				})
			})
		}
	}
}

type closeCounter struct {
	io.ReadCloser
	closed *atomic.Int32
	once   bool
}

func (c *closeCounter) Close() error {
	if !c.once {
		c.once = true
		c.closed.Add(1)
	}
	return c.ReadCloser.Close()
}
