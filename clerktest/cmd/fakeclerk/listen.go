package main

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// listen listens on a TCP address. For a port of 127.0.0.1 or localhost it listens on IPv6's
// loopback address as well, if there is one, as clients resolve localhost to either.
func listen(ctx context.Context, addr string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	if host != "127.0.0.1" && host != "localhost" {
		listener, err := config.Listen(ctx, "tcp", addr)
		return []net.Listener{listener}, err
	}
	const attempts = 20 // for a free port: another program may use it with IPv6
	for range attempts {
		var listeners []net.Listener
		listeners, err = listenLoopback(ctx, port)
		if err == nil || port != "0" || !errors.Is(err, syscall.EADDRINUSE) {
			return listeners, err
		}
	}
	return nil, err
}

func listenLoopback(ctx context.Context, port string) ([]net.Listener, error) {
	var config net.ListenConfig
	v4, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	if _, port, err = net.SplitHostPort(v4.Addr().String()); err != nil {
		_ = v4.Close()
		return nil, err
	}
	v6, err := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", port))
	if err == nil {
		return []net.Listener{v4, v6}, nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		_ = v4.Close()
		return nil, err
	}
	return []net.Listener{v4}, nil // there is no IPv6
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close()
	}
}

// rootURL returns the URL at which a browser on this machine reaches the listener for
// an address.
func rootURL(addr string, listening net.Addr) string {
	given, _, _ := net.SplitHostPort(addr)
	host, port, err := net.SplitHostPort(listening.String())
	if ip := net.ParseIP(host); err == nil && (ip.IsUnspecified() || given == "localhost") {
		return "http://" + net.JoinHostPort("localhost", port)
	}
	return "http://" + listening.String()
}
