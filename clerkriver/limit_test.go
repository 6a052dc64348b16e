package clerkriver

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestSharedLimitMeetsNoRealRefusal: request handlers on two machines and a campaign
// share a limit that Clerk counts strictly.
func TestSharedLimitMeetsNoRealRefusal(t *testing.T) {
	t.Parallel()
	limits := clerk.Budget{Creates: 20, BulkCreates: 5, Window: 4 * time.Second}
	fake := clerktest.New(strict(limits))
	url := shared.database(t)
	config := Config{Limits: limits, Budget: clerk.Budget{Creates: 15, BulkCreates: 5, Window: limits.Window}}
	a := newApp(t, url, config, slowly(20*time.Millisecond, fake))
	a.enqueue(t, "spring", guests(200))
	a.start(t)
	var group sync.WaitGroup
	var own, done atomic.Int32
	end := time.Now().Add(12 * time.Second)
	for machine := range 2 {
		handlers := newApp(t, url, config, slowly(20*time.Millisecond, fake))
		group.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				address := "handler" + strconv.Itoa(machine) + "_" + strconv.Itoa(i) + "@example.com"
				_, err := handlers.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address},
					clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
				switch {
				case err == nil:
					done.Add(1)
				case assert.True(t, IsOwnRefusal(err), err):
					own.Add(1)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	group.Wait()
	a.wait(t, "spring", (*Status).Done)
	require.Positive(t, own.Load(), "the limit was never used up")
	require.Positive(t, done.Load())
	for _, req := range fake.Requests() {
		require.NotEqual(t, http.StatusTooManyRequests, req.Status, "a real refusal")
	}
	require.Len(t, fake.Invitations(), 200+int(done.Load()))
}

func TestCampaignLeavesItsShareToHandlers(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{
		Limits: clerk.Budget{Creates: 10, BulkCreates: 2, Window: time.Hour}, Budget: clerk.Budget{Creates: 7, BulkCreates: 2, Window: time.Hour},
	}, fake)
	a.enqueue(t, "spring", guests(100))
	due := a.work(t)
	require.WithinDuration(t, time.Now().Add(time.Hour), due, time.Minute)
	require.Equal(t, map[State]int{StateCreated: 27, StateWaiting: 73}, a.counts(t, "spring"))
	a.work(t) // a second run has the same budget, not another
	require.Equal(t, map[State]int{StateCreated: 27, StateWaiting: 73}, a.counts(t, "spring"))
	for i := range 4 {
		_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "handler" + guest(i)})
		if i < 3 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, clerk.ErrRateLimited)
		require.True(t, IsOwnRefusal(err))
		require.ErrorContains(t, err, "nothing was sent")
	}
	require.Equal(t, 10, sent(fake, clerk.OperationCreate))
	// What needs no slot passes.
	_, err := a.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
	require.NoError(t, err)
	_, err = a.client.Invitations.Revoke(t.Context(), fake.Invitations()[0].ID)
	require.NoError(t, err)
	_, err = a.client.Invitations.Delete(t.Context(), fake.Invitations()[0].ID)
	require.NoError(t, err)
}

// TestHandlersUseFirstWhatIsLeftToThem: what campaigns may use stays for campaigns.
func TestHandlersUseFirstWhatIsLeftToThem(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{
		Limits: clerk.Budget{Creates: 10, Window: time.Hour}, Budget: clerk.Budget{Creates: 7, Window: time.Hour},
	}, clerktest.New())
	for i := range 3 {
		_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "handler" + guest(i)})
		require.NoError(t, err)
	}
	a.enqueue(t, "spring", guests(10))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 7, StateWaiting: 3}, a.counts(t, "spring"))
}

func TestHandlersMayUseAllOfTheLimit(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 10, Window: time.Hour}}, fake)
	for i := range 10 {
		_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		require.NoError(t, err)
	}
	_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(10)})
	require.True(t, IsOwnRefusal(err), err)
	a.enqueue(t, "spring", guests(20))
	due, err := a.Work(t.Context(), a.client)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), due, time.Minute)
	require.Len(t, fake.Invitations(), 10)
}

