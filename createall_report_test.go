package clerk_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestCreateAllReportsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		start := time.Now()
		const n = 1000
		var seen []clerk.Progress
		end := start.Add(2 * time.Hour)
		results, err := createAll(t, l.client, guests(n), clerk.WithProgress(func(p clerk.Progress) {
			seen = append(seen, p)
			if p.Taken > 0 {
				require.Equal(t, end, p.EstimateEnd(n), p)
			}
		}))
		require.NoError(t, err)
		require.Len(t, results, n)
		last := seen[len(seen)-1]
		require.Equal(t, []int{n, n, n, 0, 0, 0}, []int{last.Taken, last.Done(), last.Created, last.AlreadyInvited, last.UserExists, last.Rejected})
		var waits []clerk.Progress
		for _, p := range seen {
			if !p.WaitUntil.IsZero() {
				waits = append(waits, p)
			}
		}
		require.Len(t, waits, 2)
		for i, p := range waits {
			require.Equal(t, start.Add(time.Duration(i+1)*time.Hour), p.WaitUntil)
			require.Equal(t, clerk.OperationBulkCreate, p.WaitFor)
			require.Equal(t, 340*(i+1), p.Created)
			require.NoError(t, p.Cause)
		}
		require.Contains(t, fmt.Sprint(waits[0]), "created=340 already_invited=0 user_exists=0 rejected=0 repeated=0 unknown=0 wait_until=2000-01-01T01:00:00Z wait_for=CreateBulkInvitations")

		var waiting clerk.Progress
		_, err = createAll(t, l.client, guests(30), clerk.WithSkipSince(time.Now().Add(time.Hour)), clerk.WithBudget(clerk.Budget{Creates: 20}),
			clerk.WithProgress(func(p clerk.Progress) {
				if !p.WaitUntil.IsZero() {
					waiting = p
				}
			}))
		require.NoError(t, err)
		require.Equal(t, clerk.OperationCreate, waiting.WaitFor)

		// A second run lists the existing invitations.
		l.fake.AddUser("user@example.com")
		requests := append(slices.Collect(guests(700)), clerk.CreateInvitationRequest{EmailAddress: "user@example.com"}, clerk.CreateInvitationRequest{})
		seen = nil
		_, err = createAll(t, l.client, slices.Values(requests), clerk.WithProgress(func(p clerk.Progress) { seen = append(seen, p) }))
		require.NoError(t, err)
		require.Equal(t, 500, seen[0].Listed)
		require.Zero(t, seen[0].Taken)
		last = seen[len(seen)-1]
		require.Equal(t, []int{1000, 702, 0, 700, 1, 1}, []int{last.Listed, last.Taken, last.Created, last.AlreadyInvited, last.UserExists, last.Rejected})
	})
}

// TestWithProgressCallsEachReport: a package that wraps this one may add its own report.
func TestWithProgressCallsEachReport(t *testing.T) {
	calls := [2]int{}
	_, err := createAll(t, newLife(t).client, guests(10), clerk.WithProgress(func(clerk.Progress) { calls[0]++ }),
		clerk.WithProgress(func(clerk.Progress) { calls[1]++ }))
	require.NoError(t, err)
	require.Equal(t, [2]int{10, 10}, calls)
}

// TestEstimateEndIsSteady: the requests of a window take a while, so those of the next one
// become available one by one.
func TestEstimateEndIsSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false, clerktest.WithLatency(200*time.Millisecond))
		start := time.Now()
		const n = 1000
		results, err := createAll(t, l.client, guests(n), clerk.WithProgress(func(p clerk.Progress) {
			if p.Taken > 0 {
				require.WithinDuration(t, start.Add(2*time.Hour), p.EstimateEnd(n), time.Minute, p)
			}
		}))
		require.NoError(t, err)
		require.Len(t, results, n)
	})
}

// TestEstimateEndAgreesWithTheWaitForOthers: others used up the limits a while ago.
func TestEstimateEndAgreesWithTheWaitForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		for i := range 100 {
			_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("other%d@example.com", i)})
			require.NoError(t, err)
		}
		for i := range 25 {
			_, err := l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: fmt.Sprintf("bulk%d@example.com", i)}})
			require.NoError(t, err)
		}
		time.Sleep(50 * time.Minute)
		const n = 15
		var last clerk.Progress
		_, err := createAll(t, l.client, guests(n), clerk.WithProgress(func(p clerk.Progress) {
			if last = p; !p.WaitUntil.IsZero() && p.WaitFor != "" {
				require.Equal(t, p.WaitUntil, p.EstimateEnd(n))
			}
		}))
		require.NoError(t, err)
		require.Equal(t, n, last.Created)
	})
}

// One request always fails. At last, the run waits only to send that one again.
func TestCreateAllTellsWhyItWaitsForOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := 0
		results, err := createAll(t, newLife(t).failingGuest(t, reply(500, ``)), guests(20), clerk.WithProgress(func(p clerk.Progress) {
			if time.Until(p.WaitUntil) > time.Minute {
				waits++
				require.Empty(t, p.WaitFor)
				require.ErrorIs(t, p.Cause, clerk.ErrOutcomeUnknown)
			}
		}))
		require.NoError(t, err)
		require.Equal(t, clerk.OutcomeUnknown, results[13].Outcome)
		require.Equal(t, 4, waits)
	})
}

// One request fails once with 503, and is rate limited from then on.
func TestCreateAllWaitsForTheLastFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures, waits := 0, 0
		client := newLife(t).failingGuest(t, func(req *http.Request) (*http.Response, error) {
			if failures++; failures == 1 {
				return reply(503, ``)(req)
			}
			return reply(429, ``)(req)
		})
		_, err := createAll(t, client, guests(20), clerk.WithProgress(func(p clerk.Progress) {
			if time.Until(p.WaitUntil) > time.Minute && p.WaitFor == "" {
				waits++
				require.ErrorIs(t, p.Cause, clerk.ErrRateLimited)
			}
		}))
		require.NoError(t, err)
		require.Positive(t, waits)
	})
}
