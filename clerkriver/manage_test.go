package clerkriver

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestDeleteErasesTheAddresses(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", to("secret@example.com"))
	require.ErrorIs(t, a.Delete(t.Context(), "spring"), ErrActive)
	a.start(t)
	a.wait(t, "spring", (*Status).Done)
	require.NoError(t, a.Delete(t.Context(), "spring"))
	_, err := a.Status(t.Context(), "spring")
	require.ErrorIs(t, err, ErrNoCampaign)
	for _, err := range a.Results(t.Context(), "spring", 0) {
		require.ErrorIs(t, err, ErrNoCampaign)
	}
	require.ErrorIs(t, a.Delete(t.Context(), "spring"), ErrNoCampaign)
	err = pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := a.EnqueueTx(t.Context(), a.river, tx, "spring", to("secret@example.com"), nil)
		return err
	})
	require.ErrorIs(t, err, ErrCampaignExists)
	for _, table := range []string{"river_job", "clerkriver_instances", "clerkriver_campaigns", "clerkriver_rows", "clerkriver_slots"} {
		var found int
		require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" x WHERE x::text LIKE '%secret@%'").Scan(&found))
		require.Zero(t, found, table)
	}
}

// TestUntoldResultsAreNotDeleted, neither by Delete nor by Keep: the service would never hear of
// them.
func TestUntoldResultsAreNotDeleted(t *testing.T) {
	t.Parallel()
	fails := true
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{
		Sync: time.Minute, Keep: time.Nanosecond,
		OnChange: func(context.Context, pgx.Tx, Change) error {
			if fails {
				return errors.New("no")
			}
			return nil
		},
	}, fake)
	a.enqueue(t, "spring", guests(1))
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	a.syncNow(t)
	require.Equal(t, 1, a.wait(t, "spring", (*Status).Done).Untold)
	require.ErrorIs(t, a.Delete(t.Context(), "spring"), ErrUntold)
	a.work(t)
	require.Equal(t, map[State]int{StateAccepted: 1}, a.counts(t, "spring"), "Keep waits")
	fails = false
	require.NoError(t, a.Resume(t.Context(), nil))
	a.work(t)
	a.work(t)
	_, err := a.Status(t.Context(), "spring")
	require.ErrorIs(t, err, ErrNoCampaign)
}

func TestCancelWhileRunning(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var a *app
	a = newApp(t, shared.database(t), Config{Budget: clerk.Budget{Creates: 1000, Window: time.Minute}},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && len(fake.Invitations()) == 2 {
				cancel(t, a, "spring")
			}
			return fake.RoundTrip(req)
		}))
	a.enqueue(t, "spring", guests(50))
	a.enqueue(t, "summer", to("other@example.com"))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 3, StateCancelled: 47}, a.counts(t, "spring"), "what is under way goes out")
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 3, StateCancelled: 47}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), s.CancelledAt, time.Minute)
}

// TestCancelAfterRunnerDied: rows that the runner may have sent are looked up, and do not end
// as unknown. The first run that looks them up is interrupted.
func TestCancelAfterRunnerDied(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	ctx, interrupt := context.WithCancel(t.Context())
	a := newApp(t, shared.database(t), Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("query") == guest(4) {
			interrupt()
		}
		return fake.RoundTrip(req)
	}))
	a.enqueue(t, "spring", guests(25))
	interrupted(t, a)
	cancel(t, a, "spring")
	require.Equal(t, map[State]int{StateSending: 10, StateCancelled: 15}, a.counts(t, "spring"))
	require.ErrorIs(t, a.Delete(t.Context(), "spring"), ErrActive)
	expire(t, a)
	_, err := a.Work(ctx, a.client)
	require.NoError(t, err)
	require.Positive(t, a.counts(t, "spring")[StateWaiting], "it was not interrupted")
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 1, StateCancelled: 24}, a.counts(t, "spring"))
	require.Equal(t, fake.Invitations()[0].ID, a.all(t, "spring")[0].InvitationID)
}

