package clerkriver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestHigherLimitsCountAtOnce: a process with higher limits follows one that has used up its own.
func TestHigherLimitsCountAtOnce(t *testing.T) {
	t.Parallel()
	db, fake := shared.database(t), clerktest.New()
	creates := func(n int) Config {
		budget := clerk.Budget{Creates: n, Window: time.Hour}
		return Config{Sync: -1, Limits: budget, Budget: budget}
	}
	before := newApp(t, db, creates(2), fake)
	before.enqueue(t, "spring", guests(9))
	before.work(t)
	require.Equal(t, map[State]int{StateCreated: 2, StateWaiting: 7}, before.counts(t, "spring"))

	after := newApp(t, db, creates(5), fake)
	_, err := after.InstanceStatus(t.Context())
	require.NoError(t, err)
	var slots int
	require.NoError(t, after.pool.QueryRow(t.Context(), "SELECT count(*) FROM clerkriver_slots").Scan(&slots))
	require.Equal(t, 2, slots, "a status only reads")
	after.work(t)
	require.Equal(t, map[State]int{StateCreated: 5, StateWaiting: 4}, after.counts(t, "spring"))
}
