package clerkriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErasePersonTx erases an address from all campaigns of the instance in the transaction tx,
// without regard to case, with the row's Ref and problem. Outcomes stay, but no longer show
// the person. [Config].OnResult and OnChange are not called for an erased row. A waiting row
// becomes [StateErased] and is not sent again, even if it may have been sent before. A row
// that a run has taken is not sent after the request under way. It is erased when the run
// ends, within two minutes, or, if the run was killed, when the next run ends; until then
// OnResult may get its result, with its Ref.
//
// Clerk keeps its own copy: when tx is committed, call [clerk.InvitationsService.Erase]. It is
// not an error if an address has no row. An erased address can be enqueued again. While tx is
// open, nothing else of its campaigns is sent, but nothing waits for tx.
func (c *Campaigns) ErasePersonTx(ctx context.Context, tx pgx.Tx, emailAddress string) error {
	person := personOf(emailAddress)
	if _, err := tx.Exec(ctx, c.sql(queryHoldCampaigns), c.config.Instance, person); err != nil {
		return explain(err)
	}
	if _, err := tx.Exec(ctx, c.sql(queryErase), c.config.Instance, person); err != nil {
		return explain(err)
	}
	_, err := tx.Exec(ctx, c.sql(queryInclude), c.config.Instance, person)
	return explain(err)
}

// eraseEnded erases the campaigns whose last invitation ended [Config].Keep ago.
func (r *run) eraseEnded(ctx context.Context) error {
	rows, err := r.pool.Query(ctx, r.sql(queryEnded), r.instance, r.c.keepFor())
	if err != nil {
		return err
	}
	campaigns, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for _, id := range campaigns {
		if err != nil || ctx.Err() != nil {
			break
		}
		err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
			var free bool // of a transaction that erases a person from it
			if err := tx.QueryRow(ctx, r.sql(queryHold), id).Scan(&free); err != nil || !free {
				return err
			}
			if err := r.c.delete(ctx, tx, id); !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			return nil // it waits for its reminder
		})
	}
	return err
}

// Delete erases the rows of a campaign that has finished, with their addresses, and their
// results. What becomes of its open invitations is not learned anymore, and nobody can be reminded
// of it. The name stays in use, so that the campaign is not sent again by mistake.
//
// The error is [ErrActive] if rows of the campaign, or of a reminder of it, have no outcome, and
// names the campaign to cancel first. It is [ErrUntold] if [Config].OnResult or OnChange has not
// accepted everything.
func (c *Campaigns) Delete(ctx context.Context, name string) error {
	return explain(pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		id, err := c.campaign(ctx, tx, name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, c.sql(queryFinishCampaign), c.config.Instance, id); err != nil {
			return err
		}
		var untold bool
		var reminder string
		if err := tx.QueryRow(ctx, c.sql(queryKept), id).Scan(&untold, &reminder); err != nil {
			return err
		}
		if untold {
			return fmt.Errorf("%w: %q; Result.Untold says why", ErrUntold, name)
		}
		if err = c.delete(ctx, tx, id); errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("%w: %q; cancel it first", ErrActive, cmp.Or(reminder, name))
		}
		return err
	}))
}

// delete erases the rows of a campaign. It returns pgx.ErrNoRows if it has not finished, or a
// reminder of it has not.
func (c *Campaigns) delete(ctx context.Context, tx pgx.Tx, id int64) error {
	var total int
	err := tx.QueryRow(ctx, c.sql(queryMarkDeleted), id).Scan(&total)
	for begin := 0; err == nil && begin < total; begin += deletedRows {
		_, err = tx.Exec(ctx, c.sql(queryDeleteRows), id, begin, begin+deletedRows)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, c.sql(queryDeleteCounts), id)
	return err
}

// deletedRows limits the rows that one statement of Delete erases.
const deletedRows = 2000
