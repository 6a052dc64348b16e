package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestTransportLearnsOperationRouteAndAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []clerk.RequestInfo
		mock := answering(reply(429, ``), reply(200, revokedJSON))
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			info, ok := clerk.RequestInfoFromContext(req.Context())
			require.True(t, ok)
			seen = append(seen, info)
			return mock.RoundTrip(req)
		}))
		_, err := client.Invitations.Revoke(t.Context(), testID)
		require.NoError(t, err)
		const route = "POST /invitations/{invitation_id}/revoke"
		require.Equal(t, []clerk.RequestInfo{
			{Operation: clerk.OperationRevoke, Route: route, Attempt: 1}, {Operation: clerk.OperationRevoke, Route: route, Attempt: 2},
		}, seen)
	})
	_, ok := clerk.RequestInfoFromContext(t.Context())
	require.False(t, ok)
}

// asking calls NotSent for each error of the transport it wraps.
type asking struct {
	next    http.RoundTripper
	notSent []bool
}

func (a *asking) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(req)
	a.notSent = append(a.notSent, clerk.NotSent(req.Context(), err))
	return resp, err
}

// A failure is a transport whose requests to baseURL fail.
type failure struct {
	transport http.RoundTripper
	baseURL   string
}

// failures returns the failures that a request may meet, by whether it was sent.
func failures(t *testing.T) map[bool]map[string]failure {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := listener.Addr().String()
	require.NoError(t, listener.Close())
	start := func(server *httptest.Server) *httptest.Server {
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it logs failed handshakes
		t.Cleanup(server.Close)
		return server
	}
	through := func(address string) *http.Transport {
		return &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: address})}
	}
	proxy := start(httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	})))
	untrusted := start(httptest.NewTLSServer(http.NotFoundHandler()))
	aborting := start(httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})))
	return map[bool]map[string]failure{
		true: {
			"nobody listens":           {&http.Transport{}, "http://" + dead},
			"a dead proxy":             {through(dead), "https://example.com"},
			"a proxy refuses CONNECT":  {through(proxy.Listener.Addr().String()), "https://example.com"},
			"an untrusted certificate": {&http.Transport{}, untrusted.URL},
			"a broken handshake":       {&http.Transport{}, "https://" + proxy.Listener.Addr().String()},
			"an ended context":         {canceling(&http.Transport{}), aborting.URL},
			"a circuit breaker":        {roundTripFunc(failing(fmt.Errorf("breaker open: %w", clerk.ErrNotSent))), aborting.URL},
		},
		false: {
			"a broken connection":           {&http.Transport{}, aborting.URL},
			"a transport without a trace":   {roundTripFunc(failing(errReset)), aborting.URL},
			"a breaker beside a connection": {failover{&http.Transport{}}, aborting.URL},
		},
	}
}

// canceling returns a transport whose context ends while it connects.
func canceling(transport *http.Transport) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		ctx, cancel := context.WithCancel(req.Context())
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return transport.RoundTrip(req.WithContext(ctx))
	})
}

// A failover is a transport that skips its first server, as a breaker is open.
type failover struct{ second http.RoundTripper }

func (f failover) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.second.RoundTrip(req)
	if err != nil {
		return nil, errors.Join(clerk.ErrNotSent, err)
	}
	return resp, nil
}

func TestNotSentAgreesWithTheErrorOfTheCall(t *testing.T) {
	for notSent, all := range failures(t) {
		for name, failure := range all {
			for op, call := range calls {
				transport := &asking{next: failure.transport}
				err := call(t.Context(), newClient(t, transport, clerk.WithBaseURL(failure.baseURL)), once)
				require.Equal(t, []bool{notSent}, transport.notSent, name)
				require.Equal(t, notSent, errors.Is(err, clerk.ErrNotSent), "%s: %v", name, err)
				require.Equal(t, !notSent && op != clerk.OperationList, errors.Is(err, clerk.ErrOutcomeUnknown), name)
			}
		}
	}
}

func TestNotSentLearnsOfACallerWhoStopsWaitingForAConnection(t *testing.T) {
	waiting, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(waiting)
		<-release
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	transport := &asking{next: &http.Transport{MaxConnsPerHost: 1}}
	client := newClient(t, transport.next, clerk.WithBaseURL(server.URL), once)
	done := make(chan error)
	go func() { done <- calls[clerk.OperationCreate](t.Context(), client) }()
	<-waiting

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := calls[clerk.OperationCreate](ctx, newClient(t, transport, clerk.WithBaseURL(server.URL), once))
	require.ErrorIs(t, err, clerk.ErrNotSent)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, []bool{true}, transport.notSent)
	close(release)
	require.Error(t, <-done)
}

func TestNotSentIsFalseForAResponse(t *testing.T) {
	transport := &asking{next: answering(reply(503, ``))}
	require.Error(t, calls[clerk.OperationCreate](t.Context(), newClient(t, transport, once)))
	require.Equal(t, []bool{false}, transport.notSent)
}

func TestRequestThatATransportDoesNotSendIsRetriedWithoutALookup(t *testing.T) {
	for op, call := range calls {
		synctest.Test(t, func(t *testing.T) {
			mock := answering(failing(fmt.Errorf("breaker open: %w", clerk.ErrNotSent)), reply(200, success[op]))
			var methods []string
			require.NoError(t, call(t.Context(), newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				methods = append(methods, req.Method)
				return mock.RoundTrip(req)
			}))))
			require.Len(t, methods, 2)
			require.Equal(t, methods[0], methods[1])
		})
	}
}

func TestDeadlineInsideATransportThatDoesNotSendIsNotAmbiguous(t *testing.T) {
	for _, strategy := range []clerk.RetryStrategy{clerk.RetryNone, clerk.RetryBackoff} {
		for op, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					<-req.Context().Done()
					return nil, fmt.Errorf("%w: waiting for a slot: %w", clerk.ErrNotSent, req.Context().Err())
				}), clerk.WithRetry(clerk.RetryConfig{Strategy: strategy}))
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				err := call(ctx, client)
				require.ErrorIs(t, err, clerk.ErrNotSent, op)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
			})
		}
	}
}
