package clerkriver

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// resumptions returns the campaigns of all EventResumed, "" for the instance.
func (r *recorder) resumptions() (campaigns []string) {
	for _, event := range r.events() {
		if event.Kind == EventResumed {
			campaigns = append(campaigns, event.Campaign)
		}
	}
	return campaigns
}

// TestEndOfAPauseIsReportedAfterARestart: the service that has reported the pause was restarted,
// and a tool without hooks has ended it.
func TestEndOfAPauseIsReportedAfterARestart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pause, end func(*app) error
		campaign   string
	}{
		"the instance": {
			func(a *app) error { return a.Pause(t.Context(), "wrong list") },
			func(a *app) error { return a.Resume(t.Context(), nil) }, "",
		},
		"a campaign": {
			func(a *app) error { return a.PauseCampaign(t.Context(), "spring", "wrong list") },
			func(a *app) error { return a.ResumeCampaign(t.Context(), nil, "spring") }, "spring",
		},
		"a cancelled campaign": {
			func(a *app) error { return a.PauseCampaign(t.Context(), "spring", "wrong list") },
			func(a *app) error {
				return pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { return a.CancelTx(t.Context(), tx, "spring") })
			}, "spring",
		},
	} {
		db, fake := shared.database(t), clerktest.New()
		before := newApp(t, db, Config{Logger: quiet}, fake) // a logger is enough to report it
		before.enqueue(t, "spring", guests(3))
		before.enqueue(t, "summer", to("other@example.com"))
		require.NoError(t, test.pause(before), name)
		var heard recorder
		service := newApp(t, db, Config{OnEvent: heard.hear}, fake)
		service.work(t)
		require.Empty(t, heard.resumptions(), name)
		require.NoError(t, test.end(newApp(t, db, Config{}, fake)), name)
		service.enqueue(t, "autumn", to("another@example.com"))
		service.work(t)
		require.Equal(t, []string{test.campaign}, heard.resumptions(), name)
		service.enqueue(t, "winter", to("last@example.com"))
		service.work(t)
		require.Len(t, heard.resumptions(), 1, name)
	}
}

// TestEndOfAPauseIsReportedOnce if the process that has reported the pause ends it.
func TestEndOfAPauseIsReportedOnce(t *testing.T) {
	t.Parallel()
	var heard recorder
	a := newApp(t, shared.database(t), Config{OnEvent: heard.hear}, clerktest.New())
	a.enqueue(t, "spring", guests(3))
	require.NoError(t, a.Pause(t.Context(), "wrong list"))
	require.NoError(t, a.PauseCampaign(t.Context(), "spring", "wrong list"))
	require.NoError(t, a.Resume(t.Context(), nil))
	require.NoError(t, a.ResumeCampaign(t.Context(), nil, "spring"))
	a.work(t)
	require.Equal(t, []string{"", "spring"}, heard.resumptions())
}

// TestPauseThatNobodyHeardOfHasNoEnd: a tool without hooks has paused, and another has resumed.
func TestPauseThatNobodyHeardOfHasNoEnd(t *testing.T) {
	t.Parallel()
	db, fake := shared.database(t), clerktest.New()
	var heard recorder
	service := newApp(t, db, Config{OnEvent: heard.hear}, fake)
	service.enqueue(t, "spring", guests(3))
	tool := newApp(t, db, Config{}, fake)
	require.NoError(t, tool.Pause(t.Context(), "wrong list"))
	require.NoError(t, tool.PauseCampaign(t.Context(), "spring", "wrong list"))
	other := newApp(t, db, Config{}, fake)
	require.NoError(t, other.Resume(t.Context(), nil))
	require.NoError(t, other.ResumeCampaign(t.Context(), nil, "spring"))
	service.work(t)
	require.Empty(t, heard.resumptions())
}

// TestPauseByAToolIsReported by the service, once, and so is its end.
func TestPauseByAToolIsReported(t *testing.T) {
	t.Parallel()
	db, fake := shared.database(t), clerktest.New()
	var heard recorder
	service := newApp(t, db, Config{OnEvent: heard.hear}, fake)
	tool := newApp(t, db, Config{}, fake)
	service.enqueue(t, "spring", guests(3))
	service.enqueue(t, "summer", guests(3))
	require.NoError(t, tool.Pause(t.Context(), "wrong list"))
	require.NoError(t, tool.PauseCampaign(t.Context(), "spring", "wrong text"))
	tool.work(t)
	for range 3 {
		service.work(t)
	}
	require.Equal(t, []Event{
		{Kind: EventPaused, Instance: "default", Reason: "wrong list"},
		{Kind: EventPaused, Instance: "default", Campaign: "spring", Reason: "wrong text"},
	}, heard.events())
	require.NoError(t, tool.Resume(t.Context(), nil))
	require.NoError(t, tool.ResumeCampaign(t.Context(), nil, "spring"))
	service.work(t)
	require.Equal(t, []EventKind{EventRunBegun, EventResumed, EventResumed, EventRunEnded}, heard.heard()[2:])
}