// TestCancelWhileOutcomeIsOpen: a second run took over the rows of a dead one, and ended
// before it knew their outcome.
func TestCancelWhileOutcomeIsOpen(t *testing.T) {
	t.Parallel()
	for _, during := range []bool{true, false} {
		fake := clerktest.New()
		a := newApp(t, shared.database(t), Config{}, fake)
		a.enqueue(t, "spring", guests(25))
		interrupted(t, a)
		expire(t, a)
		second, _ := begun(t, a)
		if during {
			cancel(t, a, "spring")
		}
		require.NoError(t, second.end(t.Context(), verdict{}))
		if !during {
			cancel(t, a, "spring")
		}
		require.Equal(t, map[State]int{StateWaiting: 10, StateCancelled: 15}, a.counts(t, "spring"), "during %v", during)
		require.Zero(t, a.work(t))
		require.Equal(t, map[State]int{StateCreated: 1, StateCancelled: 24}, a.counts(t, "spring"), "during %v", during)
		require.Len(t, fake.Invitations(), 1)
	}
}

// TestOperatorsFace: campaigns are listed, paused and rescheduled one by one.
func TestOperatorsFace(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	limits := clerk.Budget{Creates: 20, BulkCreates: 2, Window: time.Hour}
	a := newApp(t, shared.database(t), Config{Limits: limits}, fake)
	none, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, &InstanceStatus{
		Instance: "default", Creates: LimitStatus{Limit: 20, Budget: 18, Free: 18}, BulkCreates: LimitStatus{Limit: 2, Budget: 2, Free: 2},
	}, none)
	for i, name := range []string{"first", "second", "third"} {
		a.enqueue(t, name, to(name+"@example.com", guest(i)))
	}
	begin := time.Now().Add(time.Hour)
	require.NoError(t, a.PauseCampaign(t.Context(), "first", "wrong text"))
	require.NoError(t, a.Reschedule(t.Context(), a.river, "second", EnqueueOpts{Priority: -1, NotBefore: begin}))
	require.Equal(t, map[State]int{StateCreated: 2}, func() map[State]int { a.work(t); return a.counts(t, "third") }())
	all, err := a.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, "wrong text", all[0].Paused)
	require.Equal(t, map[State]int{StateWaiting: 2}, all[0].Counts)
	require.EqualValues(t, -1, all[1].Priority)
	require.WithinDuration(t, begin, all[1].NotBefore, time.Millisecond)
	require.Equal(t, map[State]int{StateWaiting: 2}, all[1].Counts)
	require.WithinDuration(t, time.Now(), all[2].FinishedAt, time.Minute)

	require.NoError(t, a.ResumeCampaign(t.Context(), a.river, "first"))
	require.NoError(t, a.Reschedule(t.Context(), a.river, "second", EnqueueOpts{Priority: -1}))
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(a.config.Wake), s.NextWake, 2*a.config.Wake)
	require.Equal(t, map[State]int{StateCreated: 2}, func() map[State]int { a.work(t); return a.counts(t, "first") }())
	require.Equal(t, "second@example.com", fake.Invitations()[2].EmailAddress, "its priority comes first")
	s, err = a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, s.Run)
	require.WithinDuration(t, time.Now(), s.EndedAt, time.Minute)
	require.False(t, s.EndedAt.Before(s.BegunAt))
	require.Zero(t, s.LeasedUntil)
	require.Zero(t, s.NextWake)
	require.Less(t, s.Creates.Free+s.BulkCreates.Free, 20)
	for _, err := range []error{
		a.PauseCampaign(t.Context(), "no", ""), a.ResumeCampaign(t.Context(), nil, "no"), a.Reschedule(t.Context(), nil, "no", EnqueueOpts{}),
	} {
		require.ErrorIs(t, err, ErrNoCampaign)
	}
}

// TestPausedCampaignStopsARun: the next run sends the other campaigns.
func TestPausedCampaignStopsARun(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var a *app
	a = newApp(t, shared.database(t), Config{Budget: clerk.Budget{Creates: 1000, Window: time.Minute}},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && len(fake.Invitations()) == 2 {
				require.NoError(t, a.PauseCampaign(t.Context(), "spring", "wrong text"))
			}
			return fake.RoundTrip(req)
		}))
	a.enqueue(t, "spring", guests(50))
	a.enqueue(t, "summer", to("other@example.com"))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 3, StateWaiting: 47}, a.counts(t, "spring"))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 3, StateWaiting: 47}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
	require.Zero(t, a.work(t), "only a person can continue")
	require.NoError(t, a.ResumeCampaign(t.Context(), nil, "spring"))
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 50}, a.counts(t, "spring"))
}

