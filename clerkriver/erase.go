package clerkriver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// personOf returns what the rows of an address are found by: a hash, without regard to case
// and to space around it.
func personOf(address string) int64 {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.ToUpper(strings.TrimSpace(address)))))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // the bits are what counts
}

// ErasePersonTx erases an address from all campaigns of the instance in the transaction tx,
// without regard to case, with the row's Ref and problem. An outcome stays, without the
// person, and is told without them from then on. A row that waits becomes [StateErased] and
// is never sent, including one that may have been sent before. A row that a run has taken is
// not sent after the request under way, and is erased when the run ends, within two minutes;
// if it was killed, when the next run ends.
//
// Clerk keeps its own copy: when tx is committed, call [clerk.InvitationsService.Erase]. An
// address that has no row is no error, and one that was erased can be enqueued again. While
// tx is open, nothing else of its campaigns is sent; nobody waits for it.
func (c *Campaigns) ErasePersonTx(ctx context.Context, tx pgx.Tx, emailAddress string) error {
	person := personOf(emailAddress)
	if _, err := tx.Exec(ctx, c.sql(queryHoldCampaigns), c.config.Instance, person); err != nil {
		return explain(err)
	}
	if _, err := tx.Exec(ctx, c.sql(queryErase), c.config.Instance, person); err != nil {
		return explain(err)
	}
	return nil
}

// eraseEnded erases the campaigns whose last invitation ended [Config].Keep ago.
func (r *run) eraseEnded(ctx context.Context) error {
	rows, err := r.pool.Query(ctx, r.sql(queryEnded), r.instance, r.c.keepFor())
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		if err != nil || ctx.Err() != nil {
			break
		}
		err = r.c.Delete(ctx, name)
	}
	return err
}

// keepFor returns Keep; nil if it is for ever.
func (c *Campaigns) keepFor() *time.Duration {
	if c.config.Keep == 0 {
		return nil
	}
	return &c.config.Keep
}
