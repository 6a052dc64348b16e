package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// The code blocks of docs/errors-and-retries.md, docs/inviting-many.md and
// docs/after-the-email.md, and remind in docs/recipes.md, are copies of what is here.

// describe returns a text for the person who invites.
func describe(err error) string {
	if err == nil {
		return "invited"
	}
	meta, _ := clerk.MetaFromError(err)
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown): // first, as the others may match, too
		return "perhaps invited: look again in a minute"
	case errors.Is(err, clerk.ErrRateLimited):
		return "too many invitations: try again in " + meta.RetryAfter.String()
	case errors.Is(err, clerk.ErrNotSent):
		return "not sent: try again"
	}
	if refused, ok := errors.AsType[*clerk.ClerkErrors](err); ok {
		return "refused: " + string(refused.Errors[0].Code) + " " + refused.Errors[0].ParamName()
	}
	return "failed, trace " + meta.TraceID
}

func TestDescribe(t *testing.T) {
	for want, err := range map[string]error{
		"invited": nil,
		"too many invitations: try again in 1h0m0s": &clerk.SDKError{ResponseMeta: clerk.ResponseMeta{StatusCode: 429, RetryAfter: time.Hour}},
		"perhaps invited: look again in a minute":   &clerk.SDKError{Err: clerk.ErrOutcomeUnknown},
		"not sent: try again":                       &clerk.SDKError{Err: clerk.ErrNotSent},
		"failed, trace 4bf92f":                      &clerk.SDKError{ResponseMeta: clerk.ResponseMeta{StatusCode: 500, TraceID: "4bf92f"}},
	} {
		require.Equal(t, want, describe(err))
	}
	client, _ := exampleClient()
	_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, ExpiresInDays: 1000})
	require.Equal(t, "refused: form_param_value_invalid expires_in_days", describe(err))
}

// isAboutAddress reports whether err, an ErrInvalidRequest, is about the address. Clerk need
// not name a parameter. Then it most likely is: the rest of a request does not vary.
func isAboutAddress(err error) bool {
	var field string
	if input, ok := errors.AsType[*clerk.InputError](err); ok { // the library found it
		field = input.Field
	} else if refused, ok := errors.AsType[*clerk.ClerkErrors](err); ok { // Clerk did
		field = refused.Errors[0].ParamName()
	}
	return field == "" || field == "email_address"
}

func TestIsAboutAddress(t *testing.T) {
	client, _ := clerktest.NewClient(t)
	for isAddress, reqs := range map[bool][]clerk.CreateInvitationRequest{
		true:  {{}, {EmailAddress: "nobody"}, {EmailAddress: "ada@@"}},
		false: {{EmailAddress: address, ExpiresInDays: 999}, {EmailAddress: address, PublicMetadata: map[string]any{"x": func() {}}}},
	} {
		for _, req := range reqs {
			_, err := client.Invitations.Create(t.Context(), req)
			require.ErrorIs(t, err, clerk.ErrInvalidRequest)
			require.Equal(t, isAddress, isAboutAddress(err), err)
		}
	}
	require.True(t, isAboutAddress(&clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeMalformedRequestParameters}}}))
}

func TestErrorsForTestsMatchSentinels(t *testing.T) {
	duplicate := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeDuplicateRecord}}}
	rateLimited := &clerk.SDKError{ResponseMeta: clerk.ResponseMeta{StatusCode: 429, RetryAfter: time.Hour}}
	unknown := &clerk.SDKError{Err: clerk.ErrOutcomeUnknown}

	require.ErrorIs(t, duplicate, clerk.ErrDuplicateInvitation)
	require.ErrorIs(t, rateLimited, clerk.ErrRateLimited)
	require.ErrorIs(t, unknown, clerk.ErrOutcomeUnknown)
}

func withOtherLimits(client *clerk.Client) (*clerk.Client, error) {
	return client.With(
		clerk.WithAttemptTimeout(time.Minute),
		clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: time.Hour}}),
	)
}

func TestWithOtherLimits(t *testing.T) {
	client, _ := exampleClient()
	nightly, err := withOtherLimits(client)
	require.NoError(t, err)
	require.NotSame(t, client, nightly)
}

func TestDefaultsOfRetryConfig(t *testing.T) {
	client, _ := exampleClient()
	_, err := client.With(
		clerk.WithRetry(clerk.RetryConfig{
			Strategy: clerk.RetryBackoff, // or RetryNone
			Backoff: clerk.BackoffStrategy{
				InitialInterval: 500 * time.Millisecond,
				MaxInterval:     time.Minute,
				Exponent:        1.5,
				MaxElapsedTime:  time.Minute,
			},
			RetryConnectionErrors: new(true),
		}),
	)
	require.NoError(t, err)
}

func inviteWithHalfOfTheLimits(ctx context.Context, client *clerk.Client, requests []clerk.CreateInvitationRequest) {
	progress := clerk.WithProgress(func(p clerk.Progress) {
		switch {
		case !p.WaitUntil.IsZero():
			fmt.Println("waiting for", p.WaitFor)
		case p.Done()%50 == 0:
			left := time.Until(p.EstimateEnd(len(requests))).Round(time.Hour)
			fmt.Printf("%d of %d, done in about %s\n", p.Done(), len(requests), left)
		}
	})
	half := clerk.WithBudget(clerk.Budget{Creates: 50, BulkCreates: 12})
	for _, err := range client.Invitations.CreateAll(ctx, slices.Values(requests), half, progress) {
		if errors.Is(err, context.DeadlineExceeded) {
			fmt.Println("out of time: the next run resumes")
		}
	}
}

