package clerkriver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// begun is a run that has chosen what to send, and the rows that it pulled first.
func begun(t *testing.T, a *app) (*run, []item) {
	t.Helper()
	r, err := a.begin(t.Context(), a.client)
	require.NoError(t, err)
	require.NotNil(t, r)
	r.ctx, r.stop = context.WithCancelCause(t.Context())
	found, err := r.choose(t.Context())
	require.NoError(t, err)
	require.True(t, found)
	rows, err := r.pull(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	return r, rows
}

// interrupted lets a run take rows and get a request to the fake, and then stops as if it
// was killed: nothing is given back.
func interrupted(t *testing.T, a *app) {
	t.Helper()
	r, rows := begun(t, a)
	_, err := a.client.Invitations.Create(context.WithValue(t.Context(), runKey{}, r), rows[0].request)
	require.NoError(t, err)
}

// expire ends a lease, as time does.
func expire(t *testing.T, a *app) {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET leased_until = clock_timestamp()")
	require.NoError(t, err)
}

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

// TestLateRunnerOverwritesNothing: a runner that slept past its lease can neither send nor
// keep a result.
func TestLateRunnerOverwritesNothing(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", guests(15))
	late, rows := begun(t, a)
	require.Len(t, rows, 10)
	expire(t, a)

	ctx := context.WithValue(t.Context(), runKey{}, late)
	_, err := a.client.Invitations.Create(ctx, rows[0].request, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.True(t, IsOwnRefusal(err), err)
	require.Empty(t, fake.Requests())
	require.ErrorIs(t, context.Cause(late.ctx), errLeaseLost)
	require.ErrorIs(t, late.extend(t.Context()), errLeaseLost)
	none, err := late.pull(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)

	a.work(t)
	before := a.all(t, "spring")
	_, err = late.keep(t.Context(), rows[0], StateRejected, "", "late")
	require.NoError(t, err)
	require.NoError(t, late.end(t.Context(), "late", errors.New("late"), true))
	require.Equal(t, before, a.all(t, "spring"))
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Empty(t, s.Paused+s.Problem)
}

// TestRunnerWithoutDatabaseStops: it cannot know whether it still has the lease.
func TestRunnerWithoutDatabaseStops(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	var a *app
	fake := clerktest.New()
	hanging := make(chan struct{})
	a = newApp(t, url, Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			close(hanging)
			select {
			case <-req.Context().Done():
				return nil, req.Context().Err()
			case <-time.After(20 * time.Second):
			}
		}
		return fake.RoundTrip(req)
	}), clerk.WithAttemptTimeout(2*time.Second))
	a.timing.lease = time.Second
	a.enqueue(t, "spring", guests(1))
	r, err := a.begin(t.Context(), a.client)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- r.work(t.Context()) }()
	<-hanging
	a.pool.Close()
	err = <-done
	require.ErrorIs(t, err, errLeaseLost)
	b := newApp(t, url, Config{}, fake)
	require.Equal(t, map[State]int{StateSending: 1}, b.counts(t, "spring"))
	time.Sleep(time.Second)
	b.work(t)
	require.Equal(t, map[State]int{StateCreated: 1}, b.counts(t, "spring"))
}

func TestOneRunnerAtATime(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	url := shared.database(t)
	begun := make(chan struct{}, 100)
	release := make(chan struct{})
	a := newApp(t, url, Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			begun <- struct{}{}
			<-release
		}
		return fake.RoundTrip(req)
	}))
	a.timing.lease = time.Second
	a.enqueue(t, "spring", guests(30))
	done := make(chan error)
	go func() { _, err := a.Work(t.Context(), a.client); done <- err }()
	<-begun
	time.Sleep(1500 * time.Millisecond) // the lease is extended
	b := newApp(t, url, Config{}, fake)
	b.work(t)
	require.Empty(t, fake.Invitations())
	close(release)
	require.NoError(t, <-done)
	require.Equal(t, map[State]int{StateCreated: 30}, a.counts(t, "spring"))
	require.Equal(t, 1, sent(fake, clerk.OperationList))
}

