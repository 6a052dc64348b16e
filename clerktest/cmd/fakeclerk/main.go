// Command fakeclerk serves a fake of Clerk's Invitations API to clients in any
// language until it receives SIGINT or SIGTERM.
//
//	go run github.com/clerk-invitations/clerk-go/clerktest/cmd/fakeclerk
//
// The page at http://127.0.0.1:8080/ shows invitations and the emails that Clerk
// would have sent. Run it with -h for its flags; docs/testing.md describes them and
// the HTTP API that controls the fake.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

func main() {
	cfg, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeclerk:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err = run(ctx, cfg, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeclerk:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg config, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	state := &stateFile{path: cfg.state, failed: cancel}
	defer state.close()
	fake := clerktest.New(append(cfg.options, clerktest.WithJournal(state))...)
	if err := errors.Join(state.load(fake, stderr), cfg.loadSeed(fake), state.compact(fake)); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.addr)
	if err != nil {
		return err
	}
	root := rootURL(listener.Addr())
	if cfg.url == "" {
		cfg.url = root
	}
	fake.SetLinkBase(cfg.url)
	handler := fakeserver.Handler(fake)
	if !cfg.quiet {
		handler = accessLog{handler, stderr}
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "page:       %s/\nbase URL:   %s/v1\nsecret key: %s\n", root, root, fake.SecretKey())

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return shutDown(context.WithoutCancel(ctx), server, ended, stdout, context.Cause(ctx))
}

// shutDown ends the server. It waits up to a second for open requests.
func shutDown(ctx context.Context, server *http.Server, ended <-chan error, stdout io.Writer, cause error) error {
	grace, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil { // a connection is still open
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	fmt.Fprintln(stdout, "stopped")
	if failed, ok := errors.AsType[stateError](cause); ok {
		return failed
	}
	return nil
}

// rootURL is where a browser on this machine reaches a listener.
func rootURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("localhost", port)
	}
	return "http://" + addr.String()
}
