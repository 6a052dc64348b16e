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

// run serves a fake until ctx ends. A start that fails changes no file: it listens
// and locks the state before it reads, and reads everything before it writes.
func run(ctx context.Context, cfg config, stdout, stderr io.Writer) error {
	listeners, err := listen(ctx, cfg.addr)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	root := rootURL(cfg.addr, listeners[0].Addr())
	if cfg.url == "" {
		cfg.url = root
	}
	fake, done, err := open(cfg, stderr)
	if err != nil {
		return err
	}
	defer done()
	fake.SetLinkBase(cfg.url)
	handler := fakeserver.Handler(fake, fakeserver.WithHosts(cfg.allHosts()...))
	if !cfg.quiet {
		handler = accessLog{handler, stderr}
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { ended <- server.Serve(listener) }()
	}
	fmt.Fprintf(stdout, "page:       %s/\nbase URL:   %s/v1\nsecret key: %s\n", root, root, fake.SecretKey())

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return shutDown(context.WithoutCancel(ctx), server, ended, stdout)
}

// open returns a fake with the state and the seed that cfg names, and a function to call when
// it is no longer served.
func open(cfg config, stderr io.Writer) (fake *clerktest.Fake, done func(), err error) {
	if cfg.state == "" {
		fake = clerktest.New(cfg.options...)
		_, err := cfg.loadSeed(fake)
		return fake, func() {}, err
	}
	state, err := openState(cfg.state)
	if err != nil {
		return nil, nil, err
	}
	fake = clerktest.New(append(cfg.options, clerktest.WithJournal(state))...)
	if err := state.start(fake, cfg, stderr); err != nil {
		state.close(false)
		return nil, nil, err
	}
	return fake, func() { state.close(true) }, nil
}

// shutDown ends the server. It waits up to a second for open requests.
func shutDown(ctx context.Context, server *http.Server, ended <-chan error, stdout io.Writer) error {
	grace, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil { // a connection is still open
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	fmt.Fprintln(stdout, "stopped")
	return nil
}