func TestRefusedKeyPausesAndFailsNothing(t *testing.T) {
	t.Parallel()
	fake := clerktest.New(clerktest.WithSecretKey("sk_test_another"))
	url := shared.database(t)
	a := newApp(t, url, Config{}, fake)
	a.enqueue(t, "spring", guests(300))
	stop := a.start(t)
	s := a.wait(t, "spring", func(s *Status) bool { return s.Paused != "" })
	require.Contains(t, s.Paused, "Clerk does not accept the secret key: clerk: ")
	require.Contains(t, s.Paused, "clerk_key_invalid")
	require.Equal(t, map[State]int{StateWaiting: 300}, s.Counts)
	require.Zero(t, s.WaitUntil)
	time.Sleep(2 * time.Second)
	require.Len(t, fake.Requests(), 1, "it stays paused")
	stop()
	var failed int
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'scheduled', 'available')").Scan(&failed))
	require.Zero(t, failed)

	healed := clerktest.New()
	b := newApp(t, url, Config{}, healed)
	b.start(t)
	require.NoError(t, b.Resume(t.Context(), b.river))
	s = b.wait(t, "spring", (*Status).Done)
	require.Equal(t, map[State]int{StateCreated: 300}, s.Counts)
	require.Empty(t, s.Paused)
}

func TestPauseStopsARun(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var a *app
	posts := 0
	a = newApp(t, shared.database(t), Config{Budget: clerk.Budget{Creates: 1000, Window: time.Minute}},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				posts++
				if posts == 3 {
					require.NoError(t, a.Pause(t.Context(), "wrong list"))
				}
			}
			return fake.RoundTrip(req)
		}))
	a.enqueue(t, "spring", guests(10))
	due, err := a.Work(t.Context(), a.client)
	require.NoError(t, err)
	require.Zero(t, due)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, "wrong list", s.Paused)
	require.Equal(t, map[State]int{StateCreated: 3, StateWaiting: 7}, s.Counts)
	require.Zero(t, a.work(t))
	require.NoError(t, a.Resume(t.Context(), nil))
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 10}, a.counts(t, "spring"))
}

// TestOutageKeepsClerksWords: the status shows why nothing is sent, and no row fails.
func TestOutageKeepsClerksWords(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var down atomic.Bool
	a := newApp(t, shared.database(t), Config{Budget: clerk.Budget{Creates: 1000, Window: time.Minute}},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if down.Load() {
				body := `{"errors":[{"code":"maintenance","message":"System under maintenance"}]}`
				return &http.Response{
					StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"60"}},
					Body: readCloser{strings.NewReader(body)}, Request: req,
				}, nil
			}
			if len(fake.Invitations()) == 2 {
				down.Store(true)
			}
			return fake.RoundTrip(req)
		}), clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: time.Second}}))
	a.enqueue(t, "spring", guests(10))
	_, err := a.Work(t.Context(), a.client)
	require.ErrorContains(t, err, "System under maintenance")
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Contains(t, s.Problem, "System under maintenance")
	require.NotContains(t, s.Problem, "context canceled")
	require.Empty(t, s.Paused)
	require.Equal(t, map[State]int{StateCreated: 3, StateWaiting: 7}, s.Counts)
	down.Store(false)
	a.work(t)
	s, err = a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateCreated: 10}, s.Counts)
	require.Empty(t, s.Problem)
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// TestEndOfContextLosesNothing: what a deploy interrupts.
func TestEndOfContextLosesNothing(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	ctx, cancel := context.WithCancel(t.Context())
	a := newApp(t, shared.database(t), Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost && len(fake.Invitations()) == 10 {
			cancel()
			time.Sleep(100 * time.Millisecond)
		}
		return fake.RoundTrip(req)
	}))
	a.enqueue(t, "spring", guests(50))
	_, err := a.Work(ctx, a.client)
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateCreated: 20, StateWaiting: 30}, a.counts(t, "spring"))
	a.work(t) // the lease was given back
	require.Equal(t, map[State]int{StateCreated: 50}, a.counts(t, "spring"))
	require.Equal(t, 5, sent(fake, clerk.OperationBulkCreate))
}

