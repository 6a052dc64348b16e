package clerk_test

import (
	"context"
	"errors"
	"fmt"
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
