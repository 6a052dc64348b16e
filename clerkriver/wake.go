package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/clerk-invitations/clerk-go"
)

// A wake is the arguments of the job that sends what is due.
type wake struct {
	Instance string `json:"instance"`
}

// Kind names the jobs in the database.
func (wake) Kind() string { return "clerk_invitations_wake" }

// Install adds the wake job's worker and queue to the application's configuration, before
// river.NewClient. The client must send through [Campaigns.Transport]. Clients without it
// can enqueue campaigns if they have no workers, but do not send.
//
// A river.Client sends for one instance of Clerk; an application with several needs a
// client for each.
func (c *Campaigns) Install(config *river.Config, client *clerk.Client) error {
	if config == nil || client == nil {
		return errors.New("clerkriver: Install needs a configuration and a client")
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

// A worker is what River calls.
type worker struct {
	river.WorkerDefaults[wake]

	campaigns *Campaigns
	client    *clerk.Client
}

// Timeout is longer than a run lasts, whatever the application's JobTimeout.
func (w *worker) Timeout(*river.Job[wake]) time.Duration { return 2 * w.campaigns.timing.longest }

// Work sends what is due. Before that it schedules the next wakes, so that the campaign
// goes on if this process is killed; two of them, because it may be killed before it has
// scheduled any.
func (w *worker) Work(ctx context.Context, job *river.Job[wake]) error {
	c := w.campaigns
	if job.Args.Instance != c.config.Instance {
		return fmt.Errorf("clerkriver: instances %q and %q use the same queue", job.Args.Instance, c.config.Instance)
	}
	riverClient, err := river.ClientFromContextSafely[pgx.Tx](ctx)
	if err != nil {
		return err
	}
	wait, ok, err := c.wait(ctx)
	if err != nil || !ok {
		return err
	}
	if wait > c.config.Wake {
		return c.wakeIn(ctx, riverClient, wait)
	}
	if err := c.wakeIn(ctx, riverClient, c.config.Wake); err != nil || wait > 0 {
		return err
	}
	due, err := c.Work(ctx, w.client)
	if wait := time.Until(due); err == nil && wait > c.config.Wake {
		err = c.wakeIn(ctx, riverClient, wait)
	}
	return err
}

// wakeIn schedules a wake, and one after it.
func (c *Campaigns) wakeIn(ctx context.Context, riverClient *river.Client[pgx.Tx], wait time.Duration) error {
	return c.insertWakes(wait, func(params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error) {
		return riverClient.InsertMany(ctx, params)
	})
}

// insertWakes inserts the jobs for a wake, and one after it. There is one in each Wake, but
// River goes by the clock of this machine: if that is slow, the wakes of its now have been
// worked on, and another is inserted.
func (c *Campaigns) insertWakes(wait time.Duration, insert func([]river.InsertManyParams) ([]*rivertype.JobInsertResult, error)) error {
	wait = max(0, wait)
	var params []river.InsertManyParams
	for _, after := range []time.Duration{wait, wait + c.config.Wake} {
		opts := &river.InsertOpts{
			Queue:       c.config.Queue,
			MaxAttempts: 1, // the next wake is the next attempt
			UniqueOpts:  river.UniqueOpts{ByArgs: true, ByPeriod: c.config.Wake},
		}
		if after > 0 { // otherwise River works on it at once
			opts.ScheduledAt = time.Now().Add(after)
		}
		params = append(params, river.InsertManyParams{Args: wake{c.config.Instance}, InsertOpts: opts})
	}
	results, err := insert(params)
	isAhead := func(result *rivertype.JobInsertResult) bool { return result.Job.FinalizedAt == nil }
	if err != nil || slices.ContainsFunc(results, isAhead) {
		return err
	}
	params[0].InsertOpts.UniqueOpts = river.UniqueOpts{}
	_, err = insert(params[:1])
	return err
}