func TestOnResultIsInTheTransactionOfTheResult(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	fails := true
	a := newApp(t, shared.database(t), Config{OnResult: func(ctx context.Context, tx pgx.Tx, result Result) error {
		if _, err := tx.Exec(ctx, "INSERT INTO heard VALUES ($1, $2)", result.Ref, string(result.State)); err != nil {
			return err
		}
		if result.Ref == "user_3" && fails {
			return errors.New("the application's table is full")
		}
		return nil
	}}, fake)
	_, err := a.pool.Exec(t.Context(), "CREATE TABLE heard (ref text PRIMARY KEY, state text)")
	require.NoError(t, err)
	a.enqueue(t, "spring", guests(12))
	_, err = a.Work(t.Context(), a.client)
	require.ErrorContains(t, err, "the application's table is full")
	require.Equal(t, map[State]int{StateCreated: 11, StateWaiting: 1}, a.counts(t, "spring"), "the others are kept")
	heard := func() (n int) {
		require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM heard WHERE state = 'created'").Scan(&n))
		return n
	}
	require.Equal(t, 11, heard())
	require.Equal(t, "the application's table is full", a.all(t, "spring")[3].Problem)
	fails = false
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 12}, a.counts(t, "spring"), "it was created, once")
	require.Equal(t, 12, heard())
	require.Len(t, fake.Invitations(), 12)
	require.Empty(t, a.all(t, "spring")[3].Problem)
}

// TestPanicOfOnResultGivesUpTheLease: the rows go to the next run, when the lease ends.
func TestPanicOfOnResultGivesUpTheLease(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	panics := true
	a := newApp(t, shared.database(t), Config{OnResult: func(context.Context, pgx.Tx, Result) error {
		if panics {
			panic("the application's fault")
		}
		return nil
	}}, fake)
	a.timing.lease = time.Second
	a.enqueue(t, "spring", guests(5))
	require.PanicsWithValue(t, "the application's fault", func() { _, _ = a.Work(t.Context(), a.client) })
	panics = false
	a.work(t)
	require.Equal(t, map[State]int{StateSending: 5}, a.counts(t, "spring"))
	time.Sleep(1500 * time.Millisecond)
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 5}, a.counts(t, "spring"))
	require.Len(t, fake.Invitations(), 5)
}

// TestUnknownIsTheLastResort: a row whose outcome CreateAll does not know is looked up by
// later runs, and reported as unknown when that did not help.
func TestUnknownIsTheLastResort(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(1))
	for attempt := range maxAttempts {
		require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "spring"))
		r, rows := begun(t, a)
		require.Equal(t, attempt, rows[0].attempts)
		r.settle(t.Context(), rows[0], clerk.CreateResult{Err: errors.New("Clerk never answered")})
		require.NoError(t, r.end(t.Context(), "", nil, false))
	}
	result := a.all(t, "spring")[0]
	require.Equal(t, StateUnknown, result.State)
	require.Equal(t, "Clerk never answered", result.Problem)
}

// TestDatabaseClockMayDiffer: the database is a day ahead of this machine and of Clerk.
func TestDatabaseClockMayDiffer(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	pool := connect(t, url)
	_, err := pool.Exec(t.Context(), `CREATE SCHEMA skew; CREATE FUNCTION skew.clock_timestamp() RETURNS timestamptz
		LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 day' $$`)
	require.NoError(t, err)
	fake := clerktest.New()
	limits := clerk.Budget{Creates: 5, BulkCreates: 1, Window: 2 * time.Second}
	a := newApp(t, url+"?options=-csearch_path%3Dskew,pg_catalog,public", Config{Limits: limits, Budget: limits}, fake)
	a.timing.grace = 0
	a.enqueue(t, "spring", guests(40))
	a.start(t)
	s := a.wait(t, "spring", (*Status).Done)
	require.Equal(t, map[State]int{StateCreated: 40}, s.Counts)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 1), s.EnqueuedAt, time.Minute, "the clock was not skewed")
}
