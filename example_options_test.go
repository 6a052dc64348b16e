package clerk_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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
			return "sk_test_rotated", nil // from your key store, with a cache
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
	// level=DEBUG msg="clerk request" operation=ListInvitations route="GET /invitations" call=1 attempt=1 status=200 trace_id=00000000000000000000000000000001
}

// A countingTransport counts attempts by their route, which contains no address or id.
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

// A slotTransport sends at most as many requests as it has slots. A request that was not sent
// returns its slot.
type slotTransport struct {
	next  http.RoundTripper
	slots chan struct{} // has a value for each free slot
}

func (t slotTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-t.slots:
	default:
		return nil, fmt.Errorf("%w: no free slot", clerk.ErrNotSent)
	}
	resp, err := t.next.RoundTrip(req)
	if clerk.NotSent(req.Context(), err) {
		t.slots <- struct{}{}
	}
	return resp, err
}

func ExampleNotSent() {
	fake := clerktest.New()
	fake.Fail(clerk.OperationCreate, clerktest.FaultRefuse)
	slots := make(chan struct{}, 1)
	slots <- struct{}{}
	client, err := fake.Client(
		clerk.WithHTTPClient(&http.Client{Transport: slotTransport{next: fake, slots: slots}}),
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	if err != nil {
		log.Fatal(err)
	}
	for _, address := range []string{"ada@example.com", "grace@example.com", "alan@example.com"} {
		_, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: address})
		fmt.Println(err)
	}
	// Output:
	// clerk: CreateInvitation: nothing sent: dial tcp: connection refused
	// <nil>
	// clerk: CreateInvitation: nothing sent: clerk: the request was not sent: no free slot
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
	// clerk: WithBaseURL is neither https nor http to a loopback address (see WithInsecurePlaintextHTTP)
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
