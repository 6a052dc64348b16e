package clerkriver

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// The kinds of limits.
const (
	kindCreate = "create"
	kindBulk   = "bulk"
)

// A limit keeps everyone who uses the database within Clerk's hourly limits. A table has a
// slot for each request that the limits allow. A limit knows nothing of campaigns.
type limit struct {
	database

	instance      string
	total, budget clerk.Budget // for everybody, and for requests under a lease
	timing        *timing

	made atomic.Bool // the slots exist
}

// A slot is a request that may be sent, or the time until there is one.
type slot struct {
	number int
	token  int64
	wait   time.Duration
}

// count returns the number of slots of a kind that a request may use.
func (l *limit) count(kind string, under *lease) int {
	budget := l.total
	if under != nil {
		budget = l.budget
	}
	if kind == kindBulk {
		return budget.BulkCreates
	}
	return budget.Creates
}

// take takes a slot for a request that ends within duration, or returns the time until one is
// free. Everyone takes the highest numbers first, so that other callers use the slots outside
// the campaigns' budget before those in it. Under a lease, it returns errLeaseLost or
// errPaused if the run may not send.
func (l *limit) take(ctx context.Context, kind string, under *lease, duration time.Duration) (slot, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timing.slot)
	defer cancel()
	if err := l.ready(ctx); err != nil {
		return slot{}, err
	}
	for ctx.Err() == nil {
		s, err := l.takeFree(ctx, kind, under, duration)
		if !errors.Is(err, pgx.ErrNoRows) {
			return s, err
		}
		s, err = l.untilFree(ctx, kind, under)
		if err != nil || s.wait > 0 {
			return s, err
		} // another request was taking that slot
		time.Sleep(5 * time.Millisecond)
	}
	return slot{}, ctx.Err()
}

func (l *limit) takeFree(ctx context.Context, kind string, under *lease, duration time.Duration) (s slot, err error) {
	run := int64(0)
	if under != nil {
		run = under.run
	}
	err = l.pool.QueryRow(ctx, l.sql(queryTakeSlot), l.instance, kind, l.count(kind, under),
		duration+l.total.Window+l.timing.grace, run).Scan(&s.number, &s.token)
	return s, err
}

// untilFree returns the time until a slot is free. It creates slots that somebody
// has deleted.
func (l *limit) untilFree(ctx context.Context, kind string, under *lease) (s slot, err error) {
	if under != nil {
		if err := under.check(ctx); err != nil {
			return s, err
		}
	}
	allowed := l.count(kind, under)
	if allowed == 0 {
		return slot{wait: l.total.Window}, nil
	}
	var found int
	if err = l.pool.QueryRow(ctx, l.sql(queryNextSlot), l.instance, kind, allowed).Scan(&found, &s.wait); err != nil {
		return s, err
	}
	if found < allowed {
		return slot{}, l.makeSlots(ctx)
	}
	return s, nil
}

// hold holds a slot after its request has ended. Clerk has counted a request by the time it
// responds. After a 429 no slot is free until Clerk accepts requests again. A failure is
// harmless: the slot is only held longer.
func (l *limit) hold(ctx context.Context, kind string, s slot, resp *http.Response, wasSent bool, created []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	switch {
	case !wasSent:
		l.holdFor(ctx, kind, s, 0, nil)
	case resp == nil: // Clerk may count it later
		l.holdFor(ctx, kind, s, l.total.Window+l.timing.grace, nil)
	case resp.StatusCode == http.StatusTooManyRequests:
		wait := l.retryAfter(resp.Header)
		l.holdFor(ctx, kind, s, 0, nil)
		_, _ = l.pool.Exec(ctx, l.sql(queryBlockSlots), l.instance, kind, wait)
	default:
		l.holdFor(ctx, kind, s, l.total.Window, created)
	}
}

// holdFor holds a slot for a time, unless another request has taken it meanwhile.
func (l *limit) holdFor(ctx context.Context, kind string, s slot, duration time.Duration, created []string) {
	if created == nil {
		created = []string{}
	}
	_, _ = l.pool.Exec(ctx, l.sql(queryHoldSlot), l.instance, kind, s.number, s.token, duration, created)
}

// retryAfter returns the wait that Clerk asks for, at most the limit's window. If Clerk does
// not ask, it returns a sixtieth of the window.
func (l *limit) retryAfter(header http.Header) time.Duration {
	asked := header.Get("Retry-After")
	seconds, _ := strconv.Atoi(asked)
	wait := time.Duration(seconds) * time.Second
	if date, err := http.ParseTime(asked); err == nil {
		wait = time.Until(date)
	}
	if wait <= 0 {
		wait = l.total.Window / 60
	}
	return min(wait, l.total.Window)
}

// ready inserts the slots that are missing, if this process has not done so.
func (l *limit) ready(ctx context.Context) error {
	if l.made.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.timing.slot)
	defer cancel()
	return l.makeSlots(ctx)
}

// makeSlots inserts the slots that are missing.
func (l *limit) makeSlots(ctx context.Context) error {
	_, err := l.pool.Exec(ctx, l.sql(queryMakeSlots), l.instance, l.total.Creates, l.total.BulkCreates)
	if err == nil {
		l.made.Store(true)
	}
	return err
}
