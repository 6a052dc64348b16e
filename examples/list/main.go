// Command list lists invitations: one page with filters, and all of them. It runs against
// the fake of package clerktest.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "list:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fake := clerktest.New()
	client, err := fake.Client()
	if err != nil {
		return err
	}
	if err := invite(ctx, client, 25); err != nil {
		return err
	}

	// One page: the first five pending invitations whose address or id contains "guest1",
	// ordered by address.
	page, err := client.Invitations.List(ctx, clerk.ListInvitationsRequest{
		Status:  clerk.InvitationStatusPending,
		Query:   "guest1",
		OrderBy: clerk.OrderByEmailAddress,
		Limit:   5,
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d match; the first %d:\n", page.TotalCount, len(page.Data))
	for _, inv := range page.Data {
		fmt.Println("-", inv.EmailAddress)
	}

	// All pages. A page is requested when the loop reaches it, so break ends the requests.
	total := 0
	for inv, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{}) {
		if err != nil {
			return err
		}
		var metadata struct {
			Seat int `json:"seat"`
		}
		if err := inv.DecodePublicMetadata(&metadata); err != nil {
			return err
		}
		total += metadata.Seat
	}
	fmt.Println("sum of all seats:", total)
	return nil
}

func invite(ctx context.Context, client *clerk.Client, n int) error {
	for i := range n {
		_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
			EmailAddress:   fmt.Sprintf("guest%d@example.com", i),
			PublicMetadata: map[string]any{"seat": i},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
