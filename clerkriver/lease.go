package clerkriver

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// A lease is one runner's right to send for an instance.
type lease struct {
	database

	instance string
	run      int64       // the fencing token: it grows with each runner
	held     bool        // sending is paused: the run only lists invitations
	stop     func(error) // ends the run
}

// leaseKey is the context's key of the lease that a request is sent under.
type leaseKey struct{}

// The reasons for which a run ends before all rows are sent.
var (
	errCancelled = errors.New("clerkriver: a campaign was cancelled or paused")
	errPaused    = errors.New("clerkriver: the campaigns were paused")
	errLeaseLost = errors.New("clerkriver: the lease was lost, as the process or the database was stopped for too long; another run continues")
)

// extend extends the lease. It returns errLeaseLost, errPaused or errCancelled if the run
// must end.
func (l *lease) extend(ctx context.Context, duration time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, duration/3)
	defer cancel()
	var paused, cancelled bool
	err := l.pool.QueryRow(ctx, l.sql(queryExtend), l.instance, l.run, duration).Scan(&paused, &cancelled)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errLeaseLost
	case paused && !l.held:
		return errPaused
	case cancelled:
		return errCancelled
	}
	return err
}

// check returns errLeaseLost or errPaused if the run may not send.
func (l *lease) check(ctx context.Context) error {
	var paused bool
	err := l.pool.QueryRow(ctx, l.sql(queryCheckLease), l.instance, l.run).Scan(&paused)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errLeaseLost
	case paused:
		return errPaused
	}
	return err
}

// heartbeat extends the lease until ctx ends. It ends the run if it cannot extend the lease,
// or if the run must end. It stops after the time limit, so that a run that is blocked by a
// function of the caller is replaced.
func (l *lease) heartbeat(ctx context.Context, duration, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(duration / 3)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		begun := time.Now()
		err := l.extend(ctx, duration)
		switch {
		case err == nil:
			last = begun
		case errors.Is(err, errLeaseLost), errors.Is(err, errPaused), errors.Is(err, errCancelled):
			l.stop(err)
		case time.Since(last) > duration/2:
			l.stop(errLeaseLost)
		}
	}
}
