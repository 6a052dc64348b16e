package clerk_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// The parts of HTTP/2 (RFC 9113) that the tests need.
const (
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameGoAway   = 7

	errProtocol = 1
	errRefused  = 7
	errCalm     = 11
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

func code(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// serveHTTP2 speaks just enough HTTP/2 to call act for each whole request, with its number
// and stream, and to send the frame that act returns. It returns a transport and the URL.
func serveHTTP2(t *testing.T, act func(n int, stream uint32) []byte) (*http.Transport, string) {
	t.Helper()
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	defer certified.Close()
	transport := certified.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	t.Cleanup(transport.CloseIdleConnections)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	var count atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveHTTP2Conn(conn, func(stream uint32) []byte { return act(int(count.Add(1)), stream) })
		}
	}()
	return transport, "https://" + listener.Addr().String()
}

func serveHTTP2Conn(conn net.Conn, act func(stream uint32) []byte) {
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	reply := frame(frameSettings, 0, 0, nil)
	header := make([]byte, 9)
	for {
		if _, err := conn.Write(reply); err != nil {
			return
		}
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		size := int64(binary.BigEndian.Uint32(header) >> 8)
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			return
		}
		kind, flags, stream := header[3], header[4], binary.BigEndian.Uint32(header[5:])
		reply = nil
		switch {
		case kind == frameSettings && flags == 0:
			reply = frame(frameSettings, 1, 0, nil) // acknowledged
		case kind <= frameHeaders && flags&1 != 0: // the end of a request
			reply = act(stream)
		}
	}
}

// TestHTTP2RetriesOnlyUnprocessedWrites ends streams in the ways after which net/http
// resends a request. Only if HTTP/2 says that the request was not processed may a write be
// retried, and then by the library. net/http still resends a Revoke and a Delete, as they have
// no body. A refusal may then be due to the first delivery, so the outcome is unknown.
func TestHTTP2RetriesOnlyUnprocessedWrites(t *testing.T) {
	badRequest := func(stream uint32) []byte { return frame(frameHeaders, 5, stream, []byte{0x8c}) } // :status 400
	for name, test := range map[string]struct {
		first   func(stream uint32) []byte
		unknown bool
	}{
		"a protocol error": {func(stream uint32) []byte { return frame(frameReset, 0, stream, code(errProtocol)) }, true},
		"a refused stream": {func(stream uint32) []byte { return frame(frameReset, 0, stream, code(errRefused)) }, false},
		"going away, having processed none": {func(uint32) []byte {
			return frame(frameGoAway, 0, 0, append(code(0), code(0)...))
		}, false},
		"going away with an error, having processed none": {func(uint32) []byte {
			return frame(frameGoAway, 0, 0, append(code(0), code(errCalm)...))
		}, false},
	} {
		for op, call := range calls {
			if op == clerk.OperationList {
				continue
			}
			t.Run(name+"/"+string(op), func(t *testing.T) {
				t.Parallel()
				var requests atomic.Int32
				transport, url := serveHTTP2(t, func(n int, stream uint32) []byte {
					requests.Add(1)
					if n == 1 {
						return test.first(stream)
					}
					return badRequest(stream)
				})
				soon := clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{InitialInterval: 10 * time.Millisecond, MaxElapsedTime: time.Second}})
				client := newClient(t, transport, clerk.WithBaseURL(url), soon)
				if test.unknown {
					client = newClient(t, transport, clerk.WithBaseURL(url), once)
				}
				err := call(t.Context(), client)
				sdk := asSDKError(t, err)
				if (op == clerk.OperationRevoke || op == clerk.OperationDelete) && int(requests.Load()) > sdk.Attempts { // which of the two Go resends depends on its release
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					return
				}
				require.EqualValues(t, requests.Load(), sdk.Attempts, "each request is one that the library counts")
				if test.unknown {
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.EqualValues(t, 1, requests.Load())
				} else {
					require.Equal(t, 400, sdk.StatusCode)
					require.EqualValues(t, 2, requests.Load())
				}
			})
		}
	}
}

// A blackHole is a connection whose peer can vanish silently: writes are then lost, and
// nothing comes back.
type blackHole struct {
	net.Conn

	dead   *atomic.Bool
	closed chan struct{}
	once   *sync.Once
}

func (c blackHole) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c blackHole) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.dead.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c blackHole) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// The peer of the library's own connection vanishes. Noticing it takes ten seconds, so only
// the long runs of CI include this test. Three writes fail then, as in an outage, so that the
// first retry comes up to 3.5 seconds later.
func TestDeadHTTP2Connection(t *testing.T) {
	if testing.Short() || soakSize(0, 0, 1) == 0 {
		t.Skip("takes ten seconds")
	}
	fake := clerktest.New()
	server := httptest.NewUnstartedServer(fake)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	var mu sync.Mutex
	var conns []blackHole
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	std := http.DefaultTransport.(*http.Transport)
	replaced := std.Clone() // the library's own transport is made from it
	replaced.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "example.com"}
	replaced.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, blackHole{conn, new(atomic.Bool), make(chan struct{}), new(sync.Once)})
		return conns[len(conns)-1], nil
	}
	http.DefaultTransport = replaced
	client, err := clerk.NewClient(fake.SecretKey(), clerk.WithBaseURL(server.URL+"/v1"))
	http.DefaultTransport = std
	require.NoError(t, err)
	t.Parallel()
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
	require.NoError(t, err)
	require.Len(t, conns, 1)

	mu.Lock()
	conns[0].dead.Store(true)
	mu.Unlock()
	start := time.Now()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			var err error
			if i == 3 {
				_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
			} else {
				_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	t.Log(time.Since(start))
	require.Less(t, time.Since(start), 15*time.Second)
	require.Len(t, fake.Invitations(), 4)
	for _, req := range fake.Requests() {
		require.NotEmpty(t, req.Operation)
	}
	again := time.Now()
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(5)})
	require.NoError(t, err)
	require.Less(t, time.Since(again), time.Second)
}
