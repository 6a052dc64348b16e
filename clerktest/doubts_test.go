package clerktest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRequestsTellWhatClerkMayNotRead(t *testing.T) {
	for call, want := range map[string][]string{
		"GET /v1/invitations?paginated=true&limit=5&offset=0&order_by=-created_at&query=a&status=pending&status=revoked": nil,
		"GET /v1/invitations?paginated=x":                           {"paginated is neither true nor false"},
		"GET /v1/invitations?paginated=":                            {"paginated is neither true nor false"},
		"GET /v1/invitations?limit=%2B5":                            {"limit is not written in digits"},
		"GET /v1/invitations?offset=-0":                             {"offset is not written in digits"},
		"GET /v1/invitations?limit=5;offset=1":                      {"the query has a semicolon, and what it separates is ignored"},
		"GET /v1/invitations?query=%zz":                             {"the query is not encoded correctly, and a part of it is ignored"},
		"GET /v1/invitations?email_address=ada@example.com":         {"the parameter email_address is unknown and ignored"},
		"GET /v1/invitations?limit=1&limit=2":                       {"limit is given more than once, and only the first value is read"},
		"GET /v1/invitations?Status=pending&status=pending&limit=x": {"the parameter Status is unknown and ignored", "limit is not written in digits"},
		"DELETE /v1/invitations/inv_1?force=true":                   {"the parameter force is unknown and ignored"},
		"GET /v1/users?limit=x":                                     nil,
	} {
		fake := clerktest.New()
		method, url, _ := strings.Cut(call, " ")
		send(t, fake, method, url, "")
		require.Equal(t, want, fake.Requests()[0].Doubts, call)
	}
}
