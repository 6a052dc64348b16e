package clerk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// exampleClient returns a client of a fake. A service calls NewClient instead.
func exampleClient(opts ...clerktest.Option) (*clerk.Client, *clerktest.Fake) {
	fake := clerktest.New(opts...)
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	return client, fake
}

func ExampleNewClient() {
	client, err := clerk.NewClient("sk_test_dummy",
		clerk.WithAppName("people-sdk/2.1"),
		clerk.WithLogger(slog.Default()),
	)
	fmt.Println(client, err)

	_, err = clerk.NewClient("pk_test_dummy")
	fmt.Println(err)
	// Output:
	// clerk.Client{https://api.clerk.com/v1} <nil>
	// clerk: secret key is a publishable key (pk_...); a backend needs the secret key (sk_...)
}

func ExampleClient_With() {
	client, _ := exampleClient()
	// Jobs that run at night may wait longer.
	nightly, err := client.With(clerk.WithRetry(clerk.RetryConfig{
		Backoff: clerk.BackoffStrategy{MaxElapsedTime: time.Hour},
	}))
	if err != nil {
		log.Fatal(err)
	}
	_, err = nightly.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	fmt.Println(err)
	// Output:
	// <nil>
}

func ExampleInvitationsService_Create() {
	client, _ := exampleClient()
	ctx := context.Background()

	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
		EmailAddress:   "ada@example.com",
		PublicMetadata: map[string]any{"role": "admin"},
		RedirectURL:    "https://app.example.com/welcome",
		ExpiresInDays:  7,
		Notify:         new(false), // Clerk sends no email: pass on inv.URL yourself
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inv.EmailAddress, inv.Status)

	_, err = client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if errors.Is(err, clerk.ErrDuplicateInvitation) {
		fmt.Println("invited already")
	}
	// Output:
	// ada@example.com pending
	// invited already
}

func ExampleInvitationsService_List() {
	client, _ := exampleClient()
	ctx := context.Background()
	for _, name := range []string{"ada", "grace", "alan"} {
		_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: name + "@example.com"})
		if err != nil {
			log.Fatal(err)
		}
	}

	page, err := client.Invitations.List(ctx, clerk.ListInvitationsRequest{
		Status:  clerk.InvitationStatusPending,
		OrderBy: clerk.OrderByEmailAddress,
		Limit:   2,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page.Data), "of", page.TotalCount)
	for _, inv := range page.Data {
		fmt.Println(inv.EmailAddress)
	}
	// Output:
	// 2 of 3
	// ada@example.com
	// alan@example.com
}

func ExampleInvitationsService_All() {
	client, fake := exampleClient()
	ctx := context.Background()
	for i := range 3 {
		inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("guest%d@example.com", i)})
		if err != nil {
			log.Fatal(err)
		}
		if i == 1 {
			if err := fake.Accept(inv.ID); err != nil {
				log.Fatal(err)
			}
		}
	}

	for inv, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{OrderBy: clerk.OrderByCreatedAt}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(inv.EmailAddress, inv.Status)
	}
	// Output:
	// guest0@example.com pending
	// guest1@example.com accepted
	// guest2@example.com pending
}

func ExampleWithPrefetch() {
	client, _ := exampleClient()
	ctx := context.Background()
	for i := range 25 {
		if _, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("guest%d@example.com", i)}); err != nil {
			log.Fatal(err)
		}
	}
	n := 0
	for _, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{Limit: 5}, clerk.WithPrefetch(4)) {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println(n, "invitations")
	// Output: 25 invitations
}

