package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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

func ExampleMetaFromError() {
	client, fake := exampleClient()
	fake.Fail(clerk.OperationList, clerktest.FaultRateLimit)
	once := clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})
	_, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{}, once)
	if meta, ok := clerk.MetaFromError(err); ok {
		fmt.Println(meta.Operation, meta.StatusCode, meta.RetryAfter)
	}
	// Output: ListInvitations 429 1s
}

func ExampleInputError() {
	client, _ := exampleClient()
	_, err := client.Invitations.BulkCreate(context.Background(), []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com"}, {EmailAddress: ""},
	})
	if input, ok := errors.AsType[*clerk.InputError](err); ok {
		fmt.Printf("%s: %s\n", input.Field, input.Problem)
	}
	// Output: requests[1].email_address: is empty
}

// A transport that counts attempts by their route, which has no address and no id.
type countingTransport struct {
	next   http.RoundTripper
	routes map[string]int
}

func (t countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if info, ok := clerk.RequestInfoFromContext(req.Context()); ok {
		t.routes[info.Route]++
	}
	return t.next.RoundTrip(req)
}

func ExampleRequestInfoFromContext() {
	fake := clerktest.New()
	counting := countingTransport{next: fake, routes: map[string]int{}}
	client, err := fake.Client(clerk.WithHTTPClient(&http.Client{Transport: counting}))
	if err != nil {
		log.Fatal(err)
	}
	inv, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err = client.Invitations.Revoke(context.Background(), inv.ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println(counting.routes)
	// Output: map[POST /invitations:1 POST /invitations/{invitation_id}/revoke:1]
}

func ExampleWithBudget() {
	client, _ := exampleClient()
	people := slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}, {EmailAddress: "grace@example.com"}})
	// Leave 60 creates and 5 bulk creates an hour to others.
	budget := clerk.WithBudget(clerk.Budget{Creates: 40, BulkCreates: 20})
	for result, err := range client.Invitations.CreateAll(context.Background(), people, budget) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Request.EmailAddress, result.Outcome)
	}
	// Output:
	// ada@example.com created
	// grace@example.com created
}

func ExampleWithSkipNone() {
	client, fake := exampleClient()
	people := slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}})
	for _, err := range client.Invitations.CreateAll(context.Background(), people, clerk.WithSkipNone()) {
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(fake.Requests()), "request: nothing was listed")
	// Output: 1 request: nothing was listed
}

func ExampleWithSourceError() {
	client, _ := exampleClient()
	// In a service, lines may be a bufio.Scanner, and broken its Err method.
	lines, broken := strings.SplitSeq("ada@example.com\ngrace@example.com", "\n"), errors.New("line 3 is too long")
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for line := range lines {
			if !yield(clerk.CreateInvitationRequest{EmailAddress: line}) {
				return
			}
		}
	}
	readError := clerk.WithSourceError(func() error { return broken })
	for result, err := range client.Invitations.CreateAll(context.Background(), requests, readError) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(result.Index, result.Outcome)
	}
	// Output:
	// 0 created
	// 1 created
	// clerk: reading the requests failed: line 3 is too long
}

func ExampleProgress_EstimateEnd() {
	client, _ := exampleClient()
	const total = 2
	people := slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}, {EmailAddress: "grace@example.com"}})
	progress := clerk.WithProgress(func(p clerk.Progress) {
		fmt.Printf("%d of %d, done in %s\n", p.Done(), total, time.Until(p.EstimateEnd(total)).Round(time.Hour))
	})
	for _, err := range client.Invitations.CreateAll(context.Background(), people, progress, clerk.WithSkipNone()) {
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 1 of 2, done in 0s
	// 2 of 2, done in 0s
}

func ExampleWithBaseURL() {
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	client, err := clerk.NewClient(fake.SecretKey(), clerk.WithBaseURL(baseURL))
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{})
	fmt.Println(list.TotalCount, err)
	// Output: 0 <nil>
}

func ExampleWithInsecurePlaintextHTTP() {
	// In a compose file, fakeclerk is another container.
	base := clerk.WithBaseURL("http://fakeclerk:8080/v1")
	_, err := clerk.NewClient("sk_test_dummy", base)
	fmt.Println(err)
	_, err = clerk.NewClient("sk_test_dummy", base, clerk.WithInsecurePlaintextHTTP())
	fmt.Println(err)
	// Output:
	// clerk: WithBaseURL is neither https nor http to a loopback address
	// <nil>
}

func ExampleWithHTTPClient() {
	fake := clerktest.New()
	counting := countingTransport{next: fake, routes: map[string]int{}}
	client, err := fake.Client(clerk.WithHTTPClient(&http.Client{Transport: counting}))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(counting.routes)
	// Output: map[GET /invitations:1]
}

func ExampleWithHeader() {
	client, fake := exampleClient(clerktest.WithSecretKey("sk_test_dummy"))
	_, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{}, clerk.WithHeader("X-Request-Id", "42"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(fake.Requests()[0].Header.Get("X-Request-Id"))
	// Output: 42
}

func ExampleWithAppName() {
	fake := clerktest.New()
	client, err := fake.Client(clerk.WithAppName("my-sdk/1.2"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(fake.Requests()[0].Header.Get("User-Agent"))
	// Output: my-sdk/1.2 clerk-go/0.1.0
}

func ExampleWithAttemptTimeout() {
	client, _ := exampleClient()
	// The lookup of one page should be quick; give a slow network 5 seconds an attempt.
	list, err := client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{}, clerk.WithAttemptTimeout(5*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(list.Data))
	// Output: 0
}

func ExampleWithMaxResponseBytes() {
	fake := clerktest.New()
	client, err := fake.Client(clerk.WithMaxResponseBytes(10))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{})
	fmt.Println(err)
	// Output: clerk: ListInvitations: 200 unusable response (application/json, 10 bytes): the response is larger than WithMaxResponseBytes allows: 10 bytes (trace 00000000000000000000000000000001)
}

func ExampleUnixMilli() {
	created := clerk.UnixMilli(1791243590601)
	fmt.Println(created, created.Time().Year())
	// Output: 2026-10-05T23:39:50Z 2026
}
