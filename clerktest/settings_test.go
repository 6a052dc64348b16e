package clerktest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestSetBehavior(t *testing.T) {
	limits := clerktest.RateLimits{Creates: clerktest.Limit{Requests: 2, Per: time.Hour}}
	fake := clerktest.New(clerktest.WithRateLimits(limits))
	require.NoError(t, fake.AddUser("Ada@example.com"))
	_, body := send(t, fake, "POST", "/v1/invitations", `{"email_address":"ada@example.com"}`)
	require.Contains(t, body, "form_identifier_exists")

	fake.SetBehavior(clerktest.Behavior{CaseSensitiveAddresses: true, ListLag: time.Hour})
	resp, _ := send(t, fake, "POST", "/v1/invitations", `{"email_address":"ada@example.com"}`)
	require.Equal(t, 200, resp.StatusCode)
	_, body = send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, "[]", body)
	_, body = send(t, fake, "POST", "/v1/invitations", `{"email_address":"Ada@example.com"}`)
	require.Contains(t, body, "too_many_requests", "the limits stay")
	require.True(t, fake.RemoveUser("Ada@example.com"))

	fake.SetBehavior(clerktest.Behavior{})
	require.Equal(t, clerktest.Behavior{}, fake.State(clerktest.Filter{}).Behavior)
	require.Panics(t, func() { fake.SetBehavior(clerktest.Behavior{ListLag: -1}) })
}
