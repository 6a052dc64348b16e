package clerkriver

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A recorder keeps the events that OnEvent gets.
type recorder struct {
	mu  sync.Mutex
	all []Event
}

func (r *recorder) hear(_ context.Context, event Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, event)
}

func (r *recorder) events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// heard returns the kinds of the events.
func (r *recorder) heard() []EventKind {
	kinds := []EventKind{}
	for _, event := range r.events() {
		kinds = append(kinds, event.Kind)
	}
	return kinds
}

// age moves what a campaign's next run depends on into the past.
func age(t *testing.T, a *app) {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), `UPDATE clerkriver_campaigns SET enqueued_at = enqueued_at - interval '9 minutes';
		UPDATE clerkriver_instances SET synced_at = synced_at - interval '9 minutes', ended_at = ended_at - interval '9 minutes',
			next_run = 'epoch', leased_until = 'epoch';
		UPDATE clerkriver_rows SET tell_at = tell_at - interval '9 minutes'`)
	require.NoError(t, err)
}

// TestStuckIsFollowedByUnstuck: an alert on EventStuck is resolved when a run begins or
// nothing is left to send.
func TestStuckIsFollowedByUnstuck(t *testing.T) {
	t.Parallel()
	t.Run("a run begins", func(t *testing.T) {
		t.Parallel()
		var events recorder
		var log strings.Builder
		a := newApp(t, shared.database(t), Config{OnEvent: events.hear, Logger: slog.New(slog.NewTextHandler(&log, nil))}, clerktest.New())
		a.enqueue(t, "spring", guests(5))
		age(t, a)
		_, err := a.List(t.Context())
		require.NoError(t, err)
		stop := a.start(t)
		a.wait(t, "spring", (*Status).Done)
		want := []EventKind{EventStuck, EventRunBegun, EventUnstuck, EventRunEnded}
		require.Eventually(t, func() bool { return len(events.heard()) >= len(want) }, 10*time.Second, 10*time.Millisecond)
		stop()
		require.Equal(t, want, events.heard())
		require.Contains(t, log.String(), `level=WARN msg="clerk invitations: stuck" instance=default reason="the run due at `)
		require.Contains(t, log.String(), ` has not begun" due=`)
		require.Contains(t, log.String(), `level=INFO msg="clerk invitations: unstuck" instance=default`)
	})
	t.Run("without River", func(t *testing.T) {
		t.Parallel()
		var events recorder
		a := newApp(t, shared.database(t), Config{OnEvent: events.hear}, clerktest.New())
		a.enqueue(t, "spring", guests(5))
		age(t, a)
		_, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		a.work(t)
		require.Equal(t, []EventKind{EventStuck, EventRunBegun, EventRunEnded, EventUnstuck}, events.heard())
	})
	for name, end := range map[string]func(*app) error{
		"cancelled": func(a *app) error {
			return pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { return a.CancelTx(t.Context(), tx, "spring") })
		},
		"postponed": func(a *app) error {
			return a.Reschedule(t.Context(), nil, "spring", EnqueueOpts{NotBefore: time.Now().Add(time.Hour)})
		},
		"paused": func(a *app) error { return a.PauseCampaign(t.Context(), "spring", "wrong list") },
	} {
		var events recorder
		a := newApp(t, shared.database(t), Config{OnEvent: events.hear}, clerktest.New())
		a.enqueue(t, "spring", guests(5))
		age(t, a)
		for range 2 {
			_, err := a.InstanceStatus(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, end(a))
		for range 2 {
			_, err := a.InstanceStatus(t.Context())
			require.NoError(t, err)
		}
		heard := events.heard()
		require.Equal(t, EventStuck, heard[0], name)
		require.Equal(t, EventUnstuck, heard[len(heard)-1], name)
		require.LessOrEqual(t, len(heard), 3, name)
	}
}

