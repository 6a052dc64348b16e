package clerktest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRequestTextTellsRequestsApartWithoutAddresses(t *testing.T) {
	fake := clerktest.New()
	fake.Fail(clerk.OperationRevoke, clerktest.FaultErrorAfter)
	inv := invite(t, fake, "ada@example.com")
	send(t, fake, "POST", "/v1/invitations/"+inv.ID+"/revoke", "")
	send(t, fake, "GET", "/v1/invitations?query=ada@example.com", "")
	require.Equal(t, "[clerktest.Request{#1 POST /v1/invitations 200} "+
		"clerktest.Request{#2 POST /v1/invitations/inv_000000000000000000000000001/revoke 500 internal_clerk_error fault=\"error after\"} "+
		"clerktest.Request{#3 GET /v1/invitations 200}]", fmt.Sprintf("%+v", fake.Requests()))
	require.NotContains(t, fmt.Sprintf("%+v %#v %v", fake.Sent(), fake.Sent(), fake.State(clerktest.Filter{Limit: 9})), "ada@")
	fake.AddUser("ada@example.com")
	require.NotContains(t, fmt.Sprintf("%+v %#v", fake.Users(), fake.Users()[0]), "ada@")
}
