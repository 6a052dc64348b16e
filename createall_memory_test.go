package clerk_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestCreateAllMemoryPerAddress measures what a run keeps for each address.
func TestCreateAllMemoryPerAddress(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // what has a finalizer is freed by the second
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	var created atomic.Int64
	endless := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		var b strings.Builder
		for range clerk.MaxBulkInvitations {
			fmt.Fprintf(&b, `,{"id":"inv_%d","email_address":"x@example.com"}`, created.Add(1))
		}
		return reply(200, "["+b.String()[1:]+"]")(req)
	})
	client := newClient(t, endless)
	const n = 100_000
	taken := 0
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for req := range guests(n) {
			taken++
			if !yield(req) {
				return
			}
		}
	}
	start, most := heap(), int64(0)
	for result, err := range client.Invitations.CreateAll(t.Context(), requests,
		clerk.WithBudget(clerk.Budget{BulkCreates: n}), clerk.WithSkipNone()) {
		require.NoError(t, err)
		if result.Index%(n/10) == n/10-1 {
			most = max(most, heap()-start)
		}
	}
	require.Equal(t, n, taken)
	t.Log(most/n, "bytes an address")
	require.Less(t, most, int64(96*n))
	require.Greater(t, most, int64(16*n), "or it has not measured")
}