// TestLatenessCountsFromTheEndOfAPause, and from when a campaign may begin, however long ago
// it was enqueued or a run that sent it was killed.
func TestLatenessCountsFromTheEndOfAPause(t *testing.T) {
	t.Parallel()
	tomorrow := EnqueueOpts{NotBefore: time.Now().Add(24 * time.Hour)}
	for name, test := range map[string]struct {
		hold, release func(*app) error
		isCancelled   bool
	}{
		"the instance": {
			func(a *app) error { return a.Pause(t.Context(), "wrong list") },
			func(a *app) error { return a.Resume(t.Context(), nil) }, false,
		},
		"a campaign": {
			func(a *app) error { return a.PauseCampaign(t.Context(), "spring", "wrong list") },
			func(a *app) error { return a.ResumeCampaign(t.Context(), nil, "spring") }, false,
		},
		"a cancelled campaign": {
			func(a *app) error { return a.PauseCampaign(t.Context(), "spring", "wrong list") },
			func(a *app) error { return a.ResumeCampaign(t.Context(), nil, "spring") }, true,
		},
		"a campaign of tomorrow": {
			func(a *app) error { return a.Reschedule(t.Context(), nil, "spring", tomorrow) },
			func(a *app) error { return a.Reschedule(t.Context(), nil, "spring", EnqueueOpts{}) }, false,
		},
	} {
		for _, killed := range []bool{false, true} {
			var events recorder
			a := newApp(t, shared.database(t), Config{OnEvent: events.hear}, clerktest.New())
			a.enqueue(t, "spring", guests(5))
			if killed {
				interrupted(t, a)
			}
			require.NoError(t, test.hold(a))
			if test.isCancelled {
				cancel(t, a, "spring")
			}
			age(t, a)
			_, err := a.pool.Exec(t.Context(), `UPDATE clerkriver_rows SET changed_at = changed_at - interval '9 minutes';
				UPDATE clerkriver_campaigns SET cancelled_at = cancelled_at - interval '9 minutes'`)
			require.NoError(t, err)
			require.NoError(t, test.release(a))
			s, err := a.InstanceStatus(t.Context())
			require.NoError(t, err)
			require.Zero(t, s.OverdueSince, name)
			require.NotContains(t, events.heard(), EventStuck, name)
			a.work(t)
			require.True(t, a.done(t, "spring"), name)
		}
	}
}

// TestResumingIsNoRun: a run that is late without a pause stays late until one begins.
func TestResumingIsNoRun(t *testing.T) {
	t.Parallel()
	var events recorder
	a := newApp(t, shared.database(t), Config{OnEvent: events.hear}, clerktest.New())
	a.enqueue(t, "winter", to("other@example.com"))
	a.work(t)
	a.enqueue(t, "spring", guests(5))
	age(t, a)
	before, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.NotZero(t, before.OverdueSince)
	require.NoError(t, a.Resume(t.Context(), nil))
	require.NoError(t, a.ResumeCampaign(t.Context(), nil, "spring"))
	require.NoError(t, a.Reschedule(t.Context(), nil, "spring", EnqueueOpts{Priority: 1}))
	after, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.OverdueSince, after.OverdueSince)
	require.Equal(t, []EventKind{EventStuck, EventResumed, EventResumed}, events.heard()[2:])
}

// TestOnlyRowsThatCouldBeSentAreLate: neither a late sync nor a row that must wait is a reason
// for an alert.
func TestOnlyRowsThatCouldBeSentAreLate(t *testing.T) {
	t.Parallel()
	one := clerk.Budget{Creates: 1, Window: time.Hour}
	for name, test := range map[string]struct {
		config Config
		opts   EnqueueOpts
		rows   int
		works  bool
		isPast bool // the next run is due for another reason
	}{
		"a sync":         {Config{Sync: time.Second}, EnqueueOpts{}, 5, true, true},
		"OnResult":       {Config{OnResult: func(context.Context, pgx.Tx, Result) error { panic("it fails") }}, EnqueueOpts{}, 5, true, true},
		"the limit":      {Config{Limits: one}, EnqueueOpts{}, 2, true, false},
		"a later time":   {Config{}, EnqueueOpts{NotBefore: time.Now().Add(time.Hour)}, 5, false, false},
		"the first wake": {Config{Wake: time.Hour}, EnqueueOpts{}, 5, false, true},
	} {
		var events recorder
		test.config.OnEvent = events.hear
		a := newApp(t, shared.database(t), test.config, clerktest.New())
		require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			_, err := a.EnqueueTx(t.Context(), nil, tx, "spring", guests(test.rows), &test.opts)
			return err
		}))
		if test.works {
			a.work(t)
		}
		age(t, a)
		s, err := a.Status(t.Context(), "spring")
		require.NoError(t, err)
		require.Zero(t, s.OverdueSince, name)
		require.NotContains(t, s.Problem, "no run has begun", name)
		instance, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		require.Zero(t, instance.OverdueSince, name)
		require.Equal(t, test.isPast, instance.NextWake.Before(time.Now()), name)
		require.NotContains(t, events.heard(), EventStuck, name)
	}
}

