package clerk_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// exampleClient makes a client of a fake, where a service would call NewClient.
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
	// What runs at night may wait for longer.
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
	made, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}

	inv, err := client.Invitations.FindPending(ctx, "ada@example.com")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inv.ID == made.ID)

	_, err = client.Invitations.FindPending(ctx, "grace@example.com")
	fmt.Println(errors.Is(err, clerk.ErrNotFound))
	// Output:
	// true
	// true
}

func ExampleInvitationsService_Get() {
	client, _ := exampleClient()
	ctx := context.Background()
	made, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	inv, err := client.Invitations.Get(ctx, made.ID)
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

func ExampleClerkErrors() {
	client, _ := exampleClient()
	_, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{
		EmailAddress:  "ada@example.com",
		ExpiresInDays: 1000,
	})
	if refused, ok := errors.AsType[*clerk.ClerkErrors](err); ok {
		for _, one := range refused.Errors {
			fmt.Println(one.Code, "in", one.ParamName())
		}
	}
	fmt.Println(err)
	// Output:
	// form_param_value_invalid in expires_in_days
	// clerk: CreateInvitation: 422 form_param_value_invalid: is invalid (expires_in_days) (trace 00000000000000000000000000000001)
}

func ExampleSDKError() {
	limits := clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1, Per: time.Hour}}
	client, _ := exampleClient(clerktest.WithRateLimits(limits))
	ctx := context.Background()
	for _, address := range []string{"ada@example.com", "grace@example.com"} {
		_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address})
		if failed, ok := errors.AsType[*clerk.SDKError](err); ok && errors.Is(err, clerk.ErrRateLimited) {
			fmt.Println("limited, for", failed.RetryAfter.Round(time.Minute))
		}
	}
	// Output:
	// limited, for 1h0m0s
}

func ExampleWithResponse() {
	client, _ := exampleClient()
	var meta clerk.ResponseMeta
	_, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{}, clerk.WithResponse(&meta))
	fmt.Println(err, meta.Operation, meta.StatusCode, meta.Attempts, meta.TraceID)
	// Output:
	// <nil> ListInvitations 200 1 00000000000000000000000000000001
}

func ExampleWithRetry() {
	client, _ := exampleClient()
	_, err := client.Invitations.Create(context.Background(),
		clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}),
		clerk.WithAttemptTimeout(3*time.Second),
	)
	fmt.Println(err)
	// Output:
	// <nil>
}

func ExampleWithSecretKeyFunc() {
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_rotated"))
	baseURL, stop := fake.Serve()
	defer stop()
	client, err := clerk.NewClient("", clerk.WithBaseURL(baseURL),
		clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
			return "sk_test_rotated", nil // from where keys are kept, with a cache
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{})
	fmt.Println(page.TotalCount, err)
	// Output:
	// 0 <nil>
}

func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey || attr.Key == "duration" {
				return slog.Attr{}
			}
			return attr
		},
	}))
	fake := clerktest.New()
	client, err := fake.Client(clerk.WithLogger(logger))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{Query: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=DEBUG msg="clerk request" operation=ListInvitations route="GET /invitations" attempt=1 status=200 trace_id=00000000000000000000000000000001
}

func ExampleInvitationsService_CreateAll() {
	client, fake := exampleClient()
	fake.AddUser("alan@example.com")
	people := `email,name
ada@example.com,Ada
not an address,Nobody
alan@example.com,Alan
ADA@example.com,Ada again
grace@example.com,Grace`

	rows := csv.NewReader(strings.NewReader(people))
	if _, err := rows.Read(); err != nil { // the names of the columns
		log.Fatal(err)
	}
	var failure error
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for {
			row, err := rows.Read()
			if err != nil {
				failure = err
				return
			}
			if !yield(clerk.CreateInvitationRequest{EmailAddress: row[0], PublicMetadata: map[string]any{"name": row[1]}}) {
				return
			}
		}
	}
	sourceError := clerk.WithSourceError(func() error {
		if errors.Is(failure, io.EOF) {
			return nil
		}
		return failure
	})

	outcomes := map[string]clerk.Outcome{}
	for result, err := range client.Invitations.CreateAll(context.Background(), requests, sourceError) {
		if err != nil {
			log.Fatal(err) // and call CreateAll again, with the same requests, to go on
		}
		outcomes[result.Request.EmailAddress] = result.Outcome
		if result.Outcome == clerk.OutcomeRejected {
			fmt.Println("row", result.Index, result.Err)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Printf("%s: %s\n", address, outcomes[address])
	}
	// Output:
	// row 1 clerk: CreateInvitation: email_address has no @
	// ADA@example.com: repeated
	// ada@example.com: created
	// alan@example.com: user exists
	// grace@example.com: created
	// not an address: rejected
}

// What comes over a channel goes out as it comes.
func ExampleInvitationsService_CreateAll_channel() {
	client, _ := exampleClient()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signedUp := make(chan string)
	go func() {
		defer close(signedUp)
		signedUp <- "ada@example.com"
		signedUp <- "grace@example.com"
	}()

	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case address, ok := <-signedUp:
				if !ok || !yield(clerk.CreateInvitationRequest{EmailAddress: address}) {
					return
				}
			}
		}
	}
	for result, err := range client.Invitations.CreateAll(ctx, requests) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.Request.EmailAddress, result.Outcome)
	}
	// Output:
	// ada@example.com created
	// grace@example.com created
}

// A run that leaves half of each limit to others, and shows how far it has got.
func ExampleWithProgress() {
	client, _ := exampleClient()
	requests := make([]clerk.CreateInvitationRequest, 1000)
	for i := range requests {
		requests[i].EmailAddress = fmt.Sprintf("guest%d@example.com", i)
	}

	observer := clerk.WithProgress(func(p clerk.Progress) {
		switch {
		case !p.WaitUntil.IsZero():
			fmt.Println("waiting for", p.WaitFor)
		case p.Done()%50 == 0:
			left := time.Until(p.EstimateEnd(len(requests))).Round(time.Hour)
			fmt.Printf("%d of %d, done in about %s\n", p.Done(), len(requests), left)
		}
	})
	half := clerk.WithBudget(clerk.Budget{Creates: 50, BulkCreates: 12})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, err := range client.Invitations.CreateAll(ctx, slices.Values(requests), half, observer) {
		if errors.Is(err, context.DeadlineExceeded) {
			fmt.Println("out of time, to go on another day")
		}
	}
	// Output:
	// 50 of 1000, done in about 5h0m0s
	// 100 of 1000, done in about 5h0m0s
	// 150 of 1000, done in about 5h0m0s
	// out of time, to go on another day
}

// A campaign that invites also those who have an older invitation goes on where it
// was: it skips who has got one since it began.
func ExampleWithSkipSince() {
	client, _ := exampleClient()
	ctx := context.Background()
	old, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	began := old.CreatedAt.Time().Add(time.Millisecond)
	time.Sleep(2 * time.Millisecond)
	campaign := []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com", IgnoreExisting: true},
		{EmailAddress: "grace@example.com", IgnoreExisting: true},
	}
	for result, err := range client.Invitations.CreateAll(ctx, slices.Values(campaign), clerk.WithSkipSince(began)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Request.EmailAddress, result.Outcome)
	}
	// Output:
	// ada@example.com created
	// grace@example.com created
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
