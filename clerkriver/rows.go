package clerkriver

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// begin takes the lease, and the rows that the last run left. It returns nil if another runner
// holds the lease, a pause has not ended by itself or, if paced, the last run began less than a
// Wake ago.
func (c *Campaigns) begin(ctx context.Context, client *clerk.Client, paced bool) (*run, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.closing)
	defer cancel()
	r := &run{lease: lease{database: c.database, instance: c.config.Instance}, c: c, client: client}
	holder := rand.Text()
	// One batch is one transaction, which a stopped process cannot leave open.
	batch := &pgx.Batch{}
	batch.Queue(c.sql(queryAddInstance), r.instance)
	batch.Queue(c.sql(queryTakeLease), r.instance, holder, c.timing.lease, c.config.Wake, paced,
		c.config.OnResult != nil, c.config.OnChange != nil, c.config.settings())
	batch.Queue(c.sql(queryTakeOver), r.instance, holder)
	results := c.pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }() // again, if this has not been reached
	if _, err := results.Exec(); err != nil {
		return nil, explain(err)
	}
	err := results.QueryRow().Scan(&r.run, &r.wasPaused, &r.held, &r.shown, &r.lacksOnResult, &r.lacksOnChange, &r.takesOver)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, results.Close()
	}
	if err != nil {
		return nil, explain(err)
	}
	rows, err := results.Query()
	if err != nil {
		return nil, explain(err)
	}
	if r.left, err = pgx.CollectRows(rows, scanItem); err != nil {
		return nil, explain(err)
	}
	sortItems(r.left)
	return r, results.Close()
}

// choose finds the campaigns to send: those with rows that a lost run was sending, or else
// those that come first. It returns false if there are none. After a sync it returns true only
// for reminders, which need no second listing, and if a pause has ended by itself: only what is
// sent shows whether Clerk accepts it again.
func (r *run) choose(ctx context.Context) (bool, error) {
	var first int64
	var again []int64 // campaigns with rows that the last run left
	for _, it := range r.left {
		if it.cancelled || it.held {
			continue
		}
		again = append(again, it.campaign)
		if first == 0 && it.sending {
			first = it.campaign
		}
	}
	var resend bool
	var g group
	budget := r.c.config.Budget
	err := r.pool.QueryRow(ctx, r.sql(queryChoose), r.instance, budget.Creates, budget.BulkCreates, again, first).
		Scan(&g.campaign, &resend, &g.reminds, &g.since)
	if errors.Is(err, pgx.ErrNoRows) {
		r.idle = true
		return false, nil
	}
	if err != nil || r.synced && !g.reminds && !r.wasPaused { // the others wait for the next run, which may list as well
		return false, err
	}
	g.since = g.since.Add(-skipSlack)
	if !resend {
		g.campaign = 0
	}
	r.group = g
	r.pulled, err = r.retake(ctx, queryRetake, slices.DeleteFunc(slices.Clone(r.left), func(it item) bool {
		// the others wait for their own run
		return it.cancelled || it.held || it.request.IgnoreExisting != resend || resend && it.campaign != g.campaign
	}))
	return true, err
}

// pull takes rows that no run has taken, if there are any.
func (r *run) pull(ctx context.Context) ([]item, error) {
	for {
		rows, err := r.pool.Query(ctx, r.sql(queryPull), r.instance, r.run, r.group.campaign, chunk)
		if err != nil {
			return nil, err
		}
		items, err := pgx.CollectRows(rows, scanItem)
		if err != nil || len(items) == 0 {
			return nil, err
		}
		items = slices.DeleteFunc(items, func(it item) bool { return it.place < 0 })
		if r.group.reminds {
			if items, err = r.remindable(ctx, items); err != nil {
				return nil, err
			}
		}
		if len(items) > 0 {
			sortItems(items)
			return items, nil
		}
	}
}
