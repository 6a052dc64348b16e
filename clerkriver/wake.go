package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/clerk-invitations/clerk-go"
)

// WakeKind is the kind of this package's River jobs.
const WakeKind = "clerk_invitations_wake"

// WakeArgs holds the arguments of the job that sends what is due. [Campaigns.EnqueueTx]
// inserts two of them, so that one is left if a process is killed with the other.
type WakeArgs struct {
	// Instance is [Config].Instance.
	Instance string `json:"instance"`
}

// Kind returns [WakeKind].
func (WakeArgs) Kind() string { return WakeKind }

// wakeAttempts limits how often River tries a wake. The last attempt does not end the chain:
// each attempt, and each other wake, adds the wakes that are missing.
const wakeAttempts = 100

// Install adds the wake job's worker and queue to the application's configuration, before
// river.NewClient. The client must be created by [Campaigns.NewClient]. A river.Client sends
// for one Clerk instance; an application with several needs a client for each.
func (c *Campaigns) Install(config *river.Config, client *clerk.Client) error {
	if config == nil || client == nil {
		return errors.New("clerkriver: Install needs a configuration and a client")
	}
	if err := c.checkClient(client); err != nil {
		return err
	}
	if config.Workers == nil {
		config.Workers = river.NewWorkers()
	}
	if err := river.AddWorkerSafely(config.Workers, &worker{campaigns: c, client: client}); err != nil {
		return err
	}
	if config.Queues == nil {
		config.Queues = map[string]river.QueueConfig{}
	}
	if _, ok := config.Queues[c.config.Queue]; !ok {
		config.Queues[c.config.Queue] = river.QueueConfig{MaxWorkers: 2}
	}
	return nil
}

// A worker is the River worker of the wake job.
type worker struct {
	river.WorkerDefaults[WakeArgs]

	campaigns *Campaigns
	client    *clerk.Client
}

// Timeout returns a time that is longer than a run, whatever the application's JobTimeout is.
func (w *worker) Timeout(*river.Job[WakeArgs]) time.Duration { return 2 * w.campaigns.timing.longest }

// NextRetry returns when to retry a failed wake: after one to eight Wakes.
func (w *worker) NextRetry(job *river.Job[WakeArgs]) time.Time {
	return time.Now().Add(w.campaigns.config.Wake << min(max(job.Attempt-1, 0), 3))
}

// Work sends what is due. When a run begins, and again at the end, it makes sure that two
// wakes wait for when the next one is due, so that sending continues if this process and
// another one are killed.
func (w *worker) Work(ctx context.Context, job *river.Job[WakeArgs]) error {
	c := w.campaigns
	if job.Args.Instance != c.config.Instance {
		return fmt.Errorf("clerkriver: instances %q and %q use the same queue", job.Args.Instance, c.config.Instance)
	}
	riverClient, err := river.ClientFromContextSafely[pgx.Tx](ctx)
	if err != nil {
		return err
	}
	failure := c.work(ctx, w.client, true, func() { _ = c.schedule(ctx, riverClient) }) // it is scheduled again below
	err = c.mustSchedule(ctx, riverClient)
	if _, refused := errors.AsType[refusalError](failure); failure != nil && !refused {
		return failure
	}
	return err
}

// mustSchedule schedules the next wakes. If the database fails, it tries again until ctx ends.
func (c *Campaigns) mustSchedule(ctx context.Context, riverClient *river.Client[pgx.Tx]) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := c.schedule(context.WithoutCancel(ctx), riverClient)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// schedule makes sure that two wakes are scheduled: one for the time at which the next run is
// due, and one for a Wake later. It uses River's clock, which is the database's.
func (c *Campaigns) schedule(ctx context.Context, riverClient *river.Client[pgx.Tx]) error {
	next, err := c.due(ctx, true)
	if err == nil && !next.ok {
		return nil
	}
	wake, wait := c.config.Wake, max(0, next.wait)
	from := time.Time{} // earlier wakes will do
	if err != nil {     // the next wake asks again
		next.now, wait = time.Now(), wake
	} else if wait > 0 {
		from = next.now.Add(wait - wake/2)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timing.closing)
	defer cancel()
	list, err := riverClient.JobList(ctx, river.NewJobListParams().Kinds(WakeKind).Queues(c.config.Queue).
		States(rivertype.JobStateAvailable, rivertype.JobStateRetryable, rivertype.JobStateScheduled).
		Where("scheduled_at BETWEEN @from AND @until", river.NamedArgs{"from": from, "until": next.now.Add(wait + wake + wake/2)}).
		OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc).First(2))
	if err != nil {
		return explainRiver(err)
	}
	var missing []river.InsertManyParams
	if len(list.Jobs) == 0 || list.Jobs[0].ScheduledAt.After(next.now.Add(wait+wake/2)) {
		missing = append(missing, c.wakeAt(next.now, wait))
	}
	if len(list.Jobs)+len(missing) < 2 {
		missing = append(missing, c.wakeAt(next.now, wait+wake))
	}
	if len(missing) > 0 {
		_, err = riverClient.InsertMany(ctx, missing)
	}
	return explainRiver(err)
}

// wakeAt returns a wake for a time after River's now.
func (c *Campaigns) wakeAt(now time.Time, wait time.Duration) river.InsertManyParams {
	opts := &river.InsertOpts{Queue: c.config.Queue, MaxAttempts: wakeAttempts}
	if wait > 0 { // otherwise River works on it at once
		opts.ScheduledAt = now.Add(wait)
	}
	return river.InsertManyParams{Args: WakeArgs{c.config.Instance}, InsertOpts: opts}
}
