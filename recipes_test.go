package clerk_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// The code blocks of README.md, docs/recipes.md and docs/testing.md are copies of what is
// here; docs_test.go checks that.

func inviteAda(ctx context.Context) error {
	client, err := clerk.NewClient(os.Getenv("CLERK_SECRET_KEY"))
	if err != nil {
		return err
	}
	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown): // first, as the others may match, too
		return err // perhaps invited: look again in a minute
	case errors.Is(err, clerk.ErrDuplicateInvitation), errors.Is(err, clerk.ErrUserExists):
		return nil // nothing to do
	case err != nil:
		return err
	}
	fmt.Println("invited until", inv.ExpiresAt)
	return nil
}

func TestReadmeCodeSendsNothingAfterItsContextEnded(t *testing.T) {
	t.Setenv("CLERK_SECRET_KEY", testKey)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is to reach Clerk
	require.ErrorIs(t, inviteAda(ctx), clerk.ErrNotSent)
}

// setUp creates the client of a service, which all of its handlers share. An empty baseURL
// means Clerk; that of fakeclerk is for tests.
func setUp(ctx context.Context, secretKey, baseURL string) (*clerk.Client, error) {
	client, err := clerk.NewClient(secretKey,
		clerk.WithBaseURL(cmp.Or(baseURL, clerk.DefaultBaseURL)),
		clerk.WithAppName("people/2.1"),  // in the User-Agent header
		clerk.WithLogger(slog.Default()), // warns of failed attempts and of outages
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = client.Invitations.List(ctx, clerk.ListInvitationsRequest{Limit: 1})
	if errors.Is(err, clerk.ErrUnauthorized) {
		return nil, err
	}
	return client, nil // after any other error, too: Clerk may be down
}

func TestSetUpChecksTheKey(t *testing.T) {
	fake := clerktest.New()
	baseURL, stop := fake.Serve()
	defer stop()
	_, err := setUp(t.Context(), "sk_test_wrong", baseURL)
	require.ErrorIs(t, err, clerk.ErrUnauthorized)
	client, err := setUp(t.Context(), fake.SecretKey(), baseURL)
	require.NoError(t, err)
	require.NoError(t, (&Service{Clerk: client}).Invite(t.Context(), "ada@example.com"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is to reach Clerk
	_, err = setUp(ctx, testKey, "")
	require.NoError(t, err)
}

func inviteOne(ctx context.Context, client *clerk.Client, address string) error {
	inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
		EmailAddress:   address,
		PublicMetadata: map[string]any{"role": "admin"}, // the user's metadata after sign-up
		RedirectURL:    "https://app.example.com/welcome",
		ExpiresInDays:  7,
	})
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown): // first, as the others may match, too
		return err // perhaps invited: look again in a minute
	case errors.Is(err, clerk.ErrDuplicateInvitation):
		fmt.Println("invited already")
	case errors.Is(err, clerk.ErrUserExists):
		fmt.Println("is a user already")
	case err != nil:
		return err
	default:
		fmt.Println("invited", inv.ID)
	}
	return nil
}

