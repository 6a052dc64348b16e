package clerkriver

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestRequestsAreSentAsEnqueued, including numbers that a float64 cannot hold, and NUL.
func TestRequestsAreSentAsEnqueued(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", slices.Values([]Row{{Request: clerk.CreateInvitationRequest{
		EmailAddress: "a@example.com", PublicMetadata: map[string]any{"id": int64(9007199254740993), "name": "a\x00b"},
		Notify: new(false), ExpiresInDays: 7, RedirectURL: "https://example.com/welcome",
	}}}))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "spring"))
	requests := fake.Requests()
	require.Contains(t, string(requests[len(requests)-1].Body), `"public_metadata":{"id":9007199254740993,"name":"a\u0000b"}`)
	require.Contains(t, string(requests[len(requests)-1].Body), `"expires_in_days":7`)
}

// TestLostMetadataIsAProblem: the invitations exist without their metadata, and the run sends
// the others singly.
func TestLostMetadataIsAProblem(t *testing.T) {
	t.Parallel()
	fake := clerktest.New(clerktest.WithBehavior(clerktest.Behavior{BulkMetadata: clerktest.BulkMetadataLost}))
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", func(yield func(Row) bool) {
		for row := range guests(25) {
			row.Request.PublicMetadata = map[string]any{"team": "research"}
			if !yield(row) {
				return
			}
		}
	})
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 25}, a.counts(t, "spring"))
	for _, result := range a.all(t, "spring") {
		require.Equal(t, result.Place < 10, result.Problem != "", "%+v", result)
	}
	require.Contains(t, a.all(t, "spring")[0].Problem, "without the metadata that was sent")
	require.Equal(t, 1, sent(fake, clerk.OperationBulkCreate))
	require.Equal(t, 15, sent(fake, clerk.OperationCreate))
}
