package clerkriver

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

const quotaExceeded = `{"errors":[{"code":"quota_exceeded","message":"You have reached your limit."}]}`

// A switchboard answers requests instead of the fake while one of its switches is on.
type switchboard struct {
	noWrites, noLists, noKey atomic.Bool // Clerk refuses writes, lists, or the key
	down, lists              atomic.Bool // writes reach nobody or, with lists, only lists do not
}

// through returns a transport to the fake.
func (s *switchboard) through(fake *clerktest.Fake) http.RoundTripper {
	quota := stray(-1, http.StatusForbidden, "application/json", quotaExceeded, nil)
	key := stray(-1, http.StatusUnauthorized, "application/json", unauthorized, nil)
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		switch isList := req.Method == http.MethodGet; {
		case s.noKey.Load():
			return key.RoundTrip(req)
		case s.noWrites.Load() && !isList, s.noLists.Load() && isList:
			return quota.RoundTrip(req)
		case s.down.Load() && isList == s.lists.Load():
			return nil, clerk.ErrNotSent
		}
		return fake.RoundTrip(req)
	})
}

// briefly makes calls give up soon in an outage.
var briefly = clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: time.Second}})

// synced returns an app with an open invitation, which each run of syncedWork may list, and
// what it reports.
func synced(t *testing.T) (*app, *switchboard, *recorder) {
	t.Helper()
	var board switchboard
	var events recorder
	a := newApp(t, shared.database(t), Config{
		Sync: time.Second, Limits: clerk.Budget{Creates: 30, Window: time.Hour}, OnEvent: events.hear,
	}, board.through(clerktest.New()), briefly)
	a.timing.patience = time.Second
	a.enqueue(t, "spring", guests(1))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "spring"))
	return a, &board, &events
}

// syncedWork makes a run for which a sync is due, d later as far as refusals are concerned, and
// after the end of a pause.
func (a *app) syncedWork(t *testing.T, d string) *InstanceStatus {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), `UPDATE clerkriver_instances SET synced_at = 'epoch', paused_until = 'epoch',
		refused_since = refused_since - $1::interval`, d)
	require.NoError(t, err)
	_, err = a.pool.Exec(t.Context(), `UPDATE clerkriver_campaigns SET enqueued_at = enqueued_at - interval '1 minute'`)
	require.NoError(t, err)
	_, _ = a.Work(t.Context(), a.client) // the status has its error
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	return s
}

// TestSyncEndsNoPause: Clerk refuses what campaigns send, and nothing else. Syncs are due all
// the time, and end well.
func TestSyncEndsNoPause(t *testing.T) {
	t.Parallel()
	a, board, events := synced(t)
	board.noWrites.Store(true)
	a.enqueue(t, "summer", guests(100))
	failures := 0
	for range 6 { // every second run is a sync
		s := a.syncedWork(t, "0")
		require.GreaterOrEqual(t, s.Failures, failures)
		failures = s.Failures
		if failures > 0 {
			require.Contains(t, s.Problem, "quota_exceeded")
		}
	}
	require.Equal(t, 3, failures)
	first := a.syncedWork(t, "1 minute")
	if first.Paused == "" { // it was a sync
		first = a.syncedWork(t, "0")
	}
	require.Contains(t, first.Paused, "quota_exceeded")
	require.WithinDuration(t, time.Now().Add(10*a.config.Wake), first.PausedUntil, 5*time.Second)
	for _, pause := range []time.Duration{20 * a.config.Wake, 40 * a.config.Wake, 80 * a.config.Wake} {
		s := a.syncedWork(t, "0")
		require.WithinDuration(t, time.Now().Add(pause), s.PausedUntil, 5*time.Second)
	}
	require.NotContains(t, events.heard(), EventResumed)
	var isSynced bool
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT synced_run = run AND fresh_at = synced_at FROM clerkriver_instances").Scan(&isSynced))
	require.True(t, isSynced, "each of them also made a sync")

	board.noWrites.Store(false)
	s := a.syncedWork(t, "0")
	require.Zero(t, s.Failures)
	require.Empty(t, s.Problem+s.Paused)
	counts := a.counts(t, "summer")
	require.Positive(t, counts[StateCreated])
	require.Positive(t, counts[StateWaiting], "for the limit")
	heard := events.heard()
	require.Equal(t, []EventKind{EventResumed, EventRunEnded}, heard[len(heard)-2:])
	var isRefused bool
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT refused_since IS NOT NULL FROM clerkriver_instances").Scan(&isRefused))
	require.False(t, isRefused)
}

