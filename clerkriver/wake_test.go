package clerkriver

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// jobs returns all wake jobs in the order in which they will run.
func (a *app) jobs(tb testing.TB) []*rivertype.JobRow {
	tb.Helper()
	list, err := a.river.JobList(tb.Context(), river.NewJobListParams().Kinds(WakeKind).First(1000).
		OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc))
	require.NoError(tb, err)
	return list.Jobs
}

// TestJobsWaitForTheLimit: a campaign of any size has two jobs that wait for it, besides two
// that wait for the end of a killed run, and they name no address.
func TestJobsWaitForTheLimit(t *testing.T) {
	t.Parallel()
	limits := clerk.Budget{Creates: 100, BulkCreates: 25, Window: 3 * time.Hour}
	fake := clerktest.New(strict(limits))
	a := newApp(t, shared.database(t), Config{Limits: limits, Wake: time.Hour}, fake)
	a.enqueue(t, "spring", guests(5000))
	a.start(t)
	var jobs []*rivertype.JobRow
	require.Eventually(t, func() bool {
		jobs = a.jobs(t)
		return jobs[0].FinalizedAt != nil
	}, 2*time.Minute, 50*time.Millisecond)
	require.Equal(t, 340, a.counts(t, "spring")[StateCreated])
	require.Len(t, jobs, 5)
	for _, job := range jobs {
		require.JSONEq(t, `{"instance":"default"}`, string(job.EncodedArgs))
		require.Equal(t, "clerk_invitations", job.Queue)
		require.Empty(t, job.Errors)
	}
	for i, job := range jobs[1:] {
		require.Equal(t, rivertype.JobStateScheduled, job.State)
		require.WithinDuration(t, time.Now().Add(time.Duration(i+1)*time.Hour), job.ScheduledAt, 5*time.Minute)
	}
	require.Equal(t, 1, sent(fake, clerk.OperationList))
	for _, req := range fake.Requests() {
		require.Equal(t, http.StatusOK, req.Status)
	}
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(3*time.Hour), s.WaitUntil, 5*time.Minute)
	require.WithinDuration(t, time.Now().Add(14*3*time.Hour), s.EstimatedEnd, 5*time.Minute)
}

// TestWakeThatDiedBeforeItScheduled: the process is killed between taking the job and its
// first statement, and River rescues the job an hour later.
func TestWakeThatDiedBeforeItScheduled(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", guests(5))
	jobs := a.jobs(t)
	require.Len(t, jobs, 2)
	_, err := a.pool.Exec(t.Context(), "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() WHERE id = $1", jobs[0].ID)
	require.NoError(t, err)
	a.start(t)
	a.wait(t, "spring", (*Status).Done)
	require.Len(t, fake.Invitations(), 5)
}

// TestSlowClockWakes: on a machine whose clock is slow, others have already run the wakes of
// the current period. The machine's campaign still gets a wake.
func TestSlowClockWakes(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{Wake: time.Hour}, clerktest.New())
	a.enqueue(t, "spring", guests(5))
	_, err := a.pool.Exec(t.Context(), "UPDATE river_job SET state = 'completed', finalized_at = now()")
	require.NoError(t, err)
	a.enqueue(t, "summer", guests(6))
	require.True(t, slices.ContainsFunc(a.jobs(t), func(job *rivertype.JobRow) bool { return job.State == rivertype.JobStateAvailable }))
}

// TestWakesGoOnAfterAnError: a failed job is tried again, and records why it failed.
func TestWakesGoOnAfterAnError(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var down atomic.Bool
	down.Store(true)
	a := newApp(t, shared.database(t), Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if down.Load() {
			return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		}
		return fake.RoundTrip(req)
	}), clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 100 * time.Millisecond}}))
	a.enqueue(t, "spring", guests(5))
	a.start(t)
	s := a.wait(t, "spring", func(s *Status) bool { return strings.Contains(s.Problem, "502") })
	require.Equal(t, map[State]int{StateWaiting: 5}, s.Counts)
	failed := func(job *rivertype.JobRow) bool {
		return job.State != rivertype.JobStateDiscarded && len(job.Errors) > 0 && strings.Contains(job.Errors[0].Error, "502")
	}
	require.Eventually(t, func() bool { return slices.ContainsFunc(a.jobs(t), failed) }, 10*time.Second, 50*time.Millisecond)
	down.Store(false)
	a.wait(t, "spring", (*Status).Done)
}

