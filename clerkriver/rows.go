package clerkriver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

const (
	// chunk is how many rows are pulled at a time, and so how many may be left without an
	// outcome, beside those of CreateAll, by a runner that is killed.
	chunk = clerk.MaxBulkInvitations
	// skipSlack is how far the clocks of Clerk and the database may differ.
	skipSlack = time.Minute
	// maxAttempts is how often a row may be left without an outcome before it is reported
	// as unknown.
	maxAttempts = 3
	// closing is how long the writes at the end of a run may take.
	closing = 10 * time.Second
)

// An item is a row that a run has taken.
type item struct {
	campaign int64
	name     string // of the campaign
	priority int32
	enqueued time.Time
	place    int
	ref      string
	request  clerk.CreateInvitationRequest
	attempts int // by earlier runs that may have sent it
}

// itemColumns are the columns of an item, of campaigns c and rows r.
const itemColumns = "c.id, c.name, c.priority, c.enqueued_at, r.place, r.ref, r.request, r.attempts"

func scanItem(row pgx.CollectableRow) (it item, err error) {
	var encoded []byte
	err = row.Scan(&it.campaign, &it.name, &it.priority, &it.enqueued, &it.place, &it.ref, &encoded, &it.attempts)
	if err == nil {
		it.request, err = decodeRequest(encoded)
	}
	return it, err
}

// items runs a query for items, and sorts them in the order of sending.
func (c *Campaigns) items(ctx context.Context, db querier, query string, args ...any) ([]item, error) {
	rows, err := db.Query(ctx, c.sql(query), args...)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, scanItem)
	slices.SortFunc(all, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.campaign, b.campaign), cmp.Compare(a.place, b.place))
	})
	return all, err
}

// begin takes the lease, and the rows of a run that was lost. It returns nil if another
// runner holds the lease, or there is nothing to do.
func (c *Campaigns) begin(ctx context.Context, client *clerk.Client) (*run, error) {
	r := &run{c: c, client: client}
	tx, err := c.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after Commit
	err = tx.QueryRow(ctx, c.sql(`UPDATE SCHEMA.clerkriver_instances
		SET run = run + 1, leased_until = clock_timestamp() + $2::interval
		WHERE name = $1 AND paused_at IS NULL AND leased_until <= clock_timestamp() RETURNING run`),
		c.config.Instance, c.timing.lease).Scan(&r.id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.resumed, err = c.items(ctx, tx, `UPDATE SCHEMA.clerkriver_rows r
		SET run = $2, attempts = least(attempts + 1, 1000), changed_at = clock_timestamp()
		FROM SCHEMA.clerkriver_campaigns c
		WHERE c.instance = $1 AND c.finished_at IS NULL AND c.cancelled_at IS NULL
			AND r.campaign_id = c.id AND r.state = 'sending'
		RETURNING `+itemColumns, c.config.Instance, r.id)
	if err != nil {
		return nil, err
	}
	return r, tx.Commit(ctx)
}

// choose finds the campaigns to send: those of the rows that were taken over, or else
// those that come first. It is false if there are none.
func (r *run) choose(ctx context.Context) (bool, error) {
	var first int64
	if len(r.resumed) > 0 {
		first = r.resumed[0].campaign
	}
	var resend bool
	var g group
	err := r.c.pool.QueryRow(ctx, r.c.sql(`SELECT id, resend, enqueued_at FROM SCHEMA.clerkriver_campaigns c
		WHERE instance = $1 AND finished_at IS NULL AND cancelled_at IS NULL AND (id = $2 OR $2 = 0
			AND not_before <= clock_timestamp()
			AND EXISTS (SELECT FROM SCHEMA.clerkriver_rows WHERE campaign_id = c.id AND state = 'waiting'))
		ORDER BY priority, id LIMIT 1`), r.c.config.Instance, first).Scan(&g.campaign, &resend, &g.since)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	g.since = g.since.Add(-skipSlack)
	if !resend {
		g.campaign = 0
	}
	r.group = g
	r.pulled = slices.DeleteFunc(r.resumed, func(it item) bool { // the others stay for their own run
		return it.request.IgnoreExisting != resend || resend && it.campaign != g.campaign
	})
	return true, nil
}

// pull takes rows that wait, for this run.
func (r *run) pull(ctx context.Context) ([]item, error) {
	return r.c.items(ctx, r.c.pool, `WITH next AS (
			SELECT c.id, w.place FROM SCHEMA.clerkriver_campaigns c CROSS JOIN LATERAL (
				SELECT place FROM SCHEMA.clerkriver_rows
				WHERE campaign_id = c.id AND state = 'waiting' AND run <> $2
				ORDER BY place LIMIT $4 FOR UPDATE SKIP LOCKED) w
			WHERE c.instance = $1 AND c.finished_at IS NULL AND c.cancelled_at IS NULL
				AND c.not_before <= clock_timestamp()
				AND (c.id = $3 OR $3 = 0 AND NOT c.resend)
			ORDER BY c.priority, c.id, w.place LIMIT $4)
		UPDATE SCHEMA.clerkriver_rows r SET state = 'sending', run = $2, changed_at = clock_timestamp()
		FROM next JOIN SCHEMA.clerkriver_campaigns c USING (id)
		WHERE r.campaign_id = next.id AND r.place = next.place
			AND EXISTS (SELECT FROM SCHEMA.clerkriver_instances
				WHERE name = $1 AND run = $2 AND leased_until > clock_timestamp() AND paused_at IS NULL)
		RETURNING `+itemColumns, r.c.config.Instance, r.id, r.group.campaign, chunk)
}

// extend extends the lease. It returns errLeaseLost, errPaused or errCancelled if the run
// must end.
func (r *run) extend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.c.timing.lease/3)
	defer cancel()
	var paused, cancelled bool
	err := r.c.pool.QueryRow(ctx, r.c.sql(`UPDATE SCHEMA.clerkriver_instances
		SET leased_until = clock_timestamp() + $3::interval
		WHERE name = $1 AND run = $2 AND leased_until > clock_timestamp()
		RETURNING paused_at IS NOT NULL, EXISTS (SELECT FROM SCHEMA.clerkriver_campaigns c
			JOIN SCHEMA.clerkriver_rows r ON r.campaign_id = c.id AND r.run = $2 AND r.state = 'sending'
			WHERE c.instance = $1 AND c.finished_at IS NULL AND c.cancelled_at IS NOT NULL)`),
		r.c.config.Instance, r.id, r.c.timing.lease).Scan(&paused, &cancelled)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errLeaseLost
	case paused:
		return errPaused
	case cancelled:
		return errCancelled
	}
	return err
}

