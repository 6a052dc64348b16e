package clerktest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func Example() {
	fake := clerktest.New()
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}

	// The invitee accepts and becomes a user.
	if err := fake.Accept(inv.ID); err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	fmt.Println(errors.Is(err, clerk.ErrUserExists))

	for _, req := range fake.Requests() {
		fmt.Println(req.Operation, req.Status, string(req.Body))
	}
	// Output:
	// true
	// CreateInvitation 200 {"email_address":"ada@example.com"}
	// CreateInvitation 422 {"email_address":"ada@example.com"}
}

// Code that creates its own client uses the fake as its transport.
func ExampleFake_RoundTrip() {
	fake := clerktest.New()
	client, err := clerk.NewClient(fake.SecretKey(), clerk.WithHTTPClient(&http.Client{Transport: fake}))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.Revoke(context.Background(), "inv_of_nobody")
	fmt.Println(errors.Is(err, clerk.ErrNotFound))
	// Output: true
}

func ExampleFake_Serve() {
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	client, err := clerk.NewClient(fake.SecretKey(), clerk.WithBaseURL(baseURL))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	fmt.Println(err, len(fake.Invitations()))
	// Output: <nil> 1
}

func ExampleWithRateLimits() {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	for i := range 101 {
		_, err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
			EmailAddress: fmt.Sprintf("guest%d@example.com", i),
		})
	}
	if limited, ok := errors.AsType[*clerk.SDKError](err); ok {
		fmt.Println(limited.StatusCode, limited.RetryAfter.Round(time.Minute), len(fake.Invitations()))
	}
	// Output: 429 1h0m0s 100
}

// Clerk performs the request, and the connection breaks before the response. The
// client looks up the outcome.
func ExampleFake_Fail() {
	fake := clerktest.New()
	fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	inv, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	fmt.Println(inv.Status, err)
	for _, req := range fake.Requests() {
		fmt.Println(req.Operation, req.Fault)
	}
	// Output:
	// pending <nil>
	// CreateInvitation drop after
	// ListInvitations
}

func ExampleWithFaults() {
	fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
		Share:      0.2,
		Seed:       1,
		Faults:     []clerktest.Fault{clerktest.FaultErrorBefore, clerktest.FaultBadGatewayAfter},
		Operations: []clerk.Operation{clerk.OperationCreate},
	}))
	// This client tries once, and does not look up the outcome.
	client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	if err != nil {
		log.Fatal(err)
	}
	unknown := 0
	for i := range 100 {
		_, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
			EmailAddress: fmt.Sprintf("guest%d@example.com", i),
		})
		if errors.Is(err, clerk.ErrOutcomeUnknown) {
			unknown++
		}
	}
	fmt.Println(unknown, "unknown,", len(fake.Invitations()), "created")
	// Output: 29 unknown, 84 created
}

// The next request gets an error of Clerk's catalogue.
func ExampleFake_Respond() {
	fake := clerktest.New()
	fake.Respond(clerk.OperationCreate, clerktest.Response{Code: clerk.CodeUserQuotaExceeded})
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if refused, ok := errors.AsType[*clerk.ClerkErrors](err); ok {
		fmt.Println(refused.StatusCode, refused.Errors[0].Code)
	}
	// Output: 403 user_quota_exceeded
}

// The invitee opens the link in the email and signs up.
func ExampleFake_SignUp() {
	fake := clerktest.New()
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
		EmailAddress:   "ada@example.com",
		PublicMetadata: map[string]any{"role": "admin"},
	})
	if err != nil {
		log.Fatal(err)
	}
	link, err := url.Parse(fake.Sent()[0].Link)
	if err != nil {
		log.Fatal(err)
	}
	user, err := fake.SignUp(link.Query().Get("ticket"))
	fmt.Println(user.EmailAddress, string(user.PublicMetadata), err)
	fmt.Println(fake.Invitations()[0].Status)
	// Output:
	// ada@example.com {"role":"admin"} <nil>
	// accepted
}

func ExampleWithBehavior() {
	fake := clerktest.New(clerktest.WithBehavior(clerktest.Behavior{
		IgnoreExisting: clerktest.IgnoreExistingRefused,
	}))
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	req := clerk.CreateInvitationRequest{EmailAddress: "ada@example.com", IgnoreExisting: true}
	for range 2 {
		_, err = client.Invitations.Create(context.Background(), req)
		fmt.Println(errors.Is(err, clerk.ErrDuplicateInvitation))
	}
	// Output:
	// false
	// true
}

func ExampleParseBehavior() {
	behavior, err := clerktest.ParseBehavior("list-lag=1s,bulks=until-first")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(behavior.ListLag, behavior.Bulks == clerktest.BulksUntilFirst)
	_, err = clerktest.ParseBehavior("bulks=sometimes")
	fmt.Println(err)
	// Output:
	// 1s true
	// clerktest: bulks "sometimes" is none of until-first, good-rows, without-duplicates
}

func ExampleBehaviors() {
	for name, behavior := range clerktest.Behaviors() {
		if behavior.Bulks != "" {
			fmt.Println(name)
		}
	}
	// Output:
	// bulks=until-first
	// bulks=good-rows
	// bulks=without-duplicates
}

func ExampleFake_Advance() {
	fake := clerktest.New()
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", ExpiresInDays: 7,
	})
	if err != nil {
		log.Fatal(err)
	}
	fake.Advance(7 * 24 * time.Hour)
	fmt.Println(fake.Invitations()[0].Status)
	// Output: expired
}

func ExampleFake_AcceptAt() {
	fake := clerktest.New()
	client, err := fake.Client()
	if err != nil {
		log.Fatal(err)
	}
	inv, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	if err := fake.AcceptAt(inv.ID, fake.Now().Add(time.Hour)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(fake.Invitations()[0].Status)
	fake.Advance(time.Hour)
	fmt.Println(fake.Invitations()[0].Status, len(fake.Users()))
	// Output:
	// pending
	// accepted 1
}

func ExampleFake_FailFor() {
	fake := clerktest.New()
	client, err := fake.Client(clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	if err != nil {
		log.Fatal(err)
	}
	fake.FailFor("ada@example.com", clerk.OperationCreate, clerktest.FaultErrorBefore)
	for _, address := range []string{"grace@example.com", "ada@example.com"} {
		_, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: address})
		fmt.Println(address, err == nil)
	}
	// Output:
	// grace@example.com true
	// ada@example.com false
}
