package clerkriver

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// wait is how long it is until the next run is due: until a campaign may begin and a slot
// is free, or no time where rows need no slot, but not before a live runner's lease ends.
// It is false when nothing is to be done.
func (c *Campaigns) wait(ctx context.Context) (wait time.Duration, ok bool, err error) {
	var now time.Time // by the database's clock
	var leased time.Time
	var begin, free *time.Time
	var urgent bool
	err = c.pool.QueryRow(ctx, c.sql(`
		SELECT clock_timestamp(), leased_until,
			(SELECT min(not_before) FROM SCHEMA.clerkriver_campaigns
				WHERE instance = $1 AND finished_at IS NULL),
			(SELECT min(free_at) FROM SCHEMA.clerkriver_slots
				WHERE instance = $1 AND (kind = 'create' AND slot < $2 OR kind = 'bulk' AND slot < $3)),
			EXISTS (SELECT FROM SCHEMA.clerkriver_campaigns c
				WHERE c.instance = $1 AND c.finished_at IS NULL AND (c.cancelled_at IS NOT NULL OR
					EXISTS (SELECT FROM SCHEMA.clerkriver_rows WHERE campaign_id = c.id AND state = 'sending')))
		FROM SCHEMA.clerkriver_instances WHERE name = $1 AND paused_at IS NULL`),
		c.config.Instance, c.config.Budget.Creates, c.config.Budget.BulkCreates,
	).Scan(&now, &leased, &begin, &free, &urgent)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // paused, or nothing was ever enqueued
		return 0, false, nil
	case err != nil || begin == nil:
		return 0, false, err
	}
	due := later(now, leased)
	if !urgent {
		due = later(due, *begin)
		if free != nil {
			due = later(due, *free)
		}
	}
	return due.Sub(now), true, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
