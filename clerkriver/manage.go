package clerkriver

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// CancelTx cancels a campaign in the transaction tx. Rows that wait are cancelled at once.
// A run that is sending stops after the request under way, whose results are kept. Rows
// that a killed runner may have sent are looked up by the next run. [Config].OnResult is
// not called for rows that were cancelled.
func (c *Campaigns) CancelTx(ctx context.Context, tx pgx.Tx, name string) error {
	id, err := c.campaign(ctx, tx, name)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_campaigns
		SET cancelled_at = clock_timestamp() WHERE id = $1 AND cancelled_at IS NULL AND finished_at IS NULL`), id); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_rows
		SET state = 'cancelled', changed_at = clock_timestamp()
		WHERE campaign_id = $1 AND state = 'waiting' AND attempts = 0`), id); err != nil {
		return err
	}
	return c.finish(ctx, tx)
}

// Pause stops all campaigns of the instance, on all machines, until [Campaigns.Resume]. A
// run that is sending stops after the request under way. Status shows the reason.
func (c *Campaigns) Pause(ctx context.Context, reason string) error {
	_, err := c.pool.Exec(ctx, c.sql(`INSERT INTO SCHEMA.clerkriver_instances (name, paused_at, pause_reason)
		VALUES ($1, clock_timestamp(), $2)
		ON CONFLICT (name) DO UPDATE SET paused_at = clock_timestamp(), pause_reason = $2`),
		c.config.Instance, toText(reason))
	return err
}

// Resume lets paused campaigns go on. It also wakes an instance whose wake jobs somebody
// has deleted. The client is as for [Campaigns.EnqueueTx].
func (c *Campaigns) Resume(ctx context.Context, riverClient *river.Client[pgx.Tx]) error {
	if _, err := c.pool.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_instances
		SET paused_at = NULL, pause_reason = '' WHERE name = $1`), c.config.Instance); err != nil {
		return err
	}
	wait, ok, err := c.wait(ctx)
	if err != nil || !ok || riverClient == nil {
		return err
	}
	return c.wakeIn(ctx, riverClient, wait)
}

// Delete erases the rows of a campaign that has finished, with their addresses, and their
// results. The name stays in use, so that the campaign is not sent again by mistake. The
// error is [ErrActive] if rows have no outcome; cancel the campaign first.
func (c *Campaigns) Delete(ctx context.Context, name string) error {
	return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		id, err := c.campaign(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := c.finish(ctx, tx); err != nil {
			return err
		}
		deleted, err := tx.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_campaigns
			SET deleted_at = clock_timestamp(), digest = '' WHERE id = $1 AND finished_at IS NOT NULL`), id)
		switch {
		case err != nil:
			return err
		case deleted.RowsAffected() == 0:
			return errors.Join(ErrActive, errors.New(name))
		}
		_, err = tx.Exec(ctx, c.sql(`DELETE FROM SCHEMA.clerkriver_rows WHERE campaign_id = $1`), id)
		return err
	})
}
