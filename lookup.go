package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

var (
	errNoDate  = errors.New("clerk: the response has no valid Date header")
	errTooMany = errors.New("clerk: there are too many invitations to look through")
	errSpelled = fmt.Errorf("%w: an invitation was created meanwhile that may be for another spelling of it", errOtherAddress)
)

// maxLookupPages limits what a lookup may cost.
const maxLookupPages = 20

// A lookup lists invitations to find out what a write's requests have done.
type lookup struct {
	call            *call              // for its requests
	since           time.Time          // when the write was first sent, by our clock
	until           time.Time          // when its work was done at the latest
	failure         error              // of the write's last request
	last            decide.Failure     // what that means for the write
	ambiguous       bool               // one of the requests was
	settled         bool               // lists must show the write's work by now
	retryDuplicates bool               // Clerk would carry out a retry a second time
	statuses        []InvitationStatus // to list for created invitations
	period          decide.Period      // of the write's work by Clerk's clock; set by each list
}

// newLookup returns a lookup of what the call's write did, after a failure.
func (c *call) newLookup(failure, ownRefusal error, retryDuplicates bool) *lookup {
	h := &c.sent
	l := &lookup{
		call: c.part(), failure: failure, last: failureOf(failure, ownRefusal),
		ambiguous: h.Ambiguous != nil, settled: h.IsSettled(), retryDuplicates: retryDuplicates, statuses: allStatuses[:1],
	}
	l.between(h, h)
	l.call.isLookup = true
	if l.ambiguous && (l.settled || !retryDuplicates) { // a retry may be next
		l.statuses = allStatuses // including what somebody else has revoked already
	}
	return l
}

// between makes the lookup find the work of requests, of which the first and the last are
// given.
func (l *lookup) between(first, last *decide.History) {
	l.since, l.until = first.FirstSent, last.DoneBy()
}

// isOf reports whether an invitation that the lookup found is the work of requests.
func (l *lookup) isOf(h *decide.History, inv *Invitation) bool {
	l.between(h, h)
	return l.setPeriod() == nil && l.whose(inv.CreatedAt) == decide.FoundOwn
}

// hasCreated reports whether an invitation in a response is pending, and was created while
// its request was under way.
func (c *call) hasCreated(inv *Invitation) bool {
	l := &lookup{call: c, since: c.last.sent, until: time.Now(), last: decide.Refused} // it is no older, most likely
	return inv.Status == InvitationStatusPending && l.setPeriod() == nil && l.whose(inv.CreatedAt) == decide.FoundOwn
}

// otherAddress is the failure of a write whose response is about another address. What the
// write did is ambiguous, and a retry would get the same response.
func (c *call) otherAddress() error {
	return &SDKError{ResponseMeta: c.last.ResponseMeta, Message: errOtherAddress.Error(), Err: errOtherAddress, class: transport.Ambiguous}
}

// failureOf says what a failure means for its write, whose earlier requests may be the
// reason for a refusal that matches own.
func failureOf(failure, own error) decide.Failure {
	class := classOf(failure)
	switch {
	case class == transport.Ambiguous:
		return decide.OutcomeUnknown
	case class != transport.Refused:
		return decide.NotCarriedOut
	case errors.Is(failure, own):
		return decide.RefusedAsDone
	case isDefinite(failure):
		return decide.RefusedForGood
	}
	return decide.Refused
}

// isFinal reports whether a lookup's error would be the same again.
func isFinal(err error) bool {
	return errors.Is(err, ErrUnauthorized) || errors.Is(err, errNoDate) || errors.Is(err, errTooMany) || errors.Is(err, errSpelled)
}

// whose says whether what was created, or updated, at a time is this call's work.
func (l *lookup) whose(at UnixMilli) decide.Finding { return l.period.Whose(int64(at)) }

// list returns the invitations that match a query, newest first. With onlyNew it stops at
// those that are older than the call. As it is not documented how query matches, a list
// may be long: at most maxLookupPages are read.
func (l *lookup) list(ctx context.Context, query string, status InvitationStatus, onlyNew bool) ([]Invitation, error) {
	var invs []Invitation
	pages, isPast := 0, false // the page has older ones
	req := ListInvitationsRequest{Query: query, Status: status, OrderBy: OrderByCreatedAtDesc}
	for page, err := range l.call.pages(ctx, req) {
		if err == nil {
			err = l.setPeriod()
		}
		if err != nil {
			return nil, err
		}
		invs = append(invs, page...)
		oldest := page[len(page)-1].CreatedAt
		isPast = l.period.IsPast(int64(oldest)) && isNewestFirst(invs)
		if pages++; isPast && onlyNew || pages == maxLookupPages {
			break
		}
	}
	if !isPast && len(invs) < l.call.last.total {
		return nil, errTooMany
	}
	return invs, l.setPeriod() // an empty list has no page
}

