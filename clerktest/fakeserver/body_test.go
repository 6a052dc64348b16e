package fakeserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// A pipe is a listener whose connections have no network between their ends.
type pipe struct {
	accepted chan net.Conn
	done     context.Context
}

func (p pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.done.Done():
		return nil, net.ErrClosed
	}
}

func (pipe) Close() error   { return nil }
func (pipe) Addr() net.Addr { return &net.TCPAddr{} }

// serve serves fake in a bubble, and returns a function that connects to it.
func serve(t *testing.T, fake *clerktest.Fake) func() net.Conn {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	listener := pipe{make(chan net.Conn), ctx}
	server := &http.Server{Handler: fakeserver.Handler(fake)}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		time.Sleep(time.Second) // net/http waits before it abandons a connection that it has closed
	})
	return func() net.Conn {
		client, conn := net.Pipe()
		listener.accepted <- conn
		return client
	}
}

func TestSlowBodiesEnd(t *testing.T) {
	for _, path := range []string{"/v1/invitations", "/_fake/users"} {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New()
			conn := serve(t, fake)()
			defer conn.Close()
			start := time.Now()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", path, fake.SecretKey())
			ended := make(chan struct{})
			go func() { // a byte a second
				defer close(ended)
				for {
					time.Sleep(time.Second)
					if _, err := conn.Write([]byte(" ")); err != nil {
						return
					}
				}
			}()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
			require.True(t, resp.Close)
			require.LessOrEqual(t, time.Since(start), 11*time.Second)
			require.Empty(t, fake.Requests())
			require.NoError(t, conn.Close())
			<-ended
		})
	}
}

// TestSlowResponsesDoNotEnd sends requests with and without a body. The responses take
// longer than a body may.
func TestSlowResponsesDoNotEnd(t *testing.T) {
	const body = `{"email_address":"ada@example.com"}`
	const headers = " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + clerktest.SecretKey + "\r\n"
	for request, want := range map[string]string{
		"GET /v1/invitations" + headers + "\r\n": "[]",
		"POST /v1/invitations" + headers + "Content-Type: application/json\r\nContent-Length: 35\r\n\r\n" + body: "ada@example.com",
	} {
		synctest.Test(t, func(t *testing.T) {
			conn := serve(t, clerktest.New(clerktest.WithLatency(time.Hour)))()
			defer conn.Close()
			_, err := conn.Write([]byte(request))
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			got := make([]byte, resp.ContentLength)
			_, err = io.ReadFull(resp.Body, got)
			require.NoError(t, err)
			require.Contains(t, string(got), want)
		})
	}
}