// TestListingEndsAPauseIfNothingWaits: the key was refused while there was nothing to send.
func TestListingEndsAPauseIfNothingWaits(t *testing.T) {
	t.Parallel()
	a, board, events := synced(t)
	board.noKey.Store(true)
	require.Empty(t, a.syncedWork(t, "0").Paused)
	first := a.syncedWork(t, "1 minute")
	require.Contains(t, first.Paused, "Clerk does not accept the secret key")
	board.noKey.Store(false)
	board.down.Store(true)
	board.lists.Store(true)
	s := a.syncedWork(t, "0")
	require.Contains(t, s.Problem, "nothing sent")
	require.NotContains(t, events.heard(), EventResumed, "an outage proves nothing")
	board.down.Store(false)
	s = a.syncedWork(t, "0")
	require.Zero(t, s.Failures)
	require.Empty(t, s.Problem+s.Paused)
	require.Equal(t, EventResumed, events.heard()[len(events.heard())-1])
}

// TestSyncHidesNoOutage of what campaigns send.
func TestSyncHidesNoOutage(t *testing.T) {
	t.Parallel()
	a, board, _ := synced(t)
	board.down.Store(true)
	a.enqueue(t, "summer", to("a@example.com"))
	a.syncedWork(t, "0")
	a.syncedWork(t, "0")
	for range 2 {
		s := a.syncedWork(t, "0")
		require.Positive(t, s.Failures)
		require.Contains(t, s.Problem, "nothing sent")
	}
	board.down.Store(false)
	a.syncedWork(t, "0")
	s := a.syncedWork(t, "0")
	require.Zero(t, s.Failures)
	require.Empty(t, s.Problem)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
	board.down.Store(true)
	board.lists.Store(true)
	require.Equal(t, 1, a.syncedWork(t, "0").Failures)
	board.down.Store(false)
	require.Zero(t, a.syncedWork(t, "0").Failures, "nothing waits, so a sync is enough")
}

// TestResumeByAnotherProcessEndsThePauseOfThisOne: an operator's tool calls Resume, and the
// service has an open alert.
func TestResumeByAnotherProcessEndsThePauseOfThisOne(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var here, there recorder
	db := shared.database(t)
	a := newApp(t, db, Config{Sync: -1, OnEvent: here.hear}, fake)
	tool := newApp(t, db, Config{Sync: -1, OnEvent: there.hear}, fake)
	require.NoError(t, a.Pause(t.Context(), "wrong list"))
	a.enqueue(t, "spring", guests(3))
	require.NoError(t, tool.Resume(t.Context(), nil))
	require.Equal(t, []EventKind{EventPaused}, here.heard())
	a.work(t)
	require.Equal(t, []EventKind{EventPaused, EventRunBegun, EventResumed, EventRunEnded}, here.heard())
	a.enqueue(t, "summer", guests(1))
	a.work(t)
	require.Equal(t, []EventKind{EventRunBegun, EventRunEnded}, here.heard()[4:], "once")
	tool.work(t)
	require.NotContains(t, there.heard()[1:], EventResumed)
}

