package clerkriver

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// A plan says when there is something to do.
type plan struct {
	now time.Time // by the database's clock
	due time.Time // zero when nothing is to be done
}

// plan finds when the next run is due: when a campaign may begin and a slot is free, or at
// once where rows need no slot. It is not before a live runner's lease ends.
func (c *Campaigns) plan(ctx context.Context) (plan, error) {
	var p plan
	var leased time.Time
	var begin, free *time.Time
	var urgent bool
	err := c.pool.QueryRow(ctx, c.sql(`
		SELECT clock_timestamp(), leased_until,
			(SELECT min(not_before) FROM SCHEMA.clerkriver_campaigns
				WHERE instance = $1 AND finished_at IS NULL),
			(SELECT min(free_at) FROM SCHEMA.clerkriver_slots
				WHERE instance = $1 AND (kind = 'create' AND slot < $2 OR kind = 'bulk' AND slot < $3)),
			EXISTS (SELECT FROM SCHEMA.clerkriver_campaigns c
				WHERE c.instance = $1 AND c.finished_at IS NULL AND (c.cancelled_at IS NOT NULL OR
					EXISTS (SELECT FROM SCHEMA.clerkriver_rows WHERE campaign_id = c.id AND state = 'sending')))
		FROM SCHEMA.clerkriver_instances WHERE name = $1 AND paused_at IS NULL`),
		c.config.Instance, c.config.Budget.Creates, c.config.Budget.Bulks,
	).Scan(&p.now, &leased, &begin, &free, &urgent)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // paused, or nothing was ever enqueued
		return plan{}, nil
	case err != nil || begin == nil:
		return p, err
	}
	p.due = later(p.now, leased)
	if !urgent {
		p.due = later(p.due, *begin)
		if free != nil {
			p.due = later(p.due, *free)
		}
	}
	return p, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
