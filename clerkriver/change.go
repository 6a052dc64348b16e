package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// A found is a change that a sync has found.
type found struct {
	campaign int64
	place    int
	state    State
	at       time.Time // by Clerk's clock
}

// recorded limits the changes that are recorded in one transaction if OnChange is nil.
const recorded = 1000

// record records changes, each once, and calls OnChange in the same transaction. If OnChange
// fails, the change is recorded without it, and a later run calls OnChange again.
func (r *run) record(ctx context.Context, all []found) error {
	size := recorded
	if r.c.config.OnChange != nil {
		size = 1
	}
	for part := range slices.Chunk(all, size) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var missing error
		if r.lacksOnChange {
			missing = r.noteUntold(errNoOnChange)
		}
		told, err := r.recordWith(ctx, part, missing)
		if err != nil && told {
			_, err = r.recordWith(ctx, part, r.noteUntold(err))
		}
		if err != nil {
			return fmt.Errorf("clerkriver: recording changes of invitations: %w", err)
		}
	}
	return nil
}

// recordWith records changes. It calls OnChange and reports whether it has, unless untold says
// why a later run does.
func (r *run) recordWith(ctx context.Context, part []found, untold error) (told bool, err error) {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	var campaigns []int64
	var places []int
	var states []string
	var times []time.Time
	for _, f := range part {
		campaigns, places = append(campaigns, f.campaign), append(places, f.place)
		states, times = append(states, string(f.state)), append(times, f.at)
	}
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, r.sql(queryRecord), campaigns, places, states, times, r.run, r.c.silence())
		if err != nil {
			return err
		}
		changes, err := pgx.CollectRows(rows, scanChange)
		if err != nil || r.c.config.OnChange == nil && untold == nil {
			return err
		}
		for i, change := range changes {
			if untold != nil {
				_, err = tx.Exec(ctx, r.sql(queryAddUntold), campaigns[i], change.Place, change.Number, r.instance, string(change.State),
					change.BecameAt, change.ChangedAt, r.c.config.Wake, oneLine(untold.Error()), r.run)
			} else {
				told = true
				err = guarded(func() error { return r.c.config.OnChange(ctx, hookTx{tx}, change) })
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return told, err
}

func scanChange(row pgx.CollectableRow) (change Change, err error) {
	var encoded []byte
	var silence string
	err = row.Scan(&change.Campaign, &change.Place, &change.Ref, &encoded, &change.State, &change.InvitationID, &change.ChangedAt,
		&change.Number, &change.BecameAt, &silence)
	if err != nil {
		return change, err
	}
	change.BecameAt = timeOrZero(change.BecameAt)
	request, err := decodeRequest(encoded)
	change.EmailAddress = request.EmailAddress
	return change, err
}

// An untoldChange identifies a change that OnChange has not accepted.
type untoldChange struct {
	Campaign int64
	Place    int
	Number   int
}

// tellChanges calls OnChange for changes that it has not accepted, oldest first.
func (r *run) tellChanges(ctx context.Context) error {
	if r.c.config.OnChange == nil {
		return nil
	}
	rows, err := r.pool.Query(ctx, r.sql(queryUntoldChanges), r.instance, maxTold)
	if err != nil {
		return err
	}
	untold, err := pgx.CollectRows(rows, pgx.RowToStructByPos[untoldChange])
	end := time.Now().Add(r.c.timing.closing)
	for _, u := range untold {
		if err != nil || ctx.Err() != nil || time.Now().After(end) {
			break
		}
		err = r.tellChange(ctx, u)
	}
	return err
}

func (r *run) tellChange(ctx context.Context, u untoldChange) error {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	called := false
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, r.sql(queryTellChange), u.Campaign, u.Place, u.Number, r.run, r.c.silence())
		if err != nil {
			return err
		}
		change, err := pgx.CollectExactlyOneRow(rows, scanChange)
		if errors.Is(err, pgx.ErrNoRows) { // another run has reported it, or the row was erased
			return nil
		}
		if err != nil {
			return err
		}
		called = true
		return guarded(func() error { return r.c.config.OnChange(ctx, hookTx{tx}, change) })
	})
	if err == nil || !called {
		return err
	}
	err = r.noteUntold(err)
	last, stop := r.c.closing(ctx)
	defer stop()
	if _, later := r.pool.Exec(last, r.sql(queryTellChangeLater), u.Campaign, u.Place, u.Number, r.c.config.Wake, oneLine(err.Error())); later != nil {
		return fmt.Errorf("clerkriver: recording why OnChange failed: %w", later)
	}
	return nil
}
