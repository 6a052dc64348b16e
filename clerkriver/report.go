package clerkriver

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// report logs an event, and calls OnEvent.
func (c *Campaigns) report(ctx context.Context, event Event) {
	event.Instance = c.config.Instance
	if c.config.Logger != nil {
		c.config.Logger.LogAttrs(ctx, event.level(), "clerk invitations: "+string(event.Kind), event.attrs()...)
	}
	if c.config.OnEvent != nil {
		_ = guarded(func() error { // a panic of OnEvent is ignored
			c.config.OnEvent(ctx, event)
			return nil
		})
	}
}

// reportUntold logs that OnResult or OnChange failed in a run, n times, and why the first time.
func (c *Campaigns) reportUntold(ctx context.Context, run int64, n int, first error) {
	if n == 0 || c.config.Logger == nil {
		return
	}
	c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "clerk invitations: OnResult or OnChange failed",
		slog.String("instance", c.config.Instance), slog.Int64("run", run), slog.Int("times", n), slog.String("error", redacted(first.Error())))
}

// reportBegun reports that the run has begun, and whether the last one has not ended.
func (r *run) reportBegun(ctx context.Context) {
	reason := ""
	if r.takesOver {
		reason = fmt.Sprintf("run %d did not end: its process was killed, or lost the database", r.run-1)
	}
	r.c.report(ctx, Event{Kind: EventRunBegun, Run: r.run, Reason: reason})
}

// reportPaused reports pauses of processes that report nothing, such as an operator's tool. A
// failure is harmless: the next wake reports them.
func (c *Campaigns) reportPaused(ctx context.Context) {
	if c.reporter == "" {
		return
	}
	asking, cancel := c.closing(ctx)
	defer cancel()
	rows, err := c.pool.Query(asking, c.sql(queryUnreported), c.config.Instance, c.reporter)
	if err != nil {
		return
	}
	events, _ := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Event, error) { // OnEvent may need the connection
		event := Event{Kind: EventPaused}
		err := row.Scan(&event.Campaign, &event.Reason, &event.Until)
		event.Until = timeOrZero(event.Until)
		return event, err
	})
	for _, event := range events {
		c.report(ctx, event)
	}
}

// reportResumed reports the end of pauses that another process has reported, or this one, and
// that nobody has reported to be over. It is accepted if Clerk accepts requests again, after a
// pause that ended by itself. A failure is harmless: the next run reports them.
func (r *run) reportResumed(ctx context.Context, accepted bool) {
	asking, cancel := r.c.closing(ctx)
	defer cancel()
	rows, err := r.pool.Query(asking, r.sql(queryResumed), r.instance, accepted)
	if err != nil {
		return
	}
	campaigns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(campaigns) == 0 {
		return
	}
	for _, campaign := range campaigns {
		r.c.report(ctx, Event{Kind: EventResumed, Campaign: campaign, Run: r.run})
	}
	batch := &pgx.Batch{}
	batch.Queue(r.sql(queryResumedInstance), r.instance, accepted)
	batch.Queue(r.sql(queryResumedCampaigns), r.instance)
	_ = r.pool.SendBatch(asking, batch).Close() // otherwise they are reported again
}
