package onboarding

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func newService(t *testing.T, fake *clerktest.Fake) *Service {
	t.Helper()
	client, err := fake.Client()
	if err != nil {
		t.Fatal(err)
	}
	return &Service{Clerk: client}
}

func TestInviteTwice(t *testing.T) {
	fake := clerktest.New()
	service := newService(t, fake)
	for _, want := range []bool{true, false} {
		isNew, err := service.Invite(t.Context(), "ada@example.com")
		if err != nil || isNew != want {
			t.Fatalf("Invite = %v, %v; want %v", isNew, err, want)
		}
	}
	if n := len(fake.Invitations()); n != 1 {
		t.Errorf("%d invitations were made, want 1", n)
	}
}

func TestInviteUser(t *testing.T) {
	fake := clerktest.New()
	fake.AddUser("ada@example.com")
	isNew, err := newService(t, fake).Invite(t.Context(), "ada@example.com")
	if err != nil || isNew {
		t.Errorf("Invite = %v, %v; want false", isNew, err)
	}
}

// In a synctest bubble an hour takes no time.
func TestInviteAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
			Creates: clerktest.Limit{Requests: 1, Per: time.Hour},
		}))
		service := newService(t, fake)
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
