package clerkriver

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// prepareReminders lists the invitations, unless that was done a few minutes ago. Of the rows
// that earlier runs left, it keeps those that can be sent.
func (r *run) prepareReminders(ctx context.Context) error {
	rest, err := r.settleSent(ctx, r.pulled)
	if err != nil {
		return err
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	r.pulled, err = r.remindable(ctx, rest)
	return err
}

// settleSent keeps the results of the items that an earlier run has sent, and returns the
// others. By now, lists show what that run created.
func (r *run) settleSent(ctx context.Context, items []item) (rest []item, err error) {
	if slices.ContainsFunc(items, func(it item) bool { return it.attempts > 0 }) {
		if err := r.waitForLists(ctx); err != nil {
			return nil, err
		}
	}
	for _, it := range items {
		id, err := "", error(nil)
		if it.attempts > 0 {
			id, err = r.findSent(ctx, it)
		}
		if err == nil && id != "" {
			_, err = r.keep(ctx, it, StateCreated, id, "")
		}
		switch {
		case err != nil:
			r.unknowns = append(r.unknowns, unknown{it, err.Error()})
		case id == "":
			rest = append(rest, it)
		}
	}
	return rest, nil
}

// remindable returns the items that can be sent. The others are skipped.
func (r *run) remindable(ctx context.Context, items []item) (rest []item, err error) {
	var places []int
	for _, it := range items {
		places = append(places, it.place)
	}
	if len(places) == 0 {
		return nil, nil
	}
	rows, err := r.pool.Query(ctx, r.sql(queryBarred), r.instance, r.group.campaign, places)
	if err != nil {
		return nil, err
	}
	barred := map[int]string{}
	var place int
	var reason string
	_, err = pgx.ForEachRow(rows, []any{&place, &reason}, func() error {
		barred[place] = reason
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.barred = barred[it.place]; it.barred == "" {
			rest = append(rest, it)
		} else {
			r.skipped = append(r.skipped, it)
		}
	}
	return rest, nil
}

// keepSkipped keeps the results of the reminders that have been skipped so far.
func (r *run) keepSkipped(ctx context.Context) {
	r.mu.Lock()
	skipped := r.skipped
	r.skipped = nil
	r.mu.Unlock()
	for _, it := range skipped {
		if _, err := r.keep(ctx, it, StateSkipped, it.replaces, it.barred); err != nil {
			r.unknowns = append(r.unknowns, unknown{it, err.Error()})
		}
	}
}

// A replaced is an invitation to revoke, as its person has another one.
type replaced struct {
	Campaign int64
	Place    int
	ID       string
	Old      string // of the row's two invitations
}

const (
	maxReplaced = 1000 // invitations revoked by one call of revokeReplaced
	revokers    = 8    // goroutines that revoke invitations
)

// revokeReplaced revokes invitations that were replaced. After some failures it leaves the
// rest to a later run.
func (r *run) revokeReplaced(ctx context.Context) error {
	rows, err := r.pool.Query(ctx, r.sql(queryReplaced), r.instance, maxReplaced)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[replaced])
	if err != nil || len(all) == 0 {
		return err
	}
	if err := r.mayWrite(ctx); err != nil {
		return err
	}
	var group sync.WaitGroup
	failures := make([]error, revokers)
	for n := range failures {
		group.Go(func() {
			for i := n; i < len(all) && ctx.Err() == nil && failures[n] == nil; i += revokers {
				failures[n] = r.revoke(ctx, all[i])
			}
		})
	}
	group.Wait()
	return cmp.Or(failures...)
}

// revoke revokes one invitation. If it is the old one and was accepted, revoke ends the row
// and revokes the new one.
func (r *run) revoke(ctx context.Context, one replaced) error {
	short, cancel := context.WithTimeout(ctx, r.c.timing.patience)
	defer cancel()
	_, failure := r.client.Invitations.Revoke(short, one.ID)
	last, stop := r.c.closing(ctx)
	defer stop()
	switch {
	case errors.Is(failure, clerk.ErrAlreadyAccepted) && one.ID == one.Old:
		return r.endAccepted(ctx, one, failure)
	case failure == nil, isAboutInvitation(failure):
		_, err := r.pool.Exec(last, r.sql(queryRevoked), one.Campaign, one.Place, one.ID)
		return err
	}
	if _, err := r.pool.Exec(last, r.sql(queryRevokeLater), one.Campaign, one.Place, one.ID, r.c.config.Wake); err != nil {
		return err
	}
	return failure
}

// endAccepted records that the old invitation was accepted, and revokes the new one. If
// the list does not say when, that is now.
func (r *run) endAccepted(ctx context.Context, one replaced, failure error) error {
	meta, _ := clerk.MetaFromError(failure)
	at, err := http.ParseTime(meta.Header.Get("Date"))
	if err != nil {
		at = time.Now()
	}
	short, cancel := context.WithTimeout(ctx, r.c.timing.patience)
	defer cancel()
	if old, err := r.client.Invitations.Get(short, one.Old); err == nil && old.Status == clerk.InvitationStatusAccepted {
		at = old.UpdatedAt.Time()
	}
	r.accepting.Lock()
	err = r.record(ctx, []found{{one.Campaign, one.Place, StateAccepted, at}})
	r.accepting.Unlock()
	if err != nil {
		return err
	}
	err = r.pool.QueryRow(ctx, r.sql(queryRevokeNew), one.Campaign, one.Place).Scan(&one.ID)
	if errors.Is(err, pgx.ErrNoRows) { // a caller's transaction has locked the row: the next run records it
		return nil
	}
	if err != nil {
		return err
	}
	return r.revoke(ctx, one)
}

// isAboutInvitation reports whether Clerk refused to revoke an invitation, and would again.
func isAboutInvitation(failure error) bool {
	refused, ok := errors.AsType[*clerk.ClerkErrors](failure)
	return ok && !errors.Is(failure, clerk.ErrRateLimited) && !errors.Is(failure, clerk.ErrOutcomeUnknown) &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity}, refused.StatusCode)
}
