package onboarding

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// newService returns a service whose client uses a fake instance of Clerk. The test
// fails at its end if it sets faults that no request meets.
func newService(t *testing.T, opts ...clerktest.Option) (*Service, *clerktest.Fake) {
	t.Helper()
	client, fake := clerktest.NewClient(t, opts...)
	return &Service{Clerk: client}, fake
}

func TestInviteTwice(t *testing.T) {
	service, fake := newService(t)
	for _, want := range []bool{true, false} {
		isNew, err := service.Invite(t.Context(), "ada@example.com")
		if err != nil || isNew != want {
			t.Fatalf("Invite = %v, %v; want %v", isNew, err, want)
		}
	}
	if n := len(fake.Sent()); n != 1 {
		t.Errorf("%d emails were sent, want 1", n)
	}
}

func TestInviteUser(t *testing.T) {
	service, fake := newService(t)
	fake.AddUser("ada@example.com")
	isNew, err := service.Invite(t.Context(), "ada@example.com")
	if err != nil || isNew {
		t.Errorf("Invite = %v, %v; want false", isNew, err)
	}
}

// The invitee follows the link in the email and signs up.
func TestInviteAndSignUp(t *testing.T) {
	service, fake := newService(t)
	if _, err := service.Invite(t.Context(), "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(fake.Sent()[0].Link)
	if err != nil {
		t.Fatal(err)
	}
	user, err := fake.SignUp(link.Query().Get("ticket"))
	if err != nil || user.EmailAddress != "ada@example.com" {
		t.Fatalf("SignUp = %v, %v; want ada@example.com", user, err)
	}
	if isNew, err := service.Invite(t.Context(), "ada@example.com"); err != nil || isNew {
		t.Errorf("Invite = %v, %v; want false", isNew, err)
	}
}

// Clerk performs the request, and the connection breaks before the response.
func TestInviteWhenTheResponseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, fake := newService(t)
		fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		if isNew, err := service.Invite(t.Context(), "ada@example.com"); err != nil || !isNew {
			t.Errorf("Invite = %v, %v; want true", isNew, err)
		}
		if n := len(fake.Invitations()); n != 1 {
			t.Errorf("%d invitations exist, want 1", n)
		}
	})
}

// The connection breaks, and every lookup of the request's outcome fails. That takes most of
// the deadline, but no real time in a synctest bubble.
func TestInviteWithUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, fake := newService(t, clerktest.WithFaults(clerktest.FaultMix{
			Share:      1,
			Faults:     []clerktest.Fault{clerktest.FaultErrorBefore},
			Operations: []clerk.Operation{clerk.OperationList},
		}))
		fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := service.Invite(ctx, "ada@example.com"); !errors.Is(err, clerk.ErrOutcomeUnknown) {
			t.Errorf("err = %v, want an unknown outcome", err)
		}
	})
}

func TestInviteBeyondTheQuota(t *testing.T) {
	service, fake := newService(t)
	fake.Respond(clerk.OperationCreate, clerktest.Response{Code: clerk.CodeQuotaExceeded})
	_, err := service.Invite(t.Context(), "ada@example.com")
	refused, ok := errors.AsType[*clerk.ClerkErrors](err)
	if !ok || refused.Errors[0].Code != clerk.CodeQuotaExceeded {
		t.Errorf("err = %v, want quota_exceeded", err)
	}
}

// In a synctest bubble, an hour takes no real time.
func TestInviteAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, _ := newService(t, clerktest.WithRateLimits(clerktest.RateLimits{
			Creates: clerktest.Limit{Requests: 1, Per: time.Hour},
		}))
		if _, err := service.Invite(t.Context(), "ada@example.com"); err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := service.Invite(ctx, "grace@example.com")
		limited, ok := errors.AsType[*clerk.SDKError](err)
		if !ok || !errors.Is(err, clerk.ErrRateLimited) {
			t.Fatalf("err = %v, want a rate limit", err)
		}

		time.Sleep(limited.RetryAfter)
		if isNew, err := service.Invite(t.Context(), "grace@example.com"); err != nil || !isNew {
			t.Errorf("Invite = %v, %v; want true", isNew, err)
		}
	})
}
