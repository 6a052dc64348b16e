package clerk_test

import (
	"cmp"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the second run frees what has a finalizer
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestCreateAllMemoryPerAddress measures how much memory a run keeps for each address.
func TestCreateAllMemoryPerAddress(t *testing.T) {
	var created atomic.Int64
	endless := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		var b strings.Builder
		for range clerk.MaxBulkInvitations {
			fmt.Fprintf(&b, `,{"id":"inv_%d","email_address":"x@example.com"}`, created.Add(1))
		}
		return reply(200, "["+b.String()[1:]+"]")(req)
	})
	client := newClient(t, endless)
	n := soakSize(25_000, 25_000, 100_000)
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
	t.Log(most/int64(n), "bytes an address")
	require.Less(t, most, int64(96*n))
	require.Greater(t, most, int64(16*n), "or it has not measured")
}

// TestCreateAllMemoryOfExisting lists many existing invitations, whose ids are as long as
// Clerk's.
func TestCreateAllMemoryOfExisting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in real time, the limit of lists would make it wait
		n := soakSize(25_000, 25_000, 100_000)
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			offset, err := strconv.Atoi(cmp.Or(req.URL.Query().Get("offset"), "0"))
			if err != nil {
				return nil, err
			}
			var b strings.Builder
			for i := offset; i < min(n, offset+clerk.MaxListLimit); i++ {
				fmt.Fprintf(&b, `,{"id":"inv_%027d","email_address":%q,"status":"pending","created_at":1}`, i, guest(i))
			}
			return reply(200, fmt.Sprintf(`{"data":[%s],"total_count":%d}`, strings.TrimPrefix(b.String(), ","), n))(req)
		}))
		start, most, count := heap(), int64(0), 0
		for result, err := range client.Invitations.CreateAll(t.Context(), guests(n)) {
			require.NoError(t, err)
			require.Equal(t, clerk.OutcomeAlreadyInvited, result.Outcome)
			require.Equal(t, fmt.Sprintf("inv_%027d", result.Index), result.Existing.ID)
			if count++; count%(n/4) == 0 {
				most = max(most, heap()-start)
			}
		}
		require.Equal(t, n, count)
		t.Log(most/int64(n), "bytes an address")
		require.LessOrEqual(t, most, int64(96*n))
		require.Greater(t, most, int64(16*n), "or it has not measured")
	})
}
