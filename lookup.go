package clerk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
)

var errNoDate = errors.New("clerk: the response has no valid Date header")

// A lookup lists invitations to find out what a write's requests have done.
type lookup struct {
	call    *call
	since   time.Time // when the write was first sent, by our clock
	failure error     // of the write's last request
	meta    callMeta  // of the last response

	ambiguous bool // an earlier request may have been carried out
	settled   bool // what the requests have done would be listed
	decisive  bool // the write may be retried if nothing is found

	found decide.Finding
	err   error // why nothing was looked up

	// By Clerk's clock, what was created before unclear is not this call's work, and what
	// was created at own or later is.
	unclear, own UnixMilli
}

// whose says whether what was created, or updated, at a time is this call's work.
func (l *lookup) whose(at UnixMilli) decide.Finding {
	switch {
	case at >= l.own:
		return decide.FoundAll
	case at >= l.unclear:
		return decide.FoundUnclear
	}
	return decide.FoundOther
}

// list returns the invitations that match req, newest first. Without a query it stops at
// those that are older than the call.
func (l *lookup) list(ctx context.Context, req ListInvitationsRequest) ([]Invitation, error) {
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
func (l *lookup) setTimes(meta callMeta) error {
	date, err := http.ParseTime(meta.Header.Get("Date"))
	if err != nil {
		return errNoDate
	}
	start := date.Add(-time.Since(l.since) - clock.MaxSkew)
	skew := l.call.client.skew.Get()
	l.unclear, l.own = UnixMilli(start.Add(-skew).UnixMilli()), UnixMilli(start.Add(skew).UnixMilli())
	return nil
}

// allStatuses lists everything: a list has the revoked invitations only if asked.
var allStatuses = []InvitationStatus{"", InvitationStatusRevoked}

// statuses returns what to list for created invitations. That somebody else has revoked
// one already matters only before a retry.
func (l *lookup) statuses() []InvitationStatus {
	if l.ambiguous && l.decisive {
		return allStatuses
	}
	return allStatuses[:1]
}

// created finds the invitation that a Create may have created for an address, other
// than one that is known to be older.
func (l *lookup) created(ctx context.Context, address, older string) (*Invitation, decide.Finding, error) {
	found := decide.FoundNothing
	for _, status := range l.statuses() {
		invs, err := l.list(ctx, ListInvitationsRequest{Query: address, Status: status})
		if err != nil {
			return nil, found, err
		}
		for _, inv := range invs {
			if !sameAddress(inv.EmailAddress, address) || inv.ID == older {
				continue
			}
			one := l.whose(inv.CreatedAt)
			switch {
			case one == decide.FoundAll:
				return &inv, one, nil
			case one == decide.FoundOther && inv.Status == InvitationStatusRevoked:
				one = decide.FoundNothing // no reason for a refusal
			case one == decide.FoundOther && inv.Status != InvitationStatusPending:
				one = decide.FoundOlder
			}
			found = max(found, one)
		}
	}
	return nil, found, nil
}

// revoked finds out whether a Revoke was carried out.
func (l *lookup) revoked(ctx context.Context, id string) (*Invitation, decide.Finding, error) {
	invs, err := l.list(ctx, ListInvitationsRequest{Query: id, Status: InvitationStatusRevoked})
	for _, inv := range invs {
		if inv.ID == id {
			return &inv, l.whose(inv.UpdatedAt), nil
		}
	}
	return nil, decide.FoundNothing, err
}

// deleted finds out whether an invitation is gone. A refusal with ErrNotFound says so: an
// earlier request has deleted it.
func (l *lookup) deleted(ctx context.Context, id string) (*DeletedObject, decide.Finding, error) {
	gone := &DeletedObject{Object: "invitation", ID: id, Deleted: true}
	if isRefusedAs(l.failure, ErrNotFound) {
		return gone, decide.FoundAll, nil
	}
	for _, status := range allStatuses {
		invs, err := l.list(ctx, ListInvitationsRequest{Query: id, Status: status})
		if err != nil || slices.ContainsFunc(invs, func(inv Invitation) bool { return inv.ID == id }) {
			return nil, decide.FoundNothing, err
		}
	}
	return gone, decide.FoundAll, nil
}
