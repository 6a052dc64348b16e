// Command quickstart invites people, lists them, handles an error, and revokes what
// it created.
//
//	go run github.com/clerk-invitations/clerk-go/examples/quickstart
//
// With CLERK_SECRET_KEY set it talks to Clerk, otherwise to a fake in this process.
// Either way no email leaves. With -serve the fake's page shows the invitations and
// the emails that Clerk would have sent, until Ctrl-C:
//
//	go run github.com/clerk-invitations/clerk-go/examples/quickstart -serve
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func main() {
	email := flag.String("email", "ada@example.com", "the address to invite")
	serve := flag.Bool("serve", false, "serve the fake's page, with links to accept the invitations, until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	secretKey := os.Getenv("CLERK_SECRET_KEY")
	var err error
	switch {
	case !*serve:
		err = run(ctx, os.Stdout, secretKey, *email)
	case secretKey != "":
		err = errors.New("-serve is for the fake: unset CLERK_SECRET_KEY")
	default:
		err = runAndServe(ctx, os.Stdout, *email)
	}
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

	// Whatever happens, even on Ctrl-C, the created invitations are revoked at the end.
	var created []clerk.Invitation
	defer func() {
		ctx := context.WithoutCancel(ctx)
		for _, inv := range created {
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
	created = append(created, *inv)
	fmt.Fprintf(out, "created  %s for %s, until %s\n", inv.ID, inv.EmailAddress, inv.ExpiresAt)

	second, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: email, Notify: new(false)})
	switch {
	case err == nil:
		created = append(created, *second)
		return errors.New("a second invitation for the address was accepted")
	case !errors.Is(err, clerk.ErrDuplicateInvitation):
		return err
	}
	fmt.Fprintf(out, "refused  a second one, as expected: %v\n", err)

	several, err := inviteSeveral(ctx, out, client, email)
	created = append(created, several...)
	return err
}

// inviteSeveral invites two people in one request, and lists who is invited.
func inviteSeveral(ctx context.Context, out io.Writer, client *clerk.Client, email string) ([]clerk.Invitation, error) {
	several, err := client.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{
		{EmailAddress: tagged(email, "one"), Notify: new(false)},
		{EmailAddress: tagged(email, "two"), Notify: new(false)},
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "created  %d in one request\n", len(several))

	page, err := client.Invitations.List(ctx, clerk.ListInvitationsRequest{
		Status: clerk.InvitationStatusPending,
		Limit:  3,
	})
	if err != nil {
		return several, err
	}
	fmt.Fprintf(out, "pending  %d in all, the newest:\n", page.TotalCount)
	for _, inv := range page.Data {
		fmt.Fprintf(out, "         %s for %s\n", inv.ID, inv.EmailAddress)
	}
	return several, nil
}

func newClient(out io.Writer, secretKey string) (*clerk.Client, error) {
	if secretKey == "" {
		fmt.Fprintln(out, "CLERK_SECRET_KEY is not set: this is the embedded fake, not Clerk.")
		return clerktest.New().Client()
	}
	if baseURL := os.Getenv("CLERK_BASE_URL"); baseURL != "" {
		fmt.Fprintln(out, "CLERK_BASE_URL is set: this is", baseURL)
		return clerk.NewClient(secretKey, clerk.WithBaseURL(baseURL))
	}
	fmt.Fprintln(out, "CLERK_SECRET_KEY is set: this is the real Clerk.")
	return clerk.NewClient(secretKey)
}
