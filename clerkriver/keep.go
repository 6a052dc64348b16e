package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// The reasons for which a process without OnResult or OnChange leaves results and changes to
// others.
var (
	errNoOnResult = errors.New("clerkriver: the process has no OnResult; another one of the instance calls its own")
	errNoOnChange = errors.New("clerkriver: the process has no OnChange; another one of the instance calls its own")
)

// keep keeps the result of a row. It calls OnResult in the same transaction. If OnResult
// fails, keep keeps the result alone, and a later run calls OnResult again. It does not touch
// a row that another run has taken over. It reports whether the campaign was cancelled or
// paused.
func (r *run) keep(ctx context.Context, it item, state State, invitationID, problem string) (stops bool, err error) {
	result := Result{
		Campaign: it.name, Place: it.place, Ref: it.ref, EmailAddress: it.request.EmailAddress,
		State: state, InvitationID: invitationID, Problem: problem,
	}
	tell := r.c.config.OnResult
	if state == StateCancelled {
		tell = nil
	}
	var failure error
	if r.lacksOnResult && state != StateCancelled {
		failure = errNoOnResult
	} else {
		stops, failure, err = r.keepWith(ctx, it, result, tell, nil)
	}
	switch {
	case failure != nil:
		failure = r.noteUntold(failure)
	case err != nil && tell != nil && !errors.Is(err, errLeaseLost):
		failure = err // the database failed before OnResult was called
	}
	if failure != nil {
		stops, _, err = r.keepWith(ctx, it, result, nil, failure)
	}
	if errors.Is(err, errLeaseLost) {
		r.stop(errLeaseLost)
		return false, nil
	}
	return stops, err
}

// keepWith keeps the result, and calls tell if that is not nil. The argument failure says why
// OnResult failed before, the result failure why it failed now.
func (r *run) keepWith(
	ctx context.Context, it item, result Result, tell func(context.Context, pgx.Tx, Result) error, untold error,
) (stops bool, failure, err error) {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	var after *time.Duration
	var words *string
	if untold != nil {
		after, words = new(r.c.config.Wake), new(oneLine(untold.Error()))
	}
	called := false
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, r.sql(queryKeep), it.campaign, it.place, r.run, string(result.State), result.InvitationID,
			oneLine(result.Problem), after, words, r.c.silence()).Scan(&result.ChangedAt, &stops, nil)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return errLeaseLost
		case err != nil || tell == nil:
			return err
		}
		called = true
		failure = guarded(func() error { return tell(ctx, hookTx{tx}, result) })
		return failure
	})
	if err != nil && failure == nil && called {
		failure = err // OnResult's work may be the reason that the commit fails
	}
	return stops, failure, err
}

// silence returns the time in milliseconds after which the server ends an idle transaction in
// which OnResult is called. It is longer than OnResult may take, and shorter than the lease.
func (c *Campaigns) silence() string {
	return strconv.FormatInt(2*c.timing.closing.Milliseconds(), 10)
}

// maxTold limits the results for which a run calls OnResult again. It also stops after the time
// that one call may take.
const maxTold = 1000

// tell calls OnResult for results that it has not accepted. It needs no request to Clerk.
func (r *run) tell(ctx context.Context) error {
	if r.c.config.OnResult == nil {
		return nil
	}
	rows, err := r.pool.Query(ctx, r.sql(queryUntold), r.instance, maxTold)
	if err != nil {
		return err
	}
	untold, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rowKey])
	if err != nil {
		return err
	}
	end := time.Now().Add(r.c.timing.closing)
	for _, row := range untold {
		if r.isStopped() || time.Now().After(end) {
			break
		}
		if err := r.tellOne(ctx, row.Campaign, row.Place); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) tellOne(ctx context.Context, campaign int64, place int) error {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	called := false
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		var result Result
		var encoded []byte
		err := tx.QueryRow(ctx, r.sql(queryTell), campaign, place, r.run, r.c.silence()).Scan(&result.Campaign, &result.Place,
			&result.Ref, &encoded, &result.State, &result.InvitationID, &result.Problem, &result.ChangedAt, nil)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		request, err := decodeRequest(encoded)
		if err != nil {
			return err
		}
		result.EmailAddress = request.EmailAddress
		called = true
		return guarded(func() error { return r.c.config.OnResult(ctx, hookTx{tx}, result) })
	})
	if err == nil || !called {
		return err
	}
	err = r.noteUntold(err)
	last, stop := r.c.closing(ctx)
	defer stop()
	if _, later := r.pool.Exec(last, r.sql(queryTellLater), campaign, place, r.c.config.Wake, oneLine(err.Error())); later != nil {
		return fmt.Errorf("clerkriver: recording why OnResult failed: %w", later)
	}
	return nil
}
