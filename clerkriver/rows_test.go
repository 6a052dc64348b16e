package clerkriver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRunnerThatDiedIsReplaced(t *testing.T) {
	t.Parallel()
	for _, resend := range []bool{false, true} {
		fake := clerktest.New()
		a := newApp(t, shared.database(t), Config{}, fake)
		a.enqueue(t, "spring", func(yield func(Row) bool) {
			for row := range guests(25) {
				row.Request.IgnoreExisting = resend
				if !yield(row) {
					return
				}
			}
		})
		interrupted(t, a)
		due := a.work(t)
		require.WithinDuration(t, time.Now().Add(a.timing.lease), due, time.Second, "the lease is held")
		require.Len(t, fake.Invitations(), 1)
		require.Equal(t, map[State]int{StateSending: 10, StateWaiting: 15}, a.counts(t, "spring"))
		expire(t, a)
		require.Zero(t, a.work(t))
		require.Equal(t, map[State]int{StateCreated: 25}, a.counts(t, "spring"), "resend %v", resend)
		require.Len(t, fake.Invitations(), 25)
		ids := map[string]bool{}
		for _, result := range a.all(t, "spring") {
			ids[result.InvitationID] = true
		}
		require.Len(t, ids, 25)
	}
}
