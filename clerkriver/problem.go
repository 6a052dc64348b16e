package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/clerk-invitations/clerk-go"
)

var errDatabase = errors.New("the database failed")

// plain says in front of an error whether Clerk does not answer, or the database fails, if that
// is the reason.
func plain(err error) error {
	_, isRequest := errors.AsType[*clerk.SDKError](err)
	_, isNet := errors.AsType[net.Error](err)
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	_, isAnswer := errors.AsType[*pgconn.PgError](err)
	isLost := isNet || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	isDatabase := isConnect || isAnswer || isLost && !isRequest
	switch {
	case errors.Is(err, ErrLimitUnavailable), errors.Is(err, ErrNotMigrated): // they say so
		return err
	case isDatabase:
		return fmt.Errorf("%w: %w", errDatabase, err)
	case isLost:
		return fmt.Errorf("Clerk does not answer: %w", err) //nolint:staticcheck // Clerk is a name
	}
	return err
}

// withDatabase returns a run's problem, and why the database has failed at its end, once.
func withDatabase(problem, err error) error {
	if errors.Is(problem, errDatabase) {
		return problem
	}
	return errors.Join(problem, plain(explain(err)))
}

// answered records that Clerk has answered for a row: what kept the run, or the last one, from
// sending is over, and so is a pause that has ended by itself.
func (r *run) answered(ctx context.Context) {
	r.sent, r.cause = true, nil
	if r.shown == "" && !r.wasPaused {
		return
	}
	paused, err := r.show(ctx, "")
	if err == nil && !paused && r.wasPaused {
		r.wasPaused = false
		r.reportResumed(ctx, true)
	}
}

// show shows in the statuses why the run under way waits; problem is empty if it does not. It
// reports whether the instance is paused. A failure is harmless: the next wait or result tries
// again.
func (r *run) show(ctx context.Context, problem string) (paused bool, err error) {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	err = r.pool.QueryRow(ctx, r.sql(queryShow), r.instance, r.run, problem).Scan(&paused)
	if err == nil {
		r.shown = problem
	}
	return paused, err
}
