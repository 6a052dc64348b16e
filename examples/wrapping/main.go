// Command wrapping shows an internal SDK around package clerk: its own name in
// the User-Agent, its own logger, a transport of its own that traces requests,
// and a narrow interface for its users. It runs against the fake of package
// clerktest.
package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// People is the internal SDK.
type People struct {
	client *clerk.Client
	logger *slog.Logger
}

// NewPeople makes the SDK. Requests go through transport; nil means the default.
func NewPeople(secretKey string, transport http.RoundTripper, logger *slog.Logger) (*People, error) {
	client, err := clerk.NewClient(secretKey,
		clerk.WithAppName("people-sdk/2.1"),
		clerk.WithLogger(logger),
		clerk.WithHTTPClient(&http.Client{Transport: &tracing{next: transport}}),
		clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 20 * time.Second}}),
	)
	if err != nil {
		return nil, err
	}
	return &People{client: client, logger: logger}, nil
}

// Invite invites an address and returns the invitation's id. Options of the
// wrapped library stay open to its users.
func (p *People) Invite(ctx context.Context, emailAddress string, opts ...clerk.CallOption) (string, error) {
	inv, err := p.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: emailAddress}, opts...)
	if err != nil {
		return "", fmt.Errorf("people: %w", err)
	}
	return inv.ID, nil
}

// InviteAll invites everybody, and calls done with each address that has an invitation
// or an account then. The SDK logs waits; its users can watch it, too.
func (p *People) InviteAll(ctx context.Context, addresses iter.Seq[string], done func(string), opts ...clerk.CreateAllOption) error {
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for address := range addresses {
			if !yield(clerk.CreateInvitationRequest{EmailAddress: address}) {
				return
			}
		}
	}
	opts = append(slices.Clone(opts), clerk.WithProgress(func(progress clerk.Progress) {
		if !progress.WaitUntil.IsZero() {
			p.logger.InfoContext(ctx, "waiting", "progress", progress)
		}
	}))
	for result, err := range p.client.Invitations.CreateAll(ctx, requests, opts...) {
		if err != nil {
			return fmt.Errorf("people: %w", err)
		}
		if result.Outcome != clerk.OutcomeRejected {
			done(result.Request.EmailAddress)
		}
	}
	return nil
}

// tracing is a transport that reports each request. A real one would start a span
// here. It shows the path, never the query, which can hold an address.
type tracing struct {
	next http.RoundTripper
}

func (t *tracing) RoundTrip(req *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	fmt.Printf("span: %s %s %d, by %q\n", req.Method, req.URL.Path, resp.StatusCode, req.UserAgent())
	return resp, nil
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "wrapping:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fake := clerktest.New()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey || attr.Key == "duration" {
				return slog.Attr{} // the same output every time
			}
			return attr
		},
	}))
	people, err := NewPeople(fake.SecretKey(), fake, logger)
	if err != nil {
		return err
	}
	var meta clerk.ResponseMeta
	id, err := people.Invite(ctx, "ada@example.com", clerk.WithResponse(&meta))
	if err != nil {
		return err
	}
	fmt.Println("invited:", id)
	fmt.Println("status: ", meta.StatusCode, "after", meta.Attempts, "attempt")
	team := []string{"ada@example.com", "grace@example.com", "alan@example.com"}
	return people.InviteAll(ctx, slices.Values(team), func(address string) { fmt.Println("done:   ", address) })
}