// TestNothingToDoEndsTheWakes: an idle instance costs no jobs.
func TestNothingToDoEndsTheWakes(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.timing.lease = 3 * time.Second // wakes are scheduled for its end, in case the run dies
	begun := time.Now()
	a.enqueue(t, "spring", guests(5))
	a.start(t)
	a.wait(t, "spring", (*Status).Done)
	require.Eventually(t, func() bool {
		for _, job := range a.jobs(t) {
			if job.FinalizedAt == nil {
				return false
			}
		}
		return true
	}, 30*time.Second, 100*time.Millisecond)
	require.LessOrEqual(t, len(a.jobs(t)), 4+int(time.Since(begun)/a.config.Wake))
	a.enqueue(t, "summer", guests(6))
	a.wait(t, "summer", (*Status).Done)
}

func TestInstallTouchesNothingElse(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	a := newApp(t, url, Config{}, clerktest.New())
	workers := river.NewWorkers()
	config := &river.Config{
		Workers: workers, Logger: quiet,
		Queues: map[string]river.QueueConfig{"default": {MaxWorkers: 7}},
	}
	require.NoError(t, a.Install(config, a.client))
	require.Same(t, workers, config.Workers)
	require.Equal(t, map[string]river.QueueConfig{"default": {MaxWorkers: 7}, "clerk_invitations": {MaxWorkers: 2}}, config.Queues)
	require.Equal(t, &river.Config{Workers: workers, Queues: config.Queues, Logger: quiet}, config)
	require.ErrorContains(t, a.Install(config, a.client), "already registered")
	config = &river.Config{Queues: map[string]river.QueueConfig{"clerk_invitations": {MaxWorkers: 1}}}
	require.NoError(t, a.Install(config, a.client))
	require.Equal(t, 1, config.Queues["clerk_invitations"].MaxWorkers)
}

func TestQueueOfAnotherInstanceIsAnError(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	work := &worker{campaigns: a.Campaigns, client: a.client}
	err := work.Work(context.Background(), &river.Job[WakeArgs]{Args: WakeArgs{Instance: "other"}})
	require.ErrorContains(t, err, `instances "other" and "default" use the same queue`)
	require.Greater(t, work.Timeout(nil), a.timing.longest)
}

// TestWorkNeedsNoRiver, so that Temporal, asynq or cron can call Work.
func TestWorkNeedsNoRiver(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	_, err := a.pool.Exec(t.Context(), "DROP TABLE river_job CASCADE")
	require.NoError(t, err)
	require.Zero(t, a.work(t))
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := a.EnqueueTx(t.Context(), nil, tx, "spring", guests(15), nil)
		return err
	}))
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 15}, a.counts(t, "spring"))
}

// TestRunsStayOneAWake, however many jobs and processes there are.
func TestRunsStayOneAWake(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	fake := clerktest.New()
	a := newApp(t, url, Config{Wake: 10 * time.Second}, fake)
	for i := range 20 {
		a.enqueue(t, fmt.Sprint("campaign ", i), to(guest(i)))
	}
	require.Len(t, a.jobs(t), 40)
	a.start(t)
	newApp(t, url, Config{Wake: 10 * time.Second}, fake).start(t)
	for i := range 20 {
		a.wait(t, fmt.Sprint("campaign ", i), (*Status).Done)
	}
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, s.Run, int64(2))
	require.LessOrEqual(t, sent(fake, clerk.OperationList), 2)
	require.LessOrEqual(t, len(a.jobs(t)), 40+2*4, "each of the four workers may find none, and add two")
}

// TestWakesSurviveErrors: this package's tables are locked for longer than the database lets a
// statement wait, and then they are missing.
func TestWakesSurviveErrors(t *testing.T) {
	t.Parallel()
	url := shared.database(t)
	a := newApp(t, url, Config{}, clerktest.New())
	_, err := a.pool.Exec(t.Context(), "ALTER DATABASE "+a.pool.Config().ConnConfig.Database+" SET lock_timeout = '200ms'")
	require.NoError(t, err)
	a.pool.Reset()
	a.enqueue(t, "spring", guests(5))
	lock, err := a.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = lock.Exec(t.Context(), "LOCK TABLE clerkriver_instances, clerkriver_campaigns, clerkriver_rows")
	require.NoError(t, err)
	a.start(t)
	failed := func(n int) func() bool {
		return func() bool {
			errors := 0
			for _, job := range a.jobs(t) {
				errors += len(job.Errors)
			}
			return errors >= n
		}
	}
	require.Eventually(t, failed(4), time.Minute, 100*time.Millisecond)
	_, err = lock.Exec(t.Context(), "ALTER TABLE clerkriver_instances RENAME TO gone")
	require.NoError(t, err)
	require.NoError(t, lock.Commit(t.Context()))
	before := 0
	for _, job := range a.jobs(t) {
		before += len(job.Errors)
	}
	require.Eventually(t, failed(before+3), time.Minute, 100*time.Millisecond)
	waiting := 0
	for _, job := range a.jobs(t) {
		if job.FinalizedAt == nil {
			waiting++
		}
	}
	require.LessOrEqual(t, waiting, 8, "they do not pile up")
	_, err = a.pool.Exec(t.Context(), "ALTER TABLE gone RENAME TO clerkriver_instances")
	require.NoError(t, err)
	a.wait(t, "spring", (*Status).Done)
}