// TestPauseByAToolIsReportedAtTheEndOfTheRun that it stops.
func TestPauseByAToolIsReportedAtTheEndOfTheRun(t *testing.T) {
	t.Parallel()
	db, fake := shared.database(t), clerktest.New()
	var heard recorder
	tool := newApp(t, db, Config{}, fake)
	service := newApp(t, db, Config{OnEvent: heard.hear}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			if err := tool.Pause(req.Context(), "wrong list"); err != nil {
				return nil, err
			}
		}
		return fake.RoundTrip(req)
	}))
	service.enqueue(t, "spring", guests(30))
	service.work(t)
	require.Equal(t, []EventKind{EventRunBegun, EventRunEnded, EventPaused}, heard.heard())
}

// TestPauseAfterAnUnreportedEndIsReported: the process that reported the first pause is gone.
func TestPauseAfterAnUnreportedEndIsReported(t *testing.T) {
	t.Parallel()
	db, fake := shared.database(t), clerktest.New()
	var heard recorder
	service := newApp(t, db, Config{OnEvent: heard.hear}, fake)
	tool := newApp(t, db, Config{}, fake)
	service.enqueue(t, "spring", guests(3))
	require.NoError(t, service.Pause(t.Context(), "first"))
	require.NoError(t, service.PauseCampaign(t.Context(), "spring", "first"))
	other := newApp(t, db, Config{OnEvent: heard.hear}, fake)
	require.NoError(t, other.Resume(t.Context(), nil))
	require.NoError(t, other.ResumeCampaign(t.Context(), nil, "spring"))
	require.NoError(t, tool.Pause(t.Context(), "second"))
	require.NoError(t, tool.PauseCampaign(t.Context(), "spring", "second"))
	other.work(t)
	require.Equal(t, []Event{
		{Kind: EventPaused, Instance: "default", Reason: "second"},
		{Kind: EventPaused, Instance: "default", Campaign: "spring", Reason: "second"},
	}, heard.events()[4:])
}

// TestOnEventMayUseThePool for a pause by a tool, even if it has one connection.
func TestOnEventMayUseThePool(t *testing.T) {
	t.Parallel()
	db, fake := shared.database(t), clerktest.New()
	var service *app
	statuses := 0
	service = newApp(t, db+"?pool_max_conns=1", Config{OnEvent: func(ctx context.Context, _ Event) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if _, err := service.InstanceStatus(ctx); assert.NoError(t, err) {
			statuses++
		}
	}}, fake)
	service.enqueue(t, "spring", guests(3))
	require.NoError(t, newApp(t, db, Config{}, fake).Pause(t.Context(), "wrong list"))
	service.work(t)
	require.Equal(t, 1, statuses)
}

// TestLostLeaseIsReported by the run that lost it and by the one that takes over.
func TestLostLeaseIsReported(t *testing.T) {
	t.Parallel()
	var heard recorder
	var log strings.Builder
	a := newApp(t, shared.database(t), Config{OnEvent: heard.hear, Logger: slog.New(slog.NewTextHandler(&log, nil))}, clerktest.New())
	a.enqueue(t, "spring", guests(15))
	late, _ := begun(t, a)
	expire(t, a)
	a.work(t)
	require.NoError(t, late.end(t.Context(), verdict{}))
	require.Equal(t, []Event{
		{Kind: EventRunBegun, Instance: "default", Run: 2, Reason: "run 1 did not end: its process was killed, or lost the database"},
		{Kind: EventRunEnded, Instance: "default", Run: 2},
		{Kind: EventRunEnded, Instance: "default", Run: 1, Reason: errLeaseLost.Error()},
	}, heard.events())
	require.Equal(t, 2, strings.Count(log.String(), "level=WARN"))
	a.enqueue(t, "summer", to("other@example.com"))
	a.work(t)
	require.Equal(t, Event{Kind: EventRunBegun, Instance: "default", Run: 3}, heard.events()[3])
}

// TestFailedDatabaseIsNotBlamedOnHooks, and the run's end is reported.
func TestFailedDatabaseIsNotBlamedOnHooks(t *testing.T) {
	t.Parallel()
	url, fake := shared.database(t), clerktest.New()
	var heard recorder
	var log strings.Builder
	told := 0
	var a *app
	a = newApp(t, url, Config{
		OnEvent: heard.hear, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		OnResult: func(context.Context, pgx.Tx, Result) error { told++; return nil },
	}, roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := fake.RoundTrip(req)
		if req.Method == http.MethodPost {
			go a.pool.Close() // it waits for the connections in use
			require.Eventually(t, func() bool { return a.pool.Ping(t.Context()) != nil }, 10*time.Second, time.Millisecond)
		}
		return resp, err
	}))
	a.enqueue(t, "spring", guests(5))
	_, err := a.Work(t.Context(), a.client)
	require.Error(t, err)
	require.NotContains(t, log.String(), "OnResult or OnChange failed")
	require.Zero(t, told)
	events := heard.events()
	require.Len(t, events, 2)
	require.Equal(t, EventRunEnded, events[1].Kind)
	require.Contains(t, events[1].Reason, "closed pool")
	b := newApp(t, url, Config{OnResult: func(context.Context, pgx.Tx, Result) error { told++; return nil }}, fake)
	expire(t, b)
	b.work(t)
	require.Equal(t, 5, told)
	require.Equal(t, map[State]int{StateCreated: 5}, b.counts(t, "spring"))
}
