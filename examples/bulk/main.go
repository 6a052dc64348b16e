// Command bulk invites up to ten people in one request, and says what to do after each kind
// of error. It runs against the fake of package clerktest.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bulk:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fake := clerktest.New()
	client, err := fake.Client()
	if err != nil {
		return err
	}
	// Grace has a pending invitation.
	if _, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "grace@example.com"}); err != nil {
		return err
	}

	team := []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com"},
		{EmailAddress: "grace@example.com"},
		{EmailAddress: "alan@example.com"},
	}
	invited, err := client.Invitations.BulkCreate(ctx, team)
	if errors.Is(err, clerk.ErrDuplicateInvitation) && !errors.Is(err, clerk.ErrOutcomeUnknown) {
		// Clerk names the addresses that are already invited. Send the others.
		known := duplicates(err)
		fmt.Println("already invited:", known)
		team = slices.DeleteFunc(team, func(req clerk.CreateInvitationRequest) bool {
			return slices.Contains(known, req.EmailAddress)
		})
		invited, err = client.Invitations.BulkCreate(ctx, team)
	}

	if err != nil {
		return explain(err)
	}
	for _, inv := range invited {
		fmt.Println("invited:", inv.EmailAddress)
	}
	return nil
}

// explain adds advice to an error.
func explain(err error) error {
	var failed *clerk.SDKError
	var refused *clerk.ClerkErrors
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown):
		return fmt.Errorf("look the addresses up with FindPending before trying again: %w", err)
	case errors.Is(err, clerk.ErrNotSent):
		return fmt.Errorf("try again: %w", err)
	case errors.Is(err, clerk.ErrUnauthorized):
		return fmt.Errorf("correct the key: %w", err)
	case errors.As(err, &failed) && failed.RetryAfter > 0:
		return fmt.Errorf("try again in %s: %w", failed.RetryAfter, err)
	case errors.As(err, &refused):
		return fmt.Errorf("correct the request: %w", err)
	default:
		return err
	}
}

// duplicates returns the addresses that a refusal names.
func duplicates(err error) []string {
	refused, ok := errors.AsType[*clerk.ClerkErrors](err)
	if !ok {
		return nil
	}
	var addresses []string
	for _, one := range refused.Errors {
		addresses = append(addresses, one.EmailAddresses()...)
	}
	return addresses
}
