package clerkriver

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// clockSlack is the largest difference allowed between the clocks of Clerk and the database.
// If it is larger, a sync may stop too early.
const clockSlack = time.Hour

// maxListings limits the listings before reminders are sent. They are repeated as long as each
// may have skipped somebody who has accepted.
const maxListings = 3

// sync lists the instance's invitations if that is due, and records changes of the campaigns'
// invitations. It does nothing if a lost run has left rows, which come first. Once reminders
// are chosen, a sync is due unless there was one a few minutes ago. It is also due if the key may
// be that of another instance.
func (r *run) sync(ctx context.Context) error {
	reminder := int64(0)
	if r.group.reminds {
		reminder = r.group.campaign
	} else if !r.isForeign && !r.held && slices.ContainsFunc(r.left, func(it item) bool { return it.sending && !it.cancelled && !it.held }) {
		return nil
	}
	l := &listing{seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
	err := r.pool.QueryRow(ctx, r.sql(queryBeginSync), r.instance, r.run, reminder, r.c.syncInterval(), r.isForeign).Scan(&l.number, &l.since)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	r.synced = !r.isForeign // otherwise rows are sent in the same run, unless the key is foreign
	l.since = l.since.Add(-clockSlack)
	for range maxListings {
		if err := r.listAll(ctx, l); err != nil {
			return err
		}
		if l.complete || reminder == 0 {
			break
		}
	}
	r.asked = true
	if l.complete {
		r.checked = true
		if err := r.recordMissing(ctx, l); err != nil {
			return err
		}
	}
	_, err = r.pool.Exec(ctx, r.sql(queryEndSync), r.instance, r.run, r.isForeign)
	return err
}

// listAll reads both lists. An invitation that is revoked meanwhile is in the second one.
func (r *run) listAll(ctx context.Context, l *listing) error {
	l.complete = true
	for _, status := range allStatuses {
		if err := r.list(ctx, l, status); err != nil {
			return err
		}
	}
	return nil
}

// list reads a list, newest first, until the invitations are older than all open rows.
// An invitation that leaves the list shifts later ones onto pages already read. This shows in
// the totals: the total falls by more than the number of repeated invitations grows.
func (r *run) list(ctx context.Context, l *listing, status clerk.InvitationStatus) error {
	read := map[uint64]struct{}{} // of this list
	for offset, total := 0, 0; ; {
		var meta clerk.ResponseMeta
		page, err := r.client.Invitations.List(ctx, clerk.ListInvitationsRequest{
			Status: status, OrderBy: clerk.OrderByCreatedAtDesc, Limit: clerk.MaxListLimit, Offset: offset,
		}, clerk.WithResponse(&meta))
		if err != nil {
			return err
		}
		l.now, _ = http.ParseTime(meta.Header.Get("Date")) // without a Date, only Clerk's status counts
		repeated, isOld := 0, false
		for _, inv := range page.Data {
			id := maphash.String(l.seed, inv.ID)
			if _, ok := read[id]; ok {
				repeated++
			}
			read[id], l.seen[id] = struct{}{}, struct{}{}
			isOld = inv.CreatedAt.Time().Before(l.since)
		}
		if page.TotalCount < 0 || offset > 0 && page.TotalCount-repeated != total {
			l.complete = false
		}
		if err := r.recordPage(ctx, l, page.Data); err != nil {
			return err
		}
		offset, total = offset+len(page.Data), page.TotalCount
		switch {
		case isOld || offset >= total && total >= 0 || len(page.Data) < clerk.MaxListLimit && total < 0:
			return nil
		case len(page.Data) == 0:
			l.complete = false
			return nil
		}
	}
}

// recordPage records the changes of the invitations on a page.
func (r *run) recordPage(ctx context.Context, l *listing, page []clerk.Invitation) error {
	if err := r.findKnown(ctx, l, page); err != nil {
		return err
	}
	var ids, states []string
	var times []time.Time
	for _, inv := range page {
		if state, at := l.became(inv); state != StateCreated {
			ids, states, times = append(ids, inv.ID), append(states, string(state)), append(times, at)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := r.pool.Query(ctx, r.sql(queryChanged), r.instance, ids, states, times)
	if err != nil {
		return err
	}
	changed, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f found, err error) {
		err = row.Scan(&f.campaign, &f.place, &f.state, &f.at)
		return f, err
	})
	if err != nil {
		return err
	}
	return r.record(ctx, changed)
}

// findKnown finds out whether the page has an invitation of a row.
func (r *run) findKnown(ctx context.Context, l *listing, page []clerk.Invitation) error {
	if l.known || len(page) == 0 {
		return nil
	}
	var ids []string
	for _, inv := range page {
		ids = append(ids, inv.ID)
	}
	return r.pool.QueryRow(ctx, r.sql(queryKnown), r.instance, ids).Scan(&l.known)
}

// syncInterval returns the interval of syncs, or nil if they are off.
func (c *Campaigns) syncInterval() *time.Duration {
	if c.config.Sync < 0 {
		return nil
	}
	return &c.config.Sync
}