func ExampleInvitationsService_BulkCreate() {
	client, _ := exampleClient()
	invs, err := client.Invitations.BulkCreate(context.Background(), []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com"},
		{EmailAddress: "grace@example.com", PublicMetadata: map[string]any{"role": "admin"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, inv := range invs {
		fmt.Printf("%s %s\n", inv.EmailAddress, inv.PublicMetadata)
	}
	// Output:
	// ada@example.com {}
	// grace@example.com {"role":"admin"}
}

func ExampleInvitationsService_Revoke() {
	client, _ := exampleClient()
	ctx := context.Background()
	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}

	inv, err = client.Invitations.Revoke(ctx, inv.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inv.Status)

	_, err = client.Invitations.Revoke(ctx, "inv_of_nobody")
	fmt.Println(errors.Is(err, clerk.ErrNotFound))
	// Output:
	// revoked
	// true
}

func ExampleInvitationsService_FindPending() {
	client, _ := exampleClient()
	ctx := context.Background()
	created, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}

	inv, err := client.Invitations.FindPending(ctx, "ada@example.com")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inv.ID == created.ID)

	_, err = client.Invitations.FindPending(ctx, "grace@example.com")
	fmt.Println(errors.Is(err, clerk.ErrNotFound))
	// Output:
	// true
	// true
}

func ExampleInvitationsService_Get() {
	client, _ := exampleClient()
	ctx := context.Background()
	created, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	inv, err := client.Invitations.Get(ctx, created.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inv.EmailAddress, inv.Status)
	// Output:
	// ada@example.com pending
}

func ExampleInvitationsService_Resend() {
	client, _ := exampleClient()
	ctx := context.Background()
	old, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
		EmailAddress:   "ada@example.com",
		PublicMetadata: map[string]any{"role": "admin"},
	})
	if err != nil {
		log.Fatal(err)
	}

	inv, err := client.Invitations.Resend(ctx, old.ID, clerk.CreateInvitationRequest{ExpiresInDays: 7})
	if errors.Is(err, clerk.ErrOldNotRevoked) {
		// inv was created, but the old link works, too: call Revoke later.
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inv.ID != old.ID, inv.EmailAddress, string(inv.PublicMetadata))
	// Output:
	// true ada@example.com {"role":"admin"}
}

func ExampleInvitation_DecodePublicMetadata() {
	client, _ := exampleClient()
	inv, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
		EmailAddress:   "ada@example.com",
		PublicMetadata: map[string]any{"role": "admin", "seat": 7},
	})
	if err != nil {
		log.Fatal(err)
	}
	var metadata struct {
		Role string `json:"role"`
		Seat int    `json:"seat"`
	}
	if err := inv.DecodePublicMetadata(&metadata); err != nil {
		log.Fatal(err)
	}
	fmt.Println(metadata.Role, metadata.Seat)
	// Output:
	// admin 7
}

func ExampleInvitationsService_Delete() {
	client, _ := exampleClient()
	ctx := context.Background()
	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}

	deleted, err := client.Invitations.Delete(ctx, inv.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(deleted.ID == inv.ID, deleted.Deleted)
	_, err = client.Invitations.Get(ctx, inv.ID)
	fmt.Println(errors.Is(err, clerk.ErrNotFound))
	// Output:
	// true true
	// true
}

func ExampleUnixMilli() {
	created := clerk.UnixMilli(1791243590601)
	fmt.Println(created, created.Time().Year())
	// Output: 2026-10-05T23:39:50Z 2026
}

func ExampleInvitationsService_Changes() {
	client, fake := exampleClient()
	ctx := context.Background()
	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	poll := func(snapshot *clerk.Snapshot) {
		for change, err := range client.Invitations.Changes(ctx, snapshot) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(change.Invitation.EmailAddress, change.Kind)
		}
	}
	var snapshot clerk.Snapshot
	poll(&snapshot) // records the invitations
	stored, err := json.Marshal(snapshot)
	if err != nil {
		log.Fatal(err)
	}

	if err := fake.Accept(inv.ID); err != nil { // Ada signs up
		log.Fatal(err)
	}

	var restored clerk.Snapshot
	if err := json.Unmarshal(stored, &restored); err != nil {
		log.Fatal(err)
	}
	poll(&restored)
	// Output:
	// ada@example.com accepted
}

func ExampleInvitationsService_Erase() {
	client, fake := exampleClient()
	ctx := context.Background()
	if _, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // too short for the proof
	defer cancel()
	err := client.Invitations.Erase(ctx, "ada@example.com")
	fmt.Println(errors.Is(err, clerk.ErrOutcomeUnknown), len(fake.Invitations()))
	// Output:
	// true 0
}
