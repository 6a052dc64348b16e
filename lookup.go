package clerk

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/search"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A lookup lists invitations to determine what a write's requests have done.
type lookup struct {
	search.Search[Invitation]

	call      *call          // for its requests
	failure   error          // of the write's last request
	last      decide.Failure // what that means for the write
	ambiguous bool           // one of the requests was
	settled   bool           // lists must show the write's work by now
}

// lookUp returns a lookup whose requests are those of the call.
func (c *call) lookUp() *lookup {
	l := &lookup{call: c}
	l.Source = search.Source[Invitation]{
		Describe: func(inv Invitation) search.Object {
			return search.Object{
				ID: inv.ID, Address: inv.EmailAddress, Created: int64(inv.CreatedAt), IsRevoked: inv.Status == InvitationStatusRevoked,
			}
		},
		Pages: func(ctx context.Context, q search.Query) iter.Seq2[[]Invitation, error] {
			req := ListInvitationsRequest{Query: q.Text, Status: InvitationStatus(q.Status)}
			if q.NewestFirst {
				req.OrderBy = OrderByCreatedAtDesc
			}
			return c.pages(ctx, req)
		},
		Total: func() int { return c.last.total },
		Convert: func(at time.Time) (clock.Instant, bool) {
			return c.client.skew.Convert(c.last.Header, at, c.last.longest)
		},
	}
	return l
}

// newLookup returns a lookup of what the call's write did, after a failure.
func (c *call) newLookup(failure, ownRefusal error, retryDuplicates bool) *lookup {
	h := &c.sent
	l := c.part().lookUp()
	l.failure, l.last, l.ambiguous, l.settled = failure, failureOf(failure, ownRefusal), h.Ambiguous != nil, h.IsSettled()
	l.Refused, l.RetryDuplicates, l.Statuses = !l.ambiguous, retryDuplicates, allStatuses[:1]
	l.Between(h, h)
	l.call.isLookup = true
	if l.ambiguous && (l.settled || !retryDuplicates) { // a retry may be next
		l.Statuses = allStatuses // including what somebody else has revoked already
	}
	return l
}

// hasCreated reports whether an invitation in a response is pending, and was created while
// its request was under way.
func (c *call) hasCreated(inv *Invitation) bool {
	l := c.lookUp()
	l.Since, l.Until, l.Refused = c.last.sent, time.Now(), true // it is no older, most likely
	return inv.Status == InvitationStatusPending && l.IsOwn(*inv)
}

// otherAddress returns the failure of a write whose response is about another address. The
// write's outcome is ambiguous, and a retry would get the same response.
func (c *call) otherAddress() error {
	return &SDKError{ResponseMeta: c.last.ResponseMeta, Message: errOtherAddress.Error(), Err: errOtherAddress, class: transport.Ambiguous}
}

// failureOf says what a failure means for its write. A refusal that matches own may be caused
// by an earlier request of the write.
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

// isFinal reports whether another lookup would fail with the same error.
func isFinal(err error) bool {
	return errors.Is(err, ErrUnauthorized) || errors.Is(err, search.ErrNoDate) || errors.Is(err, search.ErrTooMany) || errors.Is(err, search.ErrSpelled)
}

// created finds the invitation that a Create may have created for an address, ignoring one
// that is known to be older.
func (l *lookup) created(ctx context.Context, address, older string) (*Invitation, decide.Finding, error) {
	return l.Created(ctx, address, older, l.last != decide.RefusedAsDone)
}

// revoked determines whether a Revoke was carried out.
func (l *lookup) revoked(ctx context.Context, id string) (*Invitation, decide.Finding, error) {
	invs, err := l.List(ctx, id, string(InvitationStatusRevoked), false)
	for _, inv := range invs {
		if inv.ID == id {
			return &inv, l.Whose(int64(inv.UpdatedAt)), nil
		}
	}
	return nil, decide.FoundNothing, err
}

// deleted determines whether an invitation is gone. A refusal because it is not found proves
// that: an earlier request has deleted it. Absence from lists proves it only once they must
// show what was created before the call. The lists must also be complete, as Clerk does not
// document how query matches ids.
func (l *lookup) deleted(ctx context.Context, id string) (*DeletedObject, decide.Finding, error) {
	gone := &DeletedObject{Object: "invitation", ID: id, Deleted: true}
	if l.last == decide.RefusedAsDone {
		return gone, decide.FoundOwn, nil
	}
	_, err := l.call.get(ctx, id)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return nil, decide.FoundNothing, err
	}
	if time.Since(l.Since) < decide.Grace {
		return nil, decide.FoundNothing, nil
	}
	for _, status := range allStatuses {
		isAbsent, err := l.IsAbsent(ctx, id, status)
		if err != nil || !isAbsent {
			return nil, decide.FoundNothing, err
		}
	}
	return gone, decide.FoundOwn, nil
}