// TestSyncsContinueWhileClerkRefusesCreates, until it refuses lists, too.
func TestSyncsContinueWhileClerkRefusesCreates(t *testing.T) {
	t.Parallel()
	a, board, fake := refusedCreates(t)
	before, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Contains(t, before.Paused, "Clerk refuses to create invitations: ")
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	requests := len(fake.Requests())
	after := a.syncInAPause(t)
	require.Equal(t, map[State]int{StateAccepted: 1, StateCreated: 1}, a.counts(t, "spring"))
	for _, req := range fake.Requests()[requests:] {
		require.Equal(t, clerk.OperationList, req.Operation)
	}
	require.Equal(t, before.Run+1, after.Run)
	require.WithinDuration(t, time.Now(), after.SyncedAt, 5*time.Second)
	require.WithinDuration(t, time.Now().Add(a.config.Sync), after.NextWake, 2*time.Second)
	require.True(t, after.NextWake.Before(after.PausedUntil))
	require.Equal(t, []any{before.Paused, before.PausedUntil, before.Problem, before.Failures},
		[]any{after.Paused, after.PausedUntil, after.Problem, after.Failures})

	board.noLists.Store(true)
	refused := a.syncInAPause(t)
	require.Contains(t, refused.Paused, "Clerk refuses all requests: ")
	require.Equal(t, after.SyncedAt, refused.SyncedAt)
	require.True(t, refused.PausedUntil.After(before.PausedUntil))
	require.Equal(t, refused.PausedUntil, refused.NextWake)
	require.Equal(t, refused.Run, a.syncInAPause(t).Run, "there was no sync")
}

// TestSyncEndsAPauseOfCreatesIfNothingWaits: its campaign was cancelled.
func TestSyncEndsAPauseOfCreatesIfNothingWaits(t *testing.T) {
	t.Parallel()
	a, _, _ := refusedCreates(t)
	cancel(t, a, "summer")
	s := a.syncInAPause(t)
	require.Empty(t, s.Paused+s.Problem)
	require.Zero(t, s.PausedUntil)
	require.Zero(t, s.Failures)
}

// TestRowsWaitForTheEndOfAPauseOfCreates, and so do revocations.
func TestRowsWaitForTheEndOfAPauseOfCreates(t *testing.T) {
	t.Parallel()
	a, board, fake := refusedCreates(t)
	board.noWrites.Store(false)
	a.config.Sync = -1
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke = invitation_id, replaces = '', revoke_at = now() WHERE ref = 'user_1'")
	require.NoError(t, err)
	s := a.syncInAPause(t)
	require.Equal(t, s.PausedUntil, s.NextWake)
	require.Zero(t, s.OverdueSince)
	require.Equal(t, statuses{pending}, links(fake, guest(1)))
	a.syncedWork(t, "0")
	require.Equal(t, map[State]int{StateCreated: 5}, a.counts(t, "summer"))
	require.Equal(t, statuses{revoked}, links(fake, guest(1)))
}

// refusedCreates returns an app with two open invitations that is paused, as Clerk refuses the
// creates of another campaign.
func refusedCreates(t *testing.T) (*app, *switchboard, *clerktest.Fake) {
	t.Helper()
	var board switchboard
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{Sync: 3 * time.Second}, board.through(fake), briefly)
	a.enqueue(t, "spring", guests(2))
	a.work(t)
	board.noWrites.Store(true)
	a.enqueue(t, "summer", to("a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com"))
	a.syncedWork(t, "0")
	a.syncedWork(t, "0") // one of the two was a sync
	if a.syncedWork(t, "1 minute").Paused == "" {
		a.syncedWork(t, "0")
	}
	return a, &board, fake
}

// syncInAPause makes the run that is due in a pause when a sync is.
func (a *app) syncInAPause(t *testing.T) *InstanceStatus {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET synced_at = 'epoch', next_run = 'epoch'")
	require.NoError(t, err)
	_, _ = a.Work(t.Context(), a.client) // the status has its error
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	return s
}
