package clerk_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestCreateAllReadsRequestsAsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		taken := 0
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for {
				taken++
				if !yield(clerk.CreateInvitationRequest{EmailAddress: guest(taken)}) {
					taken = -1
					return
				}
			}
		}
		all := l.client.Invitations.CreateAll(t.Context(), requests)
		require.Zero(t, taken, "nothing happens before the loop begins")
		n := 0
		for result, err := range all {
			require.NoError(t, err)
			require.LessOrEqual(t, taken-result.Index, 25)
			if n++; n == 1000 {
				break
			}
		}
		require.Equal(t, -1, taken, "the source is ended with the loop")
		require.Len(t, l.fake.Invitations(), 1000)
	})
}

// TestCreateAllSendsBeforeABulkIsFull yields each request only when the previous one has
// its result.
func TestCreateAllSendsBeforeABulkIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		incoming := make(chan clerk.CreateInvitationRequest)
		go func() { incoming <- clerk.CreateInvitationRequest{EmailAddress: guest(0)} }()
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for req := range incoming {
				if !yield(req) {
					return
				}
			}
		}
		start, n := time.Now(), 0
		for result, err := range l.client.Invitations.CreateAll(t.Context(), requests) {
			require.NoError(t, err)
			require.Equal(t, n, result.Index)
			if n++; n == 30 {
				close(incoming)
			} else {
				go func() { incoming <- clerk.CreateInvitationRequest{EmailAddress: guest(n)} }()
			}
		}
		require.Equal(t, 30, n)
		require.LessOrEqual(t, time.Since(start), time.Minute)
	})
}

func TestCreateAllReportsSourceErrors(t *testing.T) {
	broken := errors.New("line 3: " + address)
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		results, err := createAll(t, l.client, guests(12), clerk.WithSourceError(func() error { return broken }))
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "clerk: reading the requests failed: line 3: [redacted]")
		require.Equal(t, broken, asSDKError(t, err).Err)
		require.Len(t, results, 12)

		results, err = createAll(t, l.client, guests(12), clerk.WithSourceError(func() error { return nil }))
		require.NoError(t, err)
		require.Len(t, results, 12)

		require.PanicsWithValue(t, broken, func() {
			_, _ = createAll(t, l.client, func(func(clerk.CreateInvitationRequest) bool) { panic(broken) })
		})
		results, err = createAll(t, l.client, func(func(clerk.CreateInvitationRequest) bool) { runtime.Goexit() })
		require.ErrorContains(t, err, "the iterator of the requests: a function called runtime.Goexit")
		require.Empty(t, results)
	})
}

func TestCreateAllEndsWhileTheIteratorBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		blocked, ended := make(chan struct{}), false
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			if !yield(clerk.CreateInvitationRequest{EmailAddress: guest(0)}) {
				return
			}
			<-blocked
			ended = !yield(clerk.CreateInvitationRequest{EmailAddress: guest(1)})
		}
		var last error
		for _, err := range l.client.Invitations.CreateAll(ctx, requests) {
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
		require.EqualError(t, last, "clerk: the run was stopped: context canceled")
		close(blocked)
		synctest.Wait()
		require.True(t, ended)
		require.Len(t, l.fake.Invitations(), 1)
	})
}

func TestCreateAllBisectsWhileTheIteratorBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.AddUser(guest(9))
		start := time.Now()
		n := 0
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for i := range 10 {
				if !yield(clerk.CreateInvitationRequest{EmailAddress: guest(i)}) {
					return
				}
			}
			time.Sleep(time.Hour)
		}
		for _, err := range l.client.Invitations.CreateAll(t.Context(), requests, clerk.WithBudget(clerk.Budget{BulkCreates: 25})) {
			require.NoError(t, err)
			n++
			require.LessOrEqual(t, time.Since(start), time.Second)
		}
		require.Equal(t, 10, n)
	})
}

// TestCreateAllSendsWhileRequestsAreSkipped reads requests that are skipped faster than
// the run waits for more.
func TestCreateAllSendsWhileRequestsAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, guest(0))
		start := time.Now()
		requests := requestsFor(100, func(i int) clerk.CreateInvitationRequest {
			if i == 0 {
				return clerk.CreateInvitationRequest{EmailAddress: "new@example.com"}
			}
			time.Sleep(500 * time.Millisecond)
			return clerk.CreateInvitationRequest{EmailAddress: guest(0)}
		})
		for result, err := range l.client.Invitations.CreateAll(t.Context(), requests) {
			require.NoError(t, err)
			if result.Index == 0 {
				require.LessOrEqual(t, time.Since(start), 2*time.Second)
			}
		}
	})
}
