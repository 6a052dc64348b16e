package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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
