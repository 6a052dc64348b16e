package clerkriver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// The kinds of limits.
const (
	kindCreate = "create"
	kindBulk   = "bulk"
)

// A slot is a request that may be sent, or how long to wait for one.
type slot struct {
	number int
	token  int64
	wait   time.Duration
}

// slots is how many of a kind a run, or anybody else if it is nil, may use.
func (c *Campaigns) slots(kind string, r *run) int {
	budget := c.config.Limits
	if r != nil {
		budget = c.config.Budget
	}
	if kind == kindBulk {
		return budget.BulkCreates
	}
	return budget.Creates
}

// take takes a slot, or says how long it is until one is free. Everybody takes the high
// numbers first, so others use those that are not in the budget before those that are. A
// run gets one only while it has the lease.
func (c *Campaigns) take(ctx context.Context, kind string, r *run) (slot, error) {
	if err := c.makeSlots(ctx); err != nil {
		return slot{}, err
	}
	for ctx.Err() == nil {
		s, err := c.takeFree(ctx, kind, r)
		if !errors.Is(err, pgx.ErrNoRows) {
			return s, err
		}
		s, err = c.untilFree(ctx, kind, r)
		if err != nil || s.wait > 0 {
			return s, err
		} // somebody else was about to take that one
		time.Sleep(5 * time.Millisecond)
	}
	return slot{}, ctx.Err()
}

func (c *Campaigns) takeFree(ctx context.Context, kind string, r *run) (s slot, err error) {
	args := []any{c.config.Instance, kind, c.slots(kind, r), c.config.Limits.Window + c.timing.grace}
	fence := ""
	if r != nil {
		args = append(args, r.id)
		fence = "AND EXISTS (SELECT FROM SCHEMA.clerkriver_instances WHERE name = $1 AND run = $5" +
			" AND leased_until > clock_timestamp() AND paused_at IS NULL)"
	}
	err = c.pool.QueryRow(ctx, c.sql(`UPDATE SCHEMA.clerkriver_slots
		SET token = token + 1, free_at = clock_timestamp() + $4::interval
		WHERE instance = $1 AND kind = $2 AND slot = (
			SELECT slot FROM SCHEMA.clerkriver_slots
			WHERE instance = $1 AND kind = $2 AND slot < $3 AND free_at <= clock_timestamp()
			ORDER BY slot DESC LIMIT 1 FOR UPDATE SKIP LOCKED) `+fence+`
		RETURNING slot, token`), args...).Scan(&s.number, &s.token)
	return s, err
}

// untilFree is how long it is until a slot is free.
func (c *Campaigns) untilFree(ctx context.Context, kind string, r *run) (s slot, err error) {
	if r != nil {
		if err := r.checkLease(ctx); err != nil {
			return s, err
		}
	}
	var wait *time.Duration
	err = c.pool.QueryRow(ctx, c.sql(`SELECT min(free_at) - clock_timestamp() FROM SCHEMA.clerkriver_slots
		WHERE instance = $1 AND kind = $2 AND slot < $3`), c.config.Instance, kind, c.slots(kind, r)).Scan(&wait)
	if wait == nil { // the limit is zero
		return slot{wait: c.config.Limits.Window}, err
	}
	return slot{wait: *wait}, err
}

// hold holds a slot from the response on, when Clerk has counted the request at the
// latest. A request that certainly was not sent gives it back. After a 429 no slot is
// free until Clerk takes requests again. A failure is no harm: the slot is then held for
// longer than it need be.
func (c *Campaigns) hold(ctx context.Context, kind string, s slot, resp *http.Response, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	dial, isDial := errors.AsType[*net.OpError](failure)
	switch {
	case isDial && dial.Op == "dial":
		c.freeAfter(ctx, kind, s, 0)
	case failure != nil: // Clerk may count it later
	case resp.StatusCode == http.StatusTooManyRequests:
		wait := c.retryAfter(resp.Header)
		c.freeAfter(ctx, kind, s, 0)
		_, _ = c.pool.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_slots
			SET free_at = greatest(free_at, clock_timestamp() + $3::interval)
			WHERE instance = $1 AND kind = $2`), c.config.Instance, kind, wait)
	default:
		c.freeAfter(ctx, kind, s, c.config.Limits.Window)
	}
}

// freeAfter frees a slot after a time, unless another request has it by now.
func (c *Campaigns) freeAfter(ctx context.Context, kind string, s slot, after time.Duration) {
	_, _ = c.pool.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_slots SET free_at = clock_timestamp() + $5::interval
		WHERE instance = $1 AND kind = $2 AND slot = $3 AND token = $4`),
		c.config.Instance, kind, s.number, s.token, after)
}

// retryAfter is how long Clerk asks to wait, at most the limit's time. If it does not say,
// that is a sixtieth of it.
func (c *Campaigns) retryAfter(header http.Header) time.Duration {
	asked := header.Get("Retry-After")
	seconds, _ := strconv.Atoi(asked)
	wait := time.Duration(seconds) * time.Second
	if date, err := http.ParseTime(asked); err == nil {
		wait = time.Until(date)
	}
	if wait <= 0 {
		wait = c.config.Limits.Window / 60
	}
	return min(wait, c.config.Limits.Window)
}

// makeSlots inserts the slots that the limits need, if no call before has.
func (c *Campaigns) makeSlots(ctx context.Context) error {
	if c.slotsMade.Load() {
		return nil
	}
	_, err := c.pool.Exec(ctx, c.sql(`INSERT INTO SCHEMA.clerkriver_slots (instance, kind, slot)
		SELECT $1, 'create', generate_series(0, $2::integer - 1)
		UNION ALL SELECT $1, 'bulk', generate_series(0, $3::integer - 1) ON CONFLICT DO NOTHING`),
		c.config.Instance, c.config.Limits.Creates, c.config.Limits.BulkCreates)
	if err == nil {
		c.slotsMade.Store(true)
	}
	return err
}
