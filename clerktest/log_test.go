package clerktest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
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

func TestRequestLogIsBoundedInBytes(t *testing.T) {
	fake := clerktest.New()
	body := `{"email_address":"nobody","x":"` + strings.Repeat("x", 900_000) + `"}`
	const requests = 60
	for range requests {
		send(t, fake, "POST", "/v1/invitations", body)
	}
	kept, size := fake.Requests(), 0
	for _, req := range kept {
		size += len(req.Body)
	}
	require.Greater(t, len(kept), 20)
	require.Less(t, size, 32<<20)
	require.Equal(t, requests, kept[len(kept)-1].Number)
	_, ok := fake.Request(1)
	require.False(t, ok)
	oldest, ok := fake.Request(kept[0].Number)
	require.True(t, ok)
	require.Equal(t, kept[0].Number, oldest.Number)
}

func TestRequestLogKeepsTheNewestResponses(t *testing.T) {
	fake := clerktest.New()
	fake.Respond(clerk.OperationList, clerktest.Response{Status: 200, Body: strings.Repeat("x", 1<<20)})
	for range 102 {
		send(t, fake, "GET", "/v1/invitations", "")
	}
	log := fake.Requests()
	require.Nil(t, log[0].ResponseBody)
	require.Nil(t, log[0].ResponseHeader)
	require.Equal(t, "[]", string(log[101].ResponseBody))
	require.Equal(t, "application/json", log[101].ResponseHeader.Get("Content-Type"))
	fake.Reset()
	fake.Respond(clerk.OperationList, clerktest.Response{Status: 200, Body: strings.Repeat("x", 1<<20)})
	send(t, fake, "GET", "/v1/invitations", "")
	require.Len(t, fake.Requests()[0].ResponseBody, 64<<10)
	fake.Fail(clerk.OperationList, clerktest.FaultDropAfter)
	client, err := fake.Client()
	require.NoError(t, err)
	_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{}, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.Error(t, err)
	require.Nil(t, fake.Requests()[1].ResponseHeader, "the connection broke before it")
}
