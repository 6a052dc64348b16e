package clerkriver

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// A verdict is what a run learned about the instance.
type verdict struct {
	problem    error // why it ended early
	refused    bool  // Clerk refused all requests, or all creates
	creates    bool  // Clerk refused creates
	enveloped  bool  // with its own error envelope
	mayBeKnown bool  // rows without a result may have been sent
}

// end gives back the rows without a result, and the lease. It reports a pause that begins or
// ends at that point.
func (r *run) end(ctx context.Context, v verdict) error {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	problem := ""
	if v.problem != nil {
		problem = oneLine(v.problem.Error())
	}
	var campaigns []int64
	var places []int
	var problems []string
	for _, u := range r.unknowns {
		campaigns, places, problems = append(campaigns, u.campaign), append(places, u.place), append(problems, oneLine(u.problem))
	}
	batch := &pgx.Batch{}
	batch.Queue(r.sql(queryGiveBackUnknown), r.instance, r.run, campaigns, places, problems)
	batch.Queue(r.sql(queryGiveBack), r.instance, r.run, v.mayBeKnown)
	batch.Queue(r.sql(queryEraseLater), r.instance)
	batch.Queue(r.sql(queryFinish), r.instance)
	batch.Queue(r.sql(queryEnd), r.instance)
	batch.Queue(r.sql(queryReleaseLease), r.instance, r.run, problem, r.sent, v.refused, v.enveloped, r.c.config.Wake, r.asked, r.idle,
		r.c.reporter, v.creates)
	results := r.pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }() // for early returns; closing twice is harmless
	for range 5 {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	var paused, accepted bool
	var reason string
	var until time.Time
	err := results.QueryRow().Scan(&paused, &accepted, &reason, &until)
	if errors.Is(err, pgx.ErrNoRows) { // another runner has the lease
		r.c.report(ctx, Event{Kind: EventRunEnded, Run: r.run, Reason: errLeaseLost.Error()})
		return results.Close()
	}
	if err != nil {
		return err
	}
	if err := results.Close(); err != nil {
		return err
	}
	r.c.report(ctx, Event{Kind: EventRunEnded, Run: r.run, Reason: problem})
	switch {
	case paused && v.enveloped && timeOrZero(until) != (time.Time{}):
		r.c.report(ctx, Event{Kind: EventPaused, Run: r.run, Reason: reason, Until: until})
	case r.wasPaused && accepted && !paused:
		r.reportResumed(ctx, true)
	}
	return nil
}
