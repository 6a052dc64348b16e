package main

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRootURL(t *testing.T) {
	for _, test := range []struct{ addr, listening, want string }{
		{"127.0.0.1:0", "127.0.0.1:80", "http://127.0.0.1:80"},
		{"localhost:0", "127.0.0.1:80", "http://localhost:80"},
		{":8080", "[::]:8080", "http://localhost:8080"},
		{"0.0.0.0:8080", "0.0.0.0:8080", "http://localhost:8080"},
		{"[::1]:8080", "[::1]:8080", "http://[::1]:8080"},
	} {
		listening, err := net.ResolveTCPAddr("tcp", test.listening)
		require.NoError(t, err)
		require.Equal(t, test.want, rootURL(test.addr, listening), test)
	}
}

func TestLoopbackIsServedInIPv4AndIPv6(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Log("there is no IPv6")
		return
	}
	require.NoError(t, probe.Close())
	for _, host := range []string{"localhost", "127.0.0.1"} {
		listeners, err := listen(t.Context(), host+":0")
		require.NoError(t, err)
		defer closeAll(listeners)
		require.Len(t, listeners, 2)
		_, port, err := net.SplitHostPort(listeners[0].Addr().String())
		require.NoError(t, err)
		require.Equal(t, "[::1]:"+port, listeners[1].Addr().String())
		_, err = listen(t.Context(), host+":"+port)
		require.ErrorIs(t, err, syscall.EADDRINUSE)

		closeAll(listeners[:1])
		_, err = listen(t.Context(), host+":"+port)
		require.ErrorIs(t, err, syscall.EADDRINUSE, "localhost would lead to two programs")
	}
}
