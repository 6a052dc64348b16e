package clerktest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRequestLogIsBounded(t *testing.T) {
	fake := clerktest.New(clerktest.WithRequestLog(3))
	numbers := func() (all []int) {
		for _, req := range fake.Requests() {
			all = append(all, req.Number)
		}
		return all
	}
	for i, want := range [][]int{{1}, {1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {4, 5, 6}, {5, 6, 7}} {
		send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, want, numbers(), i)
	}
	none := clerktest.New(clerktest.WithRequestLog(0))
	send(t, none, "GET", "/v1/invitations", "")
	require.Empty(t, none.Requests())
}
