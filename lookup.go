package clerk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

var errNoDate = errors.New("clerk: the response has no valid Date header")

// lookups lists invitations to find out what a write did.
type lookups struct {
	call  *call
	since time.Time // when the write was first sent, by our clock
	meta  callMeta  // of the last list

	ambiguous bool // an earlier request may have been carried out
	decisive  bool // the write may be retried if this lookup finds nothing

	// By Clerk's clock, what was created before unclear is not this call's work, and what
	// was created at own or later is.
	unclear, own UnixMilli
}

// isOwn reports whether an invitation that was created, or updated, at a time is this
// call's work.
func (l *lookups) isOwn(at UnixMilli) bool { return at >= l.own }

// isUnclear reports whether it may be.
func (l *lookups) isUnclear(at UnixMilli) bool { return at >= l.unclear && at < l.own }

// list returns the invitations that match req, newest first. Without a query it stops at
// those that are older than the call.
func (l *lookups) list(ctx context.Context, req ListInvitationsRequest) ([]Invitation, error) {
	req.OrderBy, req.Limit = OrderByCreatedAtDesc, MaxListLimit
	var invs []Invitation
	for {
		list, meta, err := listPage(ctx, l.call, req)
		l.meta = meta
		if err != nil {
			return nil, err
		}
		if err := l.setTimes(meta); err != nil {
			return nil, err
		}
		page := list.Data
		if len(page) == 0 || req.Offset > 0 && page[0].ID == invs[0].ID { // offset is ignored
			return invs, nil
		}
		invs = append(invs, page...)
		req.Offset += len(page)
		isLast := req.Offset >= list.TotalCount && (list.TotalCount >= 0 || len(page) < MaxListLimit)
		if isLast || req.Query == "" && isNewestFirst(page) && page[len(page)-1].CreatedAt < l.unclear {
			return invs, nil
		}
	}
}

// isNewestFirst reports whether the server may have heeded the order.
func isNewestFirst(page []Invitation) bool {
	newestFirst := func(a, b Invitation) int { return cmp.Compare(b.CreatedAt, a.CreatedAt) }
	return slices.IsSortedFunc(page, newestFirst)
}

// setTimes converts the start of the call to Clerk's clock: the time of the response
// less what has passed since.
func (l *lookups) setTimes(meta callMeta) error {
	date, err := http.ParseTime(meta.Header.Get("Date"))
	if err != nil {
		return errNoDate
	}
	start := date.Add(-time.Since(l.since) - maxClockSkew)
	skew := l.call.client.skew.get()
	l.unclear, l.own = UnixMilli(start.Add(-skew).UnixMilli()), UnixMilli(start.Add(skew).UnixMilli())
	return nil
}

// allStatuses lists everything: a list has the revoked invitations only if asked.
var allStatuses = []InvitationStatus{"", InvitationStatusRevoked}

// statuses returns what to list for created invitations. That somebody else has revoked
// one already matters only before a retry.
func (l *lookups) statuses() []InvitationStatus {
	if l.ambiguous && l.decisive {
		return allStatuses
	}
	return allStatuses[:1]
}

// created finds the invitation that a Create may have created for an address, other
// than one that is known to be older.
func (l *lookups) created(ctx context.Context, address, older string) (*Invitation, finding, error) {
	found := foundNothing
	for _, status := range l.statuses() {
		invs, err := l.list(ctx, ListInvitationsRequest{Query: address, Status: status})
		if err != nil {
			return nil, lookupFailed, err
		}
		for _, inv := range invs {
			switch {
			case !sameAddress(inv.EmailAddress, address) || inv.ID == older:
			case l.isOwn(inv.CreatedAt):
				return &inv, foundAll, nil
			case l.isUnclear(inv.CreatedAt):
				found = foundUnclear
			case found == foundUnclear || inv.Status == InvitationStatusRevoked:
			case inv.Status == InvitationStatusPending:
				found = foundOther
			case found == foundNothing:
				found = foundOlder
			}
		}
	}
	return nil, found, nil
}

// revoked finds out whether a Revoke was carried out.
func (l *lookups) revoked(ctx context.Context, id string) (*Invitation, finding, error) {
	invs, err := l.list(ctx, ListInvitationsRequest{Query: id, Status: InvitationStatusRevoked})
	for _, inv := range invs {
		switch {
		case inv.ID != id:
		case l.isOwn(inv.UpdatedAt):
			return &inv, foundAll, nil
		case l.isUnclear(inv.UpdatedAt):
			return nil, foundUnclear, nil
		default:
			return nil, foundOther, nil
		}
	}
	return nil, foundNothing, err
}

// deleted finds out whether an invitation is gone.
func (l *lookups) deleted(ctx context.Context, id string) (*DeletedObject, finding, error) {
	for _, status := range allStatuses {
		invs, err := l.list(ctx, ListInvitationsRequest{Query: id, Status: status})
		if err != nil || slices.ContainsFunc(invs, func(inv Invitation) bool { return inv.ID == id }) {
			return nil, foundNothing, err
		}
	}
	return &DeletedObject{Object: "invitation", ID: id, Deleted: true}, foundAll, nil
}
