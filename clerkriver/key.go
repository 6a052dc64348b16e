package clerkriver

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// mayWrite ends the run, and returns an error, if it may not send, revoke and look up what was
// sent. The first call asks Clerk for an open invitation. If Clerk does not list it, the key may
// be that of another instance of Clerk, and a sync decides.
func (r *run) mayWrite(ctx context.Context) error {
	if !r.checked && r.c.config.Sync >= 0 {
		r.checked = true
		isListed, err := r.listsOpenRow(ctx)
		if err != nil {
			return err
		}
		if r.isForeign = !isListed; r.isForeign { // unless a complete listing shows that it is not
			if err := r.sync(ctx); err != nil {
				return err
			}
		}
	}
	if r.isForeign {
		r.stop(errPaused)
		return errPaused
	}
	return nil
}

// listsOpenRow reports whether Clerk lists the invitation of an open row, if there is one.
func (r *run) listsOpenRow(ctx context.Context) (bool, error) {
	var id string
	var encoded []byte
	var isYoung bool
	err := r.pool.QueryRow(ctx, r.sql(queryOpenRow), r.instance, r.c.timing.listLag).Scan(&id, &encoded, &isYoung)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	request, err := decodeRequest(encoded)
	if err != nil {
		return false, err
	}
	isListed, err := r.isListed(ctx, id, request.EmailAddress)
	if err == nil && !isListed && isYoung {
		if err = r.waitForLists(ctx); err == nil {
			isListed, err = r.isListed(ctx, id, request.EmailAddress)
		}
	}
	return isListed, err
}

// isListed reports whether Clerk lists the invitation of an address.
func (r *run) isListed(ctx context.Context, id, address string) (bool, error) {
	for inv, err := range r.client.Invitations.All(ctx, clerk.ListInvitationsRequest{Query: address}) {
		if err != nil || inv.ID == id {
			return err == nil, err
		}
	}
	return false, nil
}

// waitForLists waits until lists show what was created before.
func (r *run) waitForLists(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(r.c.timing.listLag):
		return nil
	}
}
