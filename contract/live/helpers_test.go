package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

const testRun = "0a1b2c3d4e5f"

// newFake returns a fake with invitations and a user that do not belong to the run.
func newFake(t *testing.T, others int, opts ...clerktest.Option) *clerktest.Fake {
	t.Helper()
	fake := clerktest.New(opts...)
	client, err := fake.Client()
	require.NoError(t, err)
	for i := range others {
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("other%d@example.com", i)})
		require.NoError(t, err)
	}
	fake.SetRateLimits(clerktest.DevelopmentRateLimits())
	return fake
}

// runAgainst runs the questions against a transport, and cleans up.
func runAgainst(ctx context.Context, transport http.RoundTripper) (*run, error) {
	r := newRun(newClient(transport, "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Now())
	return r, r.cleanAfter(ctx, r.ask)
}

// flips returns the answers that differ from the assumptions.
func flips(r *run) []string {
	seen := []string{}
	for _, q := range questions {
		switch a := r.answers[q.key]; {
		case a.other != "":
			seen = append(seen, q.key+": "+a.other)
		case a.flip != "":
			seen = append(seen, a.flip)
		}
	}
	return seen
}

// left returns the run's invitations in a fake.
func left(fake *clerktest.Fake) []string {
	var found []string
	for _, inv := range fake.Invitations() {
		if !strings.HasPrefix(inv.EmailAddress, "other") {
			found = append(found, fmt.Sprint(inv.EmailAddress, " ", inv.Status))
		}
	}
	return found
}

// A transport is a function that implements [http.RoundTripper].
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// inBubble runs a test in a bubble, whose time moves when all goroutines wait.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}