// checkLease returns errLeaseLost or errPaused if the run may not send.
func (r *run) checkLease(ctx context.Context) error {
	var paused bool
	err := r.c.pool.QueryRow(ctx, r.c.sql(`SELECT paused_at IS NOT NULL FROM SCHEMA.clerkriver_instances
		WHERE name = $1 AND run = $2 AND leased_until > clock_timestamp()`), r.c.config.Instance, r.id).Scan(&paused)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errLeaseLost
	case paused:
		return errPaused
	}
	return err
}

// keep writes the result of a row, and calls OnResult in the same transaction. A row that
// another run has taken over is left alone. It reports whether the campaign was cancelled.
func (r *run) keep(ctx context.Context, it item, state State, invitationID, problem string) (cancelled bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	err = pgx.BeginFunc(ctx, r.c.pool, func(tx pgx.Tx) error {
		result := Result{
			Campaign: it.name, Place: it.place, Ref: it.ref, EmailAddress: it.request.EmailAddress,
			State: state, InvitationID: invitationID, Problem: problem,
		}
		err := tx.QueryRow(ctx, r.c.sql(`UPDATE SCHEMA.clerkriver_rows r
			SET state = $4, invitation_id = nullif($5, ''), problem = nullif($6, ''), changed_at = clock_timestamp()
			FROM SCHEMA.clerkriver_campaigns c
			WHERE c.id = $1 AND r.campaign_id = $1 AND r.place = $2 AND r.run = $3 AND r.state = 'sending'
			RETURNING r.changed_at, c.cancelled_at IS NOT NULL`),
			it.campaign, it.place, r.id, string(state), invitationID, toText(problem)).Scan(&result.ChangedAt, &cancelled)
		if errors.Is(err, pgx.ErrNoRows) {
			return errLeaseLost
		}
		if err != nil || r.c.config.OnResult == nil || state == StateCancelled {
			return err
		}
		return r.c.config.OnResult(ctx, tx, result)
	})
	if errors.Is(err, errLeaseLost) {
		r.stop(errLeaseLost)
		return false, nil
	}
	return cancelled, err
}

// toText is what PostgreSQL takes as text.
func toText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "")
}

// end gives back the rows without a result, and the lease.
func (r *run) end(ctx context.Context, pause string, problem error, unknown bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	text, attempts := "", 0
	if problem != nil {
		text = problem.Error()
	}
	if unknown {
		attempts = 1
	}
	return pgx.BeginFunc(ctx, r.c.pool, func(tx pgx.Tx) error {
		for _, d := range r.unknowns {
			if _, err := tx.Exec(ctx, r.c.sql(`UPDATE SCHEMA.clerkriver_rows
				SET state = 'waiting', attempts = least(attempts + 1, 1000), problem = $4
				WHERE campaign_id = $1 AND place = $2 AND run = $3 AND state = 'sending'`),
				d.campaign, d.place, r.id, toText(d.problem)); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, r.c.sql(`UPDATE SCHEMA.clerkriver_rows r
			SET attempts = least(attempts + $3, 1000), state = CASE
				WHEN c.cancelled_at IS NOT NULL AND attempts + $3 = 0 THEN 'cancelled' ELSE 'waiting' END
			FROM SCHEMA.clerkriver_campaigns c
			WHERE c.instance = $1 AND c.finished_at IS NULL AND r.campaign_id = c.id
				AND r.run = $2 AND r.state = 'sending'`), r.c.config.Instance, r.id, attempts); err != nil {
			return err
		}
		if err := r.c.finish(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, r.c.sql(`UPDATE SCHEMA.clerkriver_instances
			SET leased_until = 'epoch', problem = $3,
				pause_reason = CASE WHEN $4 = '' OR paused_at IS NOT NULL THEN pause_reason ELSE $4 END,
				paused_at = CASE WHEN $4 = '' OR paused_at IS NOT NULL THEN paused_at ELSE clock_timestamp() END
			WHERE name = $1 AND run = $2`),
			r.c.config.Instance, r.id, toText(text), toText(pause))
		return err
	})
}

// finish marks the campaigns of which every row has an outcome.
func (c *Campaigns) finish(ctx context.Context, db querier) error {
	_, err := db.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_campaigns c SET finished_at = clock_timestamp()
		WHERE instance = $1 AND finished_at IS NULL AND NOT EXISTS (SELECT FROM SCHEMA.clerkriver_rows
			WHERE campaign_id = c.id AND state IN ('waiting', 'sending'))`), c.config.Instance)
	return err
}