func Example_inviteOne() {
	client, fake := exampleClient()
	fake.AddUser("grace@example.com")
	for _, address := range []string{"ada@example.com", "ada@example.com", "grace@example.com"} {
		if err := inviteOne(context.Background(), client, address); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// invited inv_000000000000000000000000001
	// invited already
	// is a user already
}

func inviteMany(ctx context.Context, client *clerk.Client, requests []clerk.CreateInvitationRequest) error {
	for result, err := range client.Invitations.CreateAll(ctx, slices.Values(requests)) {
		if err != nil {
			return err // the run ended early: call CreateAll again to resume it
		}
		switch result.Outcome {
		case clerk.OutcomeCreated:
			fmt.Println(result.Index, "invited", result.Invitation.ID)
		case clerk.OutcomeRejected, clerk.OutcomeUnknown:
			fmt.Println(result.Index, result.Outcome, result.Err)
		default: // already invited, a user, or repeated: nothing to do
		}
	}
	return nil
}

func Example_inviteMany() {
	client, _ := exampleClient()
	err := inviteMany(context.Background(), client, []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com"},
		{EmailAddress: "nobody"},
		{EmailAddress: "ADA@example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 rejected clerk: CreateInvitation: email_address has no @
	// 0 invited inv_000000000000000000000000001
}

func resend(ctx context.Context, client *clerk.Client, address string) error {
	old, err := client.Invitations.FindPending(ctx, address)
	if err != nil {
		return err // ErrNotFound: there is nothing to resend
	}
	again := clerk.CreateInvitationRequest{RedirectURL: "https://app.example.com/welcome", ExpiresInDays: 7} // as before
	_, err = client.Invitations.Resend(ctx, old.ID, again)
	if errors.Is(err, clerk.ErrOldNotRevoked) { // the new invitation exists
		_, err = client.Invitations.Revoke(ctx, old.ID)
	}
	return err
}

func Example_resend() {
	client, fake := exampleClient()
	ctx := context.Background()
	if _, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}); err != nil {
		log.Fatal(err)
	}
	fake.Respond(clerk.OperationRevoke, clerktest.Response{Status: http.StatusForbidden})
	if err := resend(ctx, client, "ada@example.com"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(fake.Sent()), "emails")
	for _, inv := range fake.Invitations() {
		fmt.Println(inv.Status)
	}
	// Output:
	// 2 emails
	// revoked
	// pending
}

func revokeThoseThatExpireBefore(ctx context.Context, client *clerk.Client, limit time.Time) error {
	var ids []string
	for inv, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{Status: clerk.InvitationStatusPending}) {
		if err != nil {
			return err
		}
		if inv.ExpiresAt.Time().Before(limit) {
			ids = append(ids, inv.ID)
		}
	}
	for _, id := range ids { // after the loop: revoking in it would shift the pages
		if _, err := client.Invitations.Revoke(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func Example_revokeAll() {
	client, fake := exampleClient()
	ctx := context.Background()
	for _, days := range []int{1, 7} {
		req := clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("guest%d@example.com", days), ExpiresInDays: days}
		if _, err := client.Invitations.Create(ctx, req); err != nil {
			log.Fatal(err)
		}
	}
	if err := revokeThoseThatExpireBefore(ctx, client, time.Now().Add(48*time.Hour)); err != nil {
		log.Fatal(err)
	}
	for _, inv := range fake.Invitations() {
		fmt.Println(inv.EmailAddress, inv.Status)
	}
	// Output:
	// guest1@example.com revoked
	// guest7@example.com pending
}

func erase(ctx context.Context, client *clerk.Client, address string) error {
	return client.Invitations.Erase(ctx, address)
}

func TestEraseOfRecipes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, "ada@example.com")
		require.NoError(t, erase(t.Context(), l.client, "ada@example.com"))
		require.Empty(t, l.fake.Invitations())
	})
}

// invited reports whether address has a pending invitation, after a Create or Resend
// has failed with ErrOutcomeUnknown.
func invited(ctx context.Context, client *clerk.Client, address string) (bool, error) {
	_, err := client.Invitations.FindPending(ctx, address)
	if errors.Is(err, clerk.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func Example_unknownOutcome() {
	client, fake := exampleClient()
	ctx := context.Background()
	// Clerk creates the invitation, and the response is lost. RetryNone looks nothing up.
	fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	once := clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})
	_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}, once)
	if errors.Is(err, clerk.ErrOutcomeUnknown) {
		fmt.Println(invited(ctx, client, "ada@example.com"))
	}
	// Output: true <nil>
}

// spans is an http.RoundTripper that prints a span for each request. Its name has
// neither an address nor an id, unlike the request's URL.
type spans struct{ next http.RoundTripper }

func (s spans) RoundTrip(req *http.Request) (*http.Response, error) {
	info, _ := clerk.RequestInfoFromContext(req.Context())
	resp, err := s.next.RoundTrip(req)
	if err == nil {
		fmt.Println(info.Operation, info.Route, "attempt", info.Attempt, "status", resp.StatusCode)
	}
	return resp, err
}

func Example_trace() {
	fake := clerktest.New()
	client, err := clerk.NewClient(fake.SecretKey(),
		clerk.WithHTTPClient(&http.Client{Transport: spans{next: fake}}))
	if err != nil {
		log.Fatal(err)
	}
	fake.Fail(clerk.OperationList, clerktest.FaultErrorBefore)
	_, err = client.Invitations.FindPending(context.Background(), "ada@example.com")
	fmt.Println(errors.Is(err, clerk.ErrNotFound))
	// Output:
	// ListInvitations GET /invitations attempt 1 status 500
	// ListInvitations GET /invitations attempt 2 status 200
	// true
}

func Example_rotateKeys() {
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_rotated"))
	// A cache of the key store, which another goroutine refreshes.
	var current atomic.Pointer[string]
	current.Store(new("sk_test_rotated"))

	keys := clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
		return *current.Load(), nil
	})
	client, err := clerk.NewClient("", keys, clerk.WithHTTPClient(&http.Client{Transport: fake}))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{})
	fmt.Println(err)

	current.Store(new("sk_test_wrong"))
	_, err = client.Invitations.List(context.Background(), clerk.ListInvitationsRequest{})
	fmt.Println(errors.Is(err, clerk.ErrUnauthorized))
	// Output:
	// <nil>
	// true
}