// TestSyncsContinueWhileAPersonHasPaused: what people accept is learned, and nothing is sent or
// revoked. A killed run has left rows, and is looked up after the pause.
func TestSyncsContinueWhileAPersonHasPaused(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var log recorder
	a := newApp(t, shared.database(t), Config{Sync: time.Minute, OnChange: heardChanges, OnEvent: log.hear}, fake)
	newChangesTable(t, a)
	a.enqueue(t, "spring", guests(3))
	a.work(t)
	a.enqueue(t, "summer", to("a@example.com", "b@example.com"))
	interrupted(t, a)
	expire(t, a)
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET replaces = '', revoke = invitation_id, revoke_at = now() WHERE ref = 'user_2'")
	require.NoError(t, err)
	require.NoError(t, a.Pause(t.Context(), "weekend"))
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	before := len(fake.Requests())
	a.timing.lease = 300 * time.Millisecond
	a.client, err = a.NewClient(clerktest.SecretKey, slowly(200*time.Millisecond, fake))
	require.NoError(t, err)
	for range 3 {
		a.syncNow(t)
	}
	require.Equal(t, map[int][]State{0: {StateAccepted}}, a.changes(t, "spring"))
	for _, req := range fake.Requests()[before:] {
		require.Equal(t, clerk.OperationList, req.Operation)
	}
	require.Len(t, fake.Requests()[before:], 3*2, "each run was a sync")
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, "weekend", s.Paused)
	require.WithinDuration(t, time.Now().Add(time.Minute), s.NextWake, 10*time.Second)
	require.Zero(t, s.Failures)
	require.Zero(t, s.OverdueSince)
	require.NotContains(t, log.heard(), EventResumed)

	a.timing.lease = usualTiming.lease
	require.NoError(t, a.Resume(t.Context(), nil))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 2}, a.counts(t, "summer"))
	require.Len(t, fake.Invitations(), 3+2, "nobody was invited twice")
	require.Equal(t, statuses{revoked}, links(fake, guest(2)))
}

// TestResumeSendsBeforeASync that is due as well.
func TestResumeSendsBeforeASync(t *testing.T) {
	t.Parallel()
	a, _ := invited(t, 2, Config{Sync: time.Minute})
	a.enqueue(t, "summer", to("a@example.com"))
	require.NoError(t, a.Pause(t.Context(), "weekend"))
	require.NoError(t, a.Resume(t.Context(), nil))
	a.syncNow(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
}

// TestPausesOfCampaignAndInstanceAreTold apart, even if both are paused.
func TestPausesOfCampaignAndInstanceAreTold(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(3))
	a.enqueue(t, "summer", to("a@example.com"))
	require.NoError(t, a.PauseCampaign(t.Context(), "spring", "wrong text"))
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, []string{"wrong text", "", "wrong text"}, []string{s.Paused, s.InstancePaused, s.CampaignPaused})
	instance, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, instance.PausedCampaigns)
	require.Empty(t, instance.Paused)
	require.NoError(t, a.Pause(t.Context(), ""))
	all, err := a.List(t.Context())
	require.NoError(t, err)
	for i, alone := range []string{"wrong text", ""} {
		require.Equal(t, []string{"no reason given", "no reason given", alone}, []string{all[i].Paused, all[i].InstancePaused, all[i].CampaignPaused})
	}
	cancel(t, a, "spring")
	instance, err = a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Zero(t, instance.PausedCampaigns)
}

// TestWakesContinueWhileAPersonHasPaused, for syncs only.
func TestWakesContinueWhileAPersonHasPaused(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 2, Config{Sync: time.Second})
	require.NoError(t, a.Pause(t.Context(), "weekend"))
	a.enqueue(t, "summer", to("a@example.com"))
	a.start(t)
	for place := range 2 {
		require.NoError(t, fake.Accept(a.invitationOf(t, "spring", place)))
		a.wait(t, "spring", func(s *Status) bool { return s.Counts[StateAccepted] == place+1 })
	}
	require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "summer"))
	require.NoError(t, a.Resume(t.Context(), a.river))
	a.wait(t, "summer", (*Status).Done)
}
