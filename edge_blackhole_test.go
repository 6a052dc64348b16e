package clerk_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

// A blackHole is a connection whose peer can vanish without a word: then what is
// written gets lost, and nothing comes back.
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

// TestDeadHTTP2Connection has the peer of the library's own connection vanish. It takes
// ten seconds, so only the long runs of CI have it.
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
	require.Less(t, time.Since(start), 13*time.Second)
	require.Len(t, fake.Invitations(), 4)
	for _, req := range fake.Requests() {
		require.NotEmpty(t, req.Operation)
	}
	again := time.Now()
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(5)})
	require.NoError(t, err)
	require.Less(t, time.Since(again), time.Second)
}