// isNewestFirst reports whether the server has sorted invitations as asked. Those of one
// time do not show it.
func isNewestFirst(invs []Invitation) bool {
	newest, oldest := invs[0].CreatedAt, invs[len(invs)-1].CreatedAt
	return newest > oldest && slices.IsSortedFunc(invs, func(a, b Invitation) int { return cmp.Compare(b.CreatedAt, a.CreatedAt) })
}

// setPeriod converts the times of the write to Clerk's clock.
func (l *lookup) setPeriod() error {
	skew, last := l.call.client.skew, &l.call.last
	start, ok := skew.Convert(last.Header, l.since, last.longest)
	if !ok {
		return errNoDate
	}
	end, _ := skew.Convert(last.Header, l.until, last.longest)
	l.period = decide.NewPeriod(start, end)
	if l.last >= decide.Refused && !l.ambiguous {
		l.period.Sharpen(start, l.retryDuplicates)
	}
	return nil
}

// created finds the invitation that a Create may have created for an address, other
// than one that is known to be older.
func (l *lookup) created(ctx context.Context, address, older string) (*Invitation, decide.Finding, error) {
	found := decide.FoundNothing
	for _, status := range l.statuses {
		invs, err := l.list(ctx, address, status, l.last != decide.RefusedAsDone)
		if err != nil {
			return nil, found, err
		}
		for _, inv := range invs {
			if !addresses.Same(inv.EmailAddress, address) || inv.ID == older {
				continue
			}
			whose := l.whose(inv.CreatedAt)
			switch {
			case whose == decide.FoundOwn:
				return &inv, whose, nil
			case whose == decide.FoundForeign && inv.Status == InvitationStatusRevoked:
				whose = decide.FoundNothing // no reason for a refusal
			case whose == decide.FoundForeign: // even a pending one may be revoked by now
				whose = decide.FoundForeignSoFar
			}
			found = max(found, whose)
		}
	}
	if found != decide.FoundNothing || !addresses.HasOther(address) {
		return nil, found, nil
	}
	invs, err := l.list(ctx, "", "", true)
	if err == nil && slices.ContainsFunc(invs, func(inv Invitation) bool { return inv.ID != older && l.isSpelled(&inv, address) }) {
		err = errSpelled
	}
	return nil, found, err
}

// isSpelled reports whether an invitation may be the call's work for an address, which
// Clerk has stored in another spelling.
func (l *lookup) isSpelled(inv *Invitation, address string) bool {
	return addresses.MayBe(inv.EmailAddress, address) && l.whose(inv.CreatedAt) != decide.FoundForeign
}

// revoked finds out whether a Revoke was carried out.
func (l *lookup) revoked(ctx context.Context, id string) (*Invitation, decide.Finding, error) {
	invs, err := l.list(ctx, id, InvitationStatusRevoked, false)
	for _, inv := range invs {
		if inv.ID == id {
			return &inv, l.whose(inv.UpdatedAt), nil
		}
	}
	return nil, decide.FoundNothing, err
}

// deleted finds out whether an invitation is gone. A refusal because it is not found says
// so: an earlier request has deleted it. Absence says so only once lists must show what was
// created before the call and, as it is not documented how query matches ids, if they are
// complete.
func (l *lookup) deleted(ctx context.Context, id string) (*DeletedObject, decide.Finding, error) {
	gone := &DeletedObject{Object: "invitation", ID: id, Deleted: true}
	if l.last == decide.RefusedAsDone {
		return gone, decide.FoundOwn, nil
	}
	_, err := l.call.get(ctx, id)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return nil, decide.FoundNothing, err
	}
	if time.Since(l.since) < decide.Grace {
		return nil, decide.FoundNothing, nil
	}
	for _, status := range allStatuses {
		isAbsent, err := l.isAbsent(ctx, id, status)
		if err != nil || !isAbsent {
			return nil, decide.FoundNothing, err
		}
	}
	return gone, decide.FoundOwn, nil
}

// isAbsent reports whether an invitation is certainly not in the list of a status.
func (l *lookup) isAbsent(ctx context.Context, id string, status InvitationStatus) (bool, error) {
	pages, seen, total := 0, 0, 0
	for page, err := range l.call.pages(ctx, ListInvitationsRequest{Status: status}) {
		if pages++; err == nil && pages > maxLookupPages {
			err = errTooMany
		}
		if err != nil || slices.ContainsFunc(page, func(inv Invitation) bool { return inv.ID == id }) {
			return false, err
		}
		seen, total = seen+len(page), max(total, l.call.last.total)
	}
	return seen >= total, nil // otherwise some have moved to pages already read
}