// TestShortWakeIsNotLateAtOnce: River looks for scheduled jobs every five seconds.
func TestShortWakeIsNotLateAtOnce(t *testing.T) {
	t.Parallel()
	for wake, late := range map[time.Duration]time.Duration{time.Second: 10 * time.Second, time.Minute: 2 * time.Minute} {
		a := newApp(t, shared.database(t), Config{Wake: wake}, clerktest.New())
		a.enqueue(t, "spring", guests(5))
		for _, test := range []struct {
			ago    time.Duration
			isLate bool
		}{{late - 5*time.Second, false}, {late + time.Second, true}} {
			_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_campaigns SET enqueued_at = clock_timestamp() - $1::interval", test.ago)
			require.NoError(t, err)
			s, err := a.InstanceStatus(t.Context())
			require.NoError(t, err)
			require.Equal(t, test.isLate, !s.OverdueSince.IsZero(), "%s after %s", test.ago, wake)
		}
	}
}

// TestLatenessCountsFromTheEndOfTheLastRun, or of the lease of one that was killed: a run was
// due while the last one waited.
func TestLatenessCountsFromTheEndOfTheLastRun(t *testing.T) {
	t.Parallel()
	const late = 10 * time.Second
	for name, test := range map[string]struct {
		end    string
		ago    time.Duration
		isLate bool
	}{
		"it has just ended": {"ended_at", late - 5*time.Second, false},
		"it has ended":      {"ended_at", late + time.Second, true},
		"just killed":       {"leased_until", late - 5*time.Second, false},
		"killed":            {"leased_until", late + time.Second, true},
	} {
		a := newApp(t, shared.database(t), Config{}, clerktest.New())
		a.enqueue(t, "winter", to("other@example.com"))
		a.work(t)
		a.enqueue(t, "spring", guests(5))
		age(t, a)
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET "+test.end+" = clock_timestamp() - $1::interval", test.ago)
		require.NoError(t, err)
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, test.isLate, !s.OverdueSince.IsZero(), name)
		if test.isLate {
			require.WithinDuration(t, time.Now().Add(-test.ago), s.OverdueSince, 5*time.Second, name)
		}
	}
}

// TestRunThatLeavesRowsIsNotStuck: it ends long after the next one was due.
func TestRunThatLeavesRowsIsNotStuck(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var events recorder
	var a *app
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a = newApp(t, shared.database(t), Config{OnEvent: events.hear}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			_, err := a.pool.Exec(t.Context(), `UPDATE clerkriver_instances SET begun_at = begun_at - interval '9 minutes',
				next_run = next_run - interval '9 minutes'`)
			require.NoError(t, err)
			_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_campaigns SET enqueued_at = enqueued_at - interval '9 minutes'")
			require.NoError(t, err)
			cancel()
		}
		return fake.RoundTrip(req)
	}))
	a.enqueue(t, "spring", guests(50))
	_, err := a.Work(ctx, a.client)
	require.NoError(t, err)
	require.Positive(t, a.counts(t, "spring")[StateWaiting])
	require.Equal(t, []EventKind{EventRunBegun, EventRunEnded}, events.heard())
}

// TestCampaignOfLaterIsNotLate: another campaign is late at the same time.
func TestCampaignOfLaterIsNotLate(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(5))
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := a.EnqueueTx(t.Context(), a.river, tx, "summer", guests(5), &EnqueueOpts{NotBefore: time.Now().Add(time.Hour)})
		return err
	}))
	age(t, a)
	all, err := a.List(t.Context())
	require.NoError(t, err)
	require.NotZero(t, all[0].OverdueSince)
	require.Zero(t, all[1].OverdueSince)
	require.Empty(t, all[1].Problem)
}
