package clerkriver

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
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
	a.work(t) // a second run shares the budget of the first
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
	// Requests that need no slot pass.
	_, err := a.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{})
	require.NoError(t, err)
	_, err = a.client.Invitations.Revoke(t.Context(), fake.Invitations()[0].ID)
	require.NoError(t, err)
	_, err = a.client.Invitations.Delete(t.Context(), fake.Invitations()[0].ID)
	require.NoError(t, err)
}

// TestHandlersUseFirstWhatIsLeftToThem: handlers use the slots outside the campaigns' budget
// first.
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

// TestSlotIsHeldFromTheResponseOn: Clerk may count a request only when it responds.
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
		"seconds":  {http.Header{"Retry-After": {"600"}}, 9 * time.Minute, 10 * time.Minute},
		"a date":   {nil, 9 * time.Minute, 10 * time.Minute},
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
				header := test.header
				if name == "a date" { // from now on, as parallel tests start late
					header = http.Header{"Retry-After": {time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat)}}
				}
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: header, Body: http.NoBody, Request: req}, nil
			}))
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

// TestClocksNeedNotAgree: the limit uses only the database's clock.
func TestClocksNeedNotAgree(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 1, BulkCreates: 1, Window: time.Hour}}, clerktest.New())
	_, err := a.limit.take(t.Context(), kindCreate, nil, 0)
	require.NoError(t, err)
	// An hour passes for the database, but not for this machine.
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_slots SET free_at = free_at - interval '61 minutes'")
	require.NoError(t, err)
	s, err := a.limit.take(t.Context(), kindCreate, nil, 0)
	require.NoError(t, err)
	require.Zero(t, s.wait)
}

// once limits a call to one request.
var once = clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})

// TestCertainlyUnsentRequestsHoldNoSlot: twenty handlers whose proxy is down must not use up
// the hour's limit.
func TestCertainlyUnsentRequestsHoldNoSlot(t *testing.T) {
	t.Parallel()
	through := func(proxy string) *http.Transport {
		u, err := url.Parse(proxy)
		require.NoError(t, err)
		return &http.Transport{Proxy: http.ProxyURL(u)}
	}
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(refusing.Close)
	untrusted := httptest.NewUnstartedServer(clerktest.New())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	broken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = broken.Close() })
	go func() {
		for {
			conn, err := broken.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("not TLS"))
			_ = conn.Close()
		}
	}()
	busy := &http.Transport{MaxConnsPerHost: 1}
	held := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(held) })
	begun := make(chan struct{})
	go func() {
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { close(begun) }})
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, slow.URL, http.NoBody)
		resp, err := busy.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-begun
	db := shared.database(t)
	for name, test := range map[string]struct {
		next    http.RoundTripper
		baseURL string
	}{
		"dead proxy":            {through("http://127.0.0.1:1"), "https://api.example.com/v1"},
		"refused CONNECT":       {through(refusing.URL), "https://api.example.com/v1"},
		"untrusted certificate": {&http.Transport{}, untrusted.URL + "/v1"},
		"broken handshake":      {&http.Transport{}, "https://" + broken.Addr().String() + "/v1"},
		"busy connection":       {busy, slow.URL + "/v1"},
		"a transport's own":     {roundTrip(func(*http.Request) (*http.Response, error) { return nil, clerk.ErrNotSent }), "https://api.example.com/v1"},
	} {
		a := newApp(t, db, Config{Instance: strings.ReplaceAll(strings.ToLower(name), " ", "-")[:4], Limits: clerk.Budget{Creates: 1, Window: time.Hour}}, test.next, clerk.WithBaseURL(test.baseURL))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			_, err := a.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: guest(0)}, once)
			cancel()
			require.ErrorIs(t, err, clerk.ErrNotSent, name)
			require.False(t, IsOwnRefusal(err), name)
		}
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, LimitStatus{Limit: 1, Budget: 1, Free: 1}, s.Creates, name)
	}
}

// TestDeadlineWhileTakingASlotIsNotSent: nothing is looked up.
func TestDeadlineWhileTakingASlotIsNotSent(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	lock, err := a.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = lock.Exec(t.Context(), "LOCK TABLE clerkriver_slots")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = a.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: guest(0)})
	require.ErrorIs(t, err, clerk.ErrNotSent)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
	require.Empty(t, fake.Requests())
}

// TestSilentDatabaseIsUnavailable: it accepts connections, and never answers.
func TestSilentDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	for name, database := range map[string]string{
		"silent": "postgres://postgres@" + silent.Addr().String() + "/postgres", "refusing": "postgres://postgres@127.0.0.1:1/postgres",
	} {
		fake := clerktest.New()
		pool, err := pgxpool.New(context.WithoutCancel(t.Context()), database)
		require.NoError(t, err)
		c, err := New(pool, Config{})
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, c.timing.slot)
		c.timing.slot = 300 * time.Millisecond
		client, err := c.NewClient(clerktest.SecretKey, fake)
		require.NoError(t, err)
		_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)}, once)
		require.ErrorIs(t, err, ErrLimitUnavailable, name)
		require.ErrorIs(t, err, clerk.ErrNotSent, name)
		_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(0)},
			clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: time.Second}}))
		require.ErrorIs(t, err, ErrLimitUnavailable, name)
		require.Empty(t, fake.Requests())
		pool.Close()
	}
}

// TestDeletedSlotsComeBack: somebody empties the table under a running process.
func TestDeletedSlotsComeBack(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{"true", "slot > 0"} {
		a := newApp(t, shared.database(t), Config{Limits: clerk.Budget{Creates: 3, BulkCreates: 1, Window: time.Hour}}, clerktest.New())
		for i := range 3 {
			_, err := a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)}, once)
			require.NoError(t, err)
		}
		_, err := a.pool.Exec(t.Context(), "DELETE FROM clerkriver_slots WHERE "+condition)
		require.NoError(t, err)
		_, err = a.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(9)}, once)
		require.NoError(t, err, condition)
		_, err = a.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: guest(10)}}, once)
		require.NoError(t, err, condition)
	}
}