func Example_budget() {
	client, _ := exampleClient()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	inviteWithHalfOfTheLimits(ctx, client, slices.Collect(guests(1000)))
	// Output:
	// 50 of 1000, done in about 5h0m0s
	// 100 of 1000, done in about 5h0m0s
	// 150 of 1000, done in about 5h0m0s
	// out of time: the next run resumes
}

func inviteUntilTheDeadline(ctx context.Context, client *clerk.Client, requests []clerk.CreateInvitationRequest) (resume time.Duration, err error) {
	for _, err := range client.Invitations.CreateAll(ctx, slices.Values(requests)) {
		if errors.Is(err, context.DeadlineExceeded) {
			meta, _ := clerk.MetaFromError(err)
			return meta.RetryAfter, nil // resume then, as a scheduled job does
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func TestDeadlineSaysWhenToResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := clerktest.NewClient(t, clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		resume, err := inviteUntilTheDeadline(ctx, client, slices.Collect(guests(1000)))
		require.NoError(t, err)
		require.InDelta(t, time.Hour, resume, float64(time.Minute))
		resume, err = inviteUntilTheDeadline(t.Context(), client, nil)
		require.NoError(t, err)
		require.Zero(t, resume)
	})
}

func inviteAgain(ctx context.Context, client *clerk.Client, began time.Time) error {
	campaign := []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com", IgnoreExisting: true},
		{EmailAddress: "grace@example.com", IgnoreExisting: true},
	}
	for result, err := range client.Invitations.CreateAll(ctx, slices.Values(campaign), clerk.WithSkipSince(began)) {
		if err != nil {
			return err
		}
		fmt.Println(result.Request.EmailAddress, result.Outcome)
	}
	return nil
}

func TestCampaignOfRecipesIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := clerktest.NewClient(t)
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		began := time.Now()
		require.NoError(t, inviteAgain(t.Context(), client, began))
		require.NoError(t, inviteAgain(t.Context(), client, began))
		require.Len(t, fake.Sent(), 3)
	})
}

// remind sends another email to everybody whose invitation is pending and was created before
// a time. If it was interrupted, call it again with the same time.
func remind(ctx context.Context, client *clerk.Client, before time.Time) error {
	newest := map[string]clerk.Invitation{} // by address, as somebody may have two
	for inv, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{Status: clerk.InvitationStatusPending}) {
		if err != nil {
			return err
		}
		if inv.CreatedAt > newest[inv.EmailAddress].CreatedAt {
			newest[inv.EmailAddress] = inv
		}
	}
	again := clerk.CreateInvitationRequest{RedirectURL: "https://app.example.com/welcome", ExpiresInDays: 7} // as before
	patient := clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 2 * time.Hour}})
	for _, inv := range newest {
		if !inv.CreatedAt.Time().Before(before) {
			continue // invited or reminded since
		}
		_, err := client.Invitations.Resend(ctx, inv.ID, again, patient)
		switch {
		case err == nil, errors.Is(err, clerk.ErrAlreadyAccepted), errors.Is(err, clerk.ErrNotFound):
		case errors.Is(err, clerk.ErrOldNotRevoked), errors.Is(err, clerk.ErrOutcomeUnknown):
			slog.WarnContext(ctx, "reminding", "id", inv.ID, "error", err) // not again: that may be a third email
		default:
			return err
		}
	}
	return nil
}

// TestRemind: 250 people were invited, and some reminders fail halfway.
func TestRemind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lifeWith(t, clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
		l.fill(t, 250, guest)
		time.Sleep(24 * time.Hour)
		week := time.Now()
		invs := l.fake.Invitations()
		require.NoError(t, l.fake.Accept(invs[3].ID))
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		ctx, stop := context.WithTimeout(t.Context(), 90*time.Minute)
		defer stop()
		require.Error(t, remind(ctx, l.client, week))
		require.NoError(t, remind(t.Context(), l.client, week))
		require.Equal(t, 249, len(l.fake.Sent())-250)
		pending := map[string]int{}
		for _, inv := range l.fake.Invitations() {
			if inv.Status == clerk.InvitationStatusPending {
				pending[inv.EmailAddress]++
			}
		}
		require.Len(t, pending, 249)
		for address, n := range pending {
			require.Equal(t, 1, n, address)
		}
	})
}

// poll prints what has changed since the last poll, whose snapshot is in a file.
func poll(ctx context.Context, client *clerk.Client, path string) error {
	var snapshot clerk.Snapshot // empty at first: then nothing is reported
	stored, err := os.ReadFile(path)
	if err == nil {
		err = snapshot.UnmarshalBinary(stored)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for change, err := range client.Invitations.Changes(ctx, &snapshot) {
		if err != nil {
			return err
		}
		// change.Kind is new, accepted, expired, revoked or deleted
		fmt.Println(change.Invitation.ID, change.Kind)
	}
	if stored, err = snapshot.MarshalBinary(); err != nil {
		return err
	}
	return os.WriteFile(path, stored, 0o600)
}

func Example_poll() {
	client, fake := exampleClient()
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "invitations.snapshot")

	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(poll(ctx, client, path))
	fmt.Println(fake.Accept(inv.ID), poll(ctx, client, path))
	fmt.Println(poll(ctx, client, path), os.RemoveAll(dir))
	// Output:
	// <nil>
	// inv_000000000000000000000000001 accepted
	// <nil> <nil>
	// <nil> <nil>
}
