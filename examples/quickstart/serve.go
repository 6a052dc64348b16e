package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// runAndServe invites two people with a fake, and serves the fake's page until ctx ends.
func runAndServe(ctx context.Context, out io.Writer, email string) error {
	fake := clerktest.New(clerktest.WithRandomIDs())
	listener, err := listen(ctx)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	fake.SetLinkBase(address)
	server := &http.Server{Handler: fakeserver.Handler(fake), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	if err := invite(ctx, out, fake, email); err != nil {
		return err
	}
	fmt.Fprintf(out, "Open %s/ to see the invitations and their emails.\n", address)
	fmt.Fprintln(out, "Follow the link of an email and sign up to accept it. Ctrl-C ends this program.")
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// listen listens on port 8080, or on a free port if that is in use.
func listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:8080")
	if err != nil {
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return listener, nil
}

func invite(ctx context.Context, out io.Writer, fake *clerktest.Fake, email string) error {
	client, err := fake.Client()
	if err != nil {
		return err
	}
	for _, address := range []string{email, tagged(email, "colleague")} {
		inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
			EmailAddress:   address,
			PublicMetadata: map[string]any{"role": "admin"},
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "created  %s for %s\n", inv.ID, inv.EmailAddress)
	}
	return nil
}

// tagged turns ada@example.com into ada+tag@example.com.
func tagged(email, tag string) string {
	name, domain, _ := strings.Cut(email, "@")
	return name + "+" + tag + "@" + domain
}
