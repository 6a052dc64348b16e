package clerkriver

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// CancelTx cancels a campaign in the transaction tx. Waiting rows are cancelled at once,
// however many there are. A run that is sending stops after the request under way, whose
// results are kept. Rows that a killed runner may have sent are looked up by the next run.
// [Config].OnResult is not called for rows that were cancelled. While tx is open, nothing else
// of this campaign is sent, but nothing waits for tx.
func (c *Campaigns) CancelTx(ctx context.Context, tx pgx.Tx, name string) error {
	id, err := c.campaign(ctx, tx, name)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, c.sql(queryCancel), id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, c.sql(queryFinishCampaign), c.config.Instance, id)
	return err
}

// Resume ends a pause of the instance, so that the next run can begin at once; the pause of one
// campaign stays. That run also calls [Config].OnResult and OnChange again for what they have
// not accepted. Resume inserts wake jobs, even if somebody has deleted them. The client is as for
// [Campaigns.EnqueueTx].
func (c *Campaigns) Resume(ctx context.Context, riverClient *river.Client[pgx.Tx]) error {
	batch := &pgx.Batch{}
	batch.Queue(c.sql(queryResume), c.config.Instance, c.reporter)
	batch.Queue(c.sql(queryTellNow), c.config.Instance)
	batch.Queue(c.sql(queryTellChangesNow), c.config.Instance)
	if err := c.pool.SendBatch(ctx, batch).Close(); err != nil {
		return explain(err)
	}
	c.report(ctx, Event{Kind: EventResumed})
	return c.wakeUp(ctx, riverClient)
}

// wakeUp schedules the next wakes, unless the client is nil.
func (c *Campaigns) wakeUp(ctx context.Context, riverClient *river.Client[pgx.Tx]) error {
	if riverClient == nil {
		return nil
	}
	return c.schedule(ctx, riverClient)
}

// ResumeCampaign ends the pause of one campaign. The client is as for
// [Campaigns.EnqueueTx].
func (c *Campaigns) ResumeCampaign(ctx context.Context, riverClient *river.Client[pgx.Tx], name string) error {
	if err := c.change(ctx, queryResumeCampaign, name, c.reporter); err != nil {
		return err
	}
	c.report(ctx, Event{Kind: EventResumed, Campaign: name})
	return c.wakeUp(ctx, riverClient)
}

// Reschedule changes the priority of a campaign and the time at which it may begin.
// [Campaigns.EnqueueTx] still compares the options that it was enqueued with. The client is as
// for EnqueueTx.
func (c *Campaigns) Reschedule(ctx context.Context, riverClient *river.Client[pgx.Tx], name string, opts EnqueueOpts) error {
	if err := c.change(ctx, queryReschedule, name, opts.Priority, opts.notBefore()); err != nil {
		return err
	}
	return c.wakeUp(ctx, riverClient)
}