// TestSlotIsHeldFromTheResponseOn: Clerk may count a request as late as it responds.
func TestSlotIsHeldFromTheResponseOn(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	per := 2 * time.Second
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 1, BulkCreates: 1, Window: per}}, slowly(500*time.Millisecond, fake))
	_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)})
	require.NoError(t, err)
	answered := time.Now()
	require.Eventually(t, func() bool {
		_, err = a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(1)},
			clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	require.Len(t, fake.Requests(), 2)
	require.GreaterOrEqual(t, time.Since(answered), per)
	require.GreaterOrEqual(t, fake.Requests()[1].Time.Sub(fake.Requests()[0].Time), per)
}

// TestLostRequestKeepsItsSlot: a process that is killed never sees the response, and Clerk
// may count the request a while after it was sent.
func TestLostRequestKeepsItsSlot(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 1, BulkCreates: 1, Window: time.Hour}},
		roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") }))
	_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.ErrorContains(t, err, "connection reset")
	s, err := a.limit.take(t.Context(), kindCreate, nil, 0)
	require.NoError(t, err)
	require.Greater(t, s.wait, time.Hour)
	require.LessOrEqual(t, s.wait, time.Hour+a.timing.grace)
}

func TestUnsentRequestGivesItsSlotBack(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 1, BulkCreates: 1, Window: time.Hour}},
		roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}))
	_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	s, err := a.limit.take(t.Context(), kindCreate, nil, 0)
	require.NoError(t, err)
	require.Zero(t, s.wait)
}

// TestRealRefusalBlocksEverybody: somebody uses the key without the transport.
func TestRealRefusalBlocksEverybody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header http.Header
		least  time.Duration
		most   time.Duration
	}{
		"seconds": {http.Header{"Retry-After": {"600"}}, 9 * time.Minute, 10 * time.Minute},
		"a date": {
			http.Header{"Retry-After": {time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat)}},
			9 * time.Minute, 10 * time.Minute,
		},
		"too long": {http.Header{"Retry-After": {"99999999"}}, 59 * time.Minute, time.Hour},
		"nothing":  {http.Header{}, 50 * time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			url := shared.database(t)
			config := Config{Limits: clerk.Budget{Creates: 10, BulkCreates: 10, Window: time.Hour}}
			a := newApp(t, url, config, roundTrip(func(req *http.Request) (*http.Response, error) {
				requests.Add(1)
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: test.header, Body: http.NoBody, Request: req}, nil
			}))
			once := clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})
			_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)}, once)
			require.ErrorIs(t, err, clerk.ErrRateLimited)
			require.False(t, IsOwnRefusal(err))
			other := newApp(t, url, config, clerktest.New())
			_, err = other.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)}, once)
			require.True(t, IsOwnRefusal(err), err)
			sdk, ok := errors.AsType[*clerk.ClerkErrors](err)
			require.True(t, ok)
			require.GreaterOrEqual(t, sdk.RetryAfter, test.least)
			require.LessOrEqual(t, sdk.RetryAfter, test.most+time.Second)
			require.EqualValues(t, 1, requests.Load())
			_, err = other.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: guest(0)}}, once)
			require.NoError(t, err, "the other limit is not concerned")
		})
	}
}

// TestClocksNeedNotAgree: the limit goes by the database's clock alone.
func TestClocksNeedNotAgree(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 1, BulkCreates: 1, Window: time.Hour}}, clerktest.New())
	_, err := a.limit.take(t.Context(), kindCreate, nil, 0)
	require.NoError(t, err)
	// An hour passes for the database, and not for this machine.
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_slots SET free_at = free_at - interval '61 minutes'")
	require.NoError(t, err)
	s, err := a.limit.take(t.Context(), kindCreate, nil, 0)
	require.NoError(t, err)
	require.Zero(t, s.wait)
}
