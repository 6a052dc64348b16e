package clerkriver

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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

	ctx := context.WithValue(t.Context(), leaseKey{}, &late.lease)
	_, err := a.client.Invitations.Create(ctx, rows[0].request, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.True(t, IsOwnRefusal(err), err)
	require.Empty(t, fake.Requests())
	require.ErrorIs(t, context.Cause(late.ctx), errLeaseLost)
	require.ErrorIs(t, late.extend(t.Context(), late.c.timing.lease), errLeaseLost)
	none, err := late.pull(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)

	a.work(t)
	before := a.all(t, "spring")
	_, err = late.keep(t.Context(), rows[0], StateRejected, "", "late")
	require.NoError(t, err)
	require.NoError(t, late.end(t.Context(), verdict{problem: errors.New("late"), mayBeKnown: true}))
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
	r, err := a.begin(t.Context(), a.client, false)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- r.work(t.Context(), nil) }()
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
	a.timing.lease = 9 * time.Second
	a.enqueue(t, "spring", guests(30))
	done := make(chan error, 1)
	go func() { _, err := a.Work(t.Context(), a.client); done <- err }()
	select {
	case <-begun:
	case err := <-done:
		require.FailNow(t, "it has sent nothing", "%v", err)
	}
	leasedUntil := func() time.Time {
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		return s.LeasedUntil
	}
	first := leasedUntil()
	require.Eventually(t, func() bool { return leasedUntil().After(first) }, time.Minute, 100*time.Millisecond, "the lease is extended")
	b := newApp(t, url, Config{}, fake)
	b.work(t)
	require.Empty(t, fake.Invitations())
	close(release)
	require.NoError(t, <-done)
	require.Equal(t, map[State]int{StateCreated: 30}, a.counts(t, "spring"))
	require.Equal(t, 1, sent(fake, clerk.OperationList))
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