// A Service is the service that docs/testing.md tests.
type Service struct{ Clerk *clerk.Client }

func (s *Service) Invite(ctx context.Context, address string) error {
	return inviteOne(ctx, s.Clerk, address)
}

func TestInvite(t *testing.T) {
	client, fake := clerktest.NewClient(t)
	service := &Service{Clerk: client} // yours; its Invite calls Create

	// Clerk creates the invitation, and the response is lost.
	fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	require.NoError(t, service.Invite(t.Context(), "ada@example.com"))
	require.Len(t, fake.Sent(), 1)
}

func TestInviteWithUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := clerktest.NewClient(t)
		service := &Service{Clerk: client}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()

		fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		fake.SetFaults(clerktest.FaultMix{ // all lookups fail
			Share:      1,
			Faults:     []clerktest.Fault{clerktest.FaultErrorBefore},
			Operations: []clerk.Operation{clerk.OperationList},
		})
		require.ErrorIs(t, service.Invite(ctx, "ada@example.com"), clerk.ErrOutcomeUnknown)
	})
}

func TestInviteWithUnknownOutcomeAtOnce(t *testing.T) {
	noRetries := clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})
	client, fake := clerktest.NewClient(t, clerktest.WithClientOptions(noRetries))
	fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	require.ErrorIs(t, (&Service{Clerk: client}).Invite(t.Context(), "ada@example.com"), clerk.ErrOutcomeUnknown)
}

// The create is lost, its retry is refused, and then no list answers: somebody may be
// invited, although the error matches ErrUserExists, too.
func TestRecipesCheckForAnUnknownOutcomeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := clerktest.NewClient(t, clerktest.WithFaults(clerktest.FaultMix{
			Share: 1, Faults: []clerktest.Fault{clerktest.FaultErrorBefore}, Operations: []clerk.Operation{clerk.OperationList},
		}))
		fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
		for range 2 { // the lists of the first lookup: pending invitations, and revoked ones
			fake.Respond(clerk.OperationList, clerktest.Response{Status: http.StatusOK, Body: `{"data": [], "total_count": 0}`})
		}
		fake.Respond(clerk.OperationCreate, clerktest.Response{Code: clerk.CodeFormIdentifierExists})
		err := (&Service{Clerk: client}).Invite(t.Context(), "ada@example.com")
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.ErrorIs(t, err, clerk.ErrUserExists)
	})
}

func TestFakeclerkIsReachedByOption(t *testing.T) {
	client, err := clerk.NewClient("sk_test_clerktest", clerk.WithBaseURL("http://127.0.0.1:8080/v1"))
	require.NoError(t, err)
	require.NotNil(t, client)
	require.Equal(t, "sk_test_clerktest", clerktest.SecretKey)
}

// Whatever Clerk does where its documentation is silent, Ada gets one email.
func TestInviteUnderEachBehavior(t *testing.T) {
	for name, behavior := range clerktest.Behaviors() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, fake := clerktest.NewClient(t, clerktest.WithBehavior(behavior))
				service := &Service{Clerk: client}
				fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
				err := service.Invite(t.Context(), "ada@example.com")
				require.True(t, err == nil || errors.Is(err, clerk.ErrOutcomeUnknown), err)
				require.Len(t, fake.Sent(), 1)
			})
		})
	}
}

func TestInviteThousandPeople(t *testing.T) {
	// guests is yours: it returns an iter.Seq of requests.
	people := guests(1000)
	synctest.Test(t, func(t *testing.T) { // hours take no time
		client, _ := clerktest.NewClient(t, clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
		start := time.Now()
		for _, err := range client.Invitations.CreateAll(t.Context(), people) {
			require.NoError(t, err)
		}
		require.Less(t, time.Since(start), 3*time.Hour)
	})
}

func TestInviteWhileListsLag(t *testing.T) {
	client, fake := clerktest.NewClient(t, clerktest.WithBehavior(clerktest.Behavior{
		ListLag: time.Second,               // lists show a change after a second
		Bulks:   clerktest.BulksUntilFirst, // a refused bulk creates what precedes the refused row
	}))
	require.NoError(t, (&Service{Clerk: client}).Invite(t.Context(), "ada@example.com"))
	require.Len(t, fake.Invitations(), 1)
	_, err := client.Invitations.FindPending(t.Context(), "ada@example.com")
	require.ErrorIs(t, err, clerk.ErrNotFound)
}

func TestServer(t *testing.T) {
	fake := clerktest.New()
	server := httptest.NewServer(fakeserver.Handler(fake))
	defer server.Close()
	fake.SetLinkBase(server.URL)

	resp, err := http.Get(server.URL + "/_fake/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
