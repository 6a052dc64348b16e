// Command fakeclerk serves the fake of package clerktest, to clients in any
// language, until it gets SIGINT or SIGTERM.
//
//	go run ./clerktest/cmd/fakeclerk -addr 127.0.0.1:8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen; port 0 takes a free one")
	limits := flag.String("limits", "off", "rate limits, as Clerk documents them: off, development or production")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *addr, *limits)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeclerk:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, limits string) error {
	var opts []clerktest.Option
	switch limits {
	case "off":
	case "development":
		opts = append(opts, clerktest.WithRateLimits(clerktest.DevelopmentRateLimits()))
	case "production":
		opts = append(opts, clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
	default:
		return fmt.Errorf("-limits %q is none of off, development, production", limits)
	}
	fake := clerktest.New(opts...)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Printf("base URL:   http://%s/v1\nsecret key: %s\n", listener.Addr(), fake.SecretKey())

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil { // a connection is still open
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	fmt.Println("stopped")
	return nil
}
