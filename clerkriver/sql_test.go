package clerkriver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestNoPreparedStatementIsNeeded: pgbouncer's transaction mode may not keep prepared
// statements. River's client needs the types of parameters, so it is left out of the modes
// that guess them.
func TestNoPreparedStatementIsNeeded(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_describe", "exec", "simple_protocol"} {
		a := newApp(t, shared.database(t)+"?default_query_exec_mode="+mode, Config{}, clerktest.New())
		if mode != "cache_describe" {
			a.river = nil
		}
		a.enqueue(t, "spring", guests(25))
		interrupted(t, a)
		expire(t, a)
		require.Zero(t, a.work(t), mode)
		require.Equal(t, map[State]int{StateCreated: 25}, a.counts(t, "spring"), mode)
		_, err := a.InstanceStatus(t.Context())
		require.NoError(t, err, mode)
		a.enqueue(t, "summer", to("a@example.com"))
		require.NoError(t, a.PauseCampaign(t.Context(), "summer", "wait"), mode)
		require.NoError(t, a.ResumeCampaign(t.Context(), nil, "summer"), mode)
		require.NoError(t, a.Reschedule(t.Context(), nil, "summer", EnqueueOpts{NotBefore: time.Now().Add(time.Hour)}), mode)
		cancel(t, a, "summer")
		require.Len(t, a.all(t, "spring"), 25, mode)
		require.NoError(t, a.Delete(t.Context(), "summer"), mode)
	}
}