// TestLateRunIsReported: no process works on the wake jobs.
func TestLateRunIsReported(t *testing.T) {
	t.Parallel()
	var events []Event
	a := newApp(t, shared.database(t), Config{OnEvent: func(_ context.Context, event Event) { events = append(events, event) }}, clerktest.New())
	a.enqueue(t, "spring", guests(5))
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Zero(t, s.OverdueSince)
	require.Empty(t, s.Problem)
	_, err = a.pool.Exec(t.Context(), "DELETE FROM river_job; UPDATE clerkriver_campaigns SET enqueued_at = enqueued_at - interval '9 minutes'")
	require.NoError(t, err)
	for range 2 {
		s, err = a.Status(t.Context(), "spring")
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(-9*time.Minute), s.OverdueSince, 10*time.Second)
		require.Contains(t, s.Problem, "no run has begun since ")
		instance, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, s.OverdueSince, instance.OverdueSince)
	}
	require.Len(t, events, 1)
	require.Equal(t, EventStuck, events[0].Kind)
	require.Equal(t, s.OverdueSince, events[0].Until)
	require.Equal(t, "the run due at "+s.OverdueSince.UTC().Format(time.RFC3339)+" has not begun", events[0].Reason)
	require.NoError(t, a.Resume(t.Context(), a.river))
	a.start(t)
	require.Empty(t, a.wait(t, "spring", (*Status).Done).Problem)
}

// TestFarWakesReplaceNoNearOnes: a campaign of next month has scheduled wakes as well.
func TestFarWakesReplaceNoNearOnes(t *testing.T) {
	t.Parallel()
	limits := clerk.Budget{Creates: 5, BulkCreates: 1, Window: 2 * time.Second}
	a := newApp(t, shared.database(t), Config{Limits: limits, Budget: limits}, clerktest.New())
	a.timing.grace, a.timing.patience = 0, time.Second
	for i := range 12 {
		require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
			opts := &EnqueueOpts{NotBefore: time.Now().AddDate(0, 1, 0)}
			_, err := a.EnqueueTx(t.Context(), a.river, tx, fmt.Sprint("later ", i), to(guest(100+i)), opts)
			return err
		}))
	}
	a.enqueue(t, "spring", guests(40))
	a.start(t)
	require.Equal(t, map[State]int{StateCreated: 40}, a.wait(t, "spring", (*Status).Done).Counts)
	require.Less(t, len(a.jobs(t)), 24+20)
}

// TestMachineClockMayDiffer: the database is ten minutes behind this machine, or ahead of it.
func TestMachineClockMayDiffer(t *testing.T) {
	t.Parallel()
	for _, offset := range []string{"-10 minutes", "10 minutes"} {
		url := shared.database(t)
		_, err := connect(t, url).Exec(t.Context(), strings.ReplaceAll(`CREATE SCHEMA skew;
			CREATE FUNCTION skew.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.clock_timestamp() + interval 'OFFSET' $$;
			CREATE FUNCTION skew.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT pg_catalog.now() + interval 'OFFSET' $$;
			ALTER TABLE river_job ALTER scheduled_at SET DEFAULT skew.now(), ALTER created_at SET DEFAULT skew.now();`, "OFFSET", offset))
		require.NoError(t, err)
		limits := clerk.Budget{Creates: 5, BulkCreates: 1, Window: 2 * time.Second}
		a := newApp(t, url+"?options=-csearch_path%3Dskew,pg_catalog,public", Config{Limits: limits, Budget: limits}, clerktest.New())
		a.timing.grace = 0
		a.enqueue(t, "spring", guests(40))
		a.start(t)
		require.Equal(t, map[State]int{StateCreated: 40}, a.wait(t, "spring", (*Status).Done).Counts)
	}
}
