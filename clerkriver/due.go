package clerkriver

import (
	"context"
	"time"
)

// A due is when the next run is due, by the database's clock.
type due struct {
	ok     bool          // there is something to do
	wait   time.Duration // until then; not positive if it is due
	at     time.Time     // the same as a time
	clock  time.Time     // the database's
	now    time.Time     // River's, which is that of the transaction's begin
	failed bool          // the last run ended early
	late   bool          // by two Wakes
}

// due returns when the next run is due: when a campaign may begin and a slot is free, or at
// once if no slot is needed, but not before the lease of a live runner and a pause end. If
// paced, it is not before a Wake after the last one began, or more if that failed.
func (c *Campaigns) due(ctx context.Context, paced bool) (d due, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.closing)
	defer cancel()
	var at *time.Time
	err = c.pool.QueryRow(ctx, c.sql(queryDue), c.config.Instance, c.config.Budget.Creates, c.syncInterval(),
		paced, c.config.Budget.BulkCreates, c.keepFor()).Scan(&d.clock, &d.now, &at, &d.failed)
	if err != nil || at == nil {
		return d, explain(err)
	}
	d.ok, d.at, d.wait = true, *at, at.Sub(d.clock)
	if d.late = paced && d.wait <= -2*c.config.Wake; d.late && c.stuck.Swap(at.UnixNano()) != at.UnixNano() {
		c.report(ctx, Event{Kind: EventStuck, Until: d.at, Reason: "no run has begun since"})
	}
	return d, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// keepFor returns Keep; nil if it is for ever.
func (c *Campaigns) keepFor() *time.Duration {
	if c.config.Keep == 0 {
		return nil
	}
	return &c.config.Keep
}
