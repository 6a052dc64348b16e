// Command quickstart invites people, lists them, meets an error, and revokes what
// it made.
//
//	go run ./examples/quickstart
//
// With CLERK_SECRET_KEY set it talks to the real Clerk, otherwise to a fake in
// this process. Either way no email is sent.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func main() {
	email := flag.String("email", "ada@example.com", "the address to invite")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Getenv("CLERK_SECRET_KEY"), *email)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, secretKey, email string) (err error) {
	client, err := newClient(out, secretKey)
	if err != nil {
		return err
	}

	// What is made here is revoked in the end, whatever happens, even on Ctrl-C.
	var made []clerk.Invitation
	defer func() {
		ctx := context.WithoutCancel(ctx)
		for _, inv := range made {
			revoked, revokeErr := client.Invitations.Revoke(ctx, inv.ID)
			if revokeErr != nil {
				err = errors.Join(err, revokeErr)
				continue
			}
			fmt.Fprintf(out, "revoked  %s, status %s\n", revoked.ID, revoked.Status)
		}
	}()

	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
		EmailAddress:   email,
		PublicMetadata: map[string]any{"role": "admin"},
		ExpiresInDays:  7,
		Notify:         new(false), // no email
	})
	if err != nil {
		return err
	}
	made = append(made, *inv)
	fmt.Fprintf(out, "created  %s for %s, until %s\n", inv.ID, inv.EmailAddress, inv.ExpiresAt)

	second, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: email, Notify: new(false)})
	switch {
	case err == nil:
		made = append(made, *second)
		return errors.New("a second invitation for the address was not refused")
	case !errors.Is(err, clerk.ErrDuplicateInvitation):
		return err
	}
	fmt.Fprintf(out, "refused  a second one, as it should be: %v\n", err)

	several, err := client.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{
		{EmailAddress: tagged(email, "one"), Notify: new(false)},
		{EmailAddress: tagged(email, "two"), Notify: new(false)},
	})
	if err != nil {
		return err
	}
	made = append(made, several...)
	fmt.Fprintf(out, "created  %d in one request\n", len(several))

	page, err := client.Invitations.List(ctx, clerk.ListInvitationsRequest{
		Status: clerk.InvitationStatusPending,
		Limit:  3,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "pending  %d in all, the newest:\n", page.TotalCount)
	for _, inv := range page.Data {
		fmt.Fprintf(out, "         %s for %s\n", inv.ID, inv.EmailAddress)
	}
	return nil
}

func newClient(out io.Writer, secretKey string) (*clerk.Client, error) {
	if secretKey == "" {
		fmt.Fprintln(out, "CLERK_SECRET_KEY is not set: this is the embedded fake, not Clerk.")
		return clerktest.New().Client()
	}
	fmt.Fprintln(out, "CLERK_SECRET_KEY is set: this is the real Clerk.")
	return clerk.NewClient(secretKey)
}

// tagged makes ada+tag@example.com of ada@example.com.
func tagged(email, tag string) string {
	name, domain, _ := strings.Cut(email, "@")
	return name + "+" + tag + "@" + domain
}
