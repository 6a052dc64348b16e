package clerkriver

import (
	"context"
	"time"
)

// A due says when the next run is due, by the database's clock.
type due struct {
	ok     bool          // there is something to do
	wait   time.Duration // until the next run; not positive if it is due
	at     time.Time     // when the next run is due
	clock  time.Time     // the database's
	now    time.Time     // River's time: when the transaction began
	failed bool          // the last run ended early
	late   time.Time     // when it was due for waiting rows, if it is late; not before the last run ended
}

// minLate is the shortest time after which a run is late. River looks for scheduled jobs every
// five seconds.
const minLate = 10 * time.Second

// due returns when the next run is due: when a campaign may begin and a slot is free, or at
// once if no slot is needed. It is not before the end of a live runner's lease, or of a pause that
// ends by itself. While a person has paused, only what sends nothing counts.
// If paced, it is at least one Wake after the last run began, or more if that failed.
func (c *Campaigns) due(ctx context.Context, paced bool) (d due, err error) {
	asking, cancel := context.WithTimeout(ctx, c.timing.closing)
	defer cancel()
	var at, rows *time.Time
	err = c.pool.QueryRow(asking, c.sql(queryDue), c.config.Instance, c.config.Budget.Creates, c.config.Budget.BulkCreates,
		c.syncInterval(), paced, c.keepFor(), c.config.OnResult != nil, c.config.OnChange != nil).Scan(&d.clock, &d.now, &d.failed, &at, &rows)
	if err != nil {
		return d, explain(err)
	}
	if at != nil {
		d.ok, d.at, d.wait = true, *at, at.Sub(d.clock)
	}
	if rows != nil && d.clock.Sub(*rows) >= max(2*c.config.Wake, minLate) {
		d.late = *rows
	}
	if paced {
		c.reportLate(ctx, d.late)
	}
	return d, nil
}

// reportLate reports once that a run was due at that time and has not begun, or that none is
// late anymore.
func (c *Campaigns) reportLate(ctx context.Context, late time.Time) {
	now := int64(0)
	if !late.IsZero() {
		now = late.UnixNano()
	}
	switch before := c.stuck.Swap(now); {
	case before == now:
	case now == 0:
		c.report(ctx, Event{Kind: EventUnstuck})
	default:
		c.report(ctx, Event{
			Kind: EventStuck, Until: late, Reason: "the run due at " + late.UTC().Format(time.RFC3339) + " has not begun",
		})
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// clock returns a time for people.
func clock(t time.Time) string { return t.Local().Format(time.DateTime + " MST") }

// keepFor returns Keep, or nil for forever.
func (c *Campaigns) keepFor() *time.Duration {
	if c.config.Keep == 0 {
		return nil
	}
	return &c.config.Keep
}
