package clerk

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

// loadExisting lists the existing invitations before the first request. Before the first
// one with IgnoreExisting it lists the newest ones again, after the time that new
// invitations may take to show: those of an earlier run would be duplicated.
func (r *run) loadExisting(ctx context.Context, ignoreExisting bool) error {
	if r.config.skipNone {
		return nil
	}
	if r.listedAt.IsZero() {
		r.listedAt = time.Now()
		if err := r.listExisting(ctx, r.config.skipSince); err != nil {
			return err
		}
		r.reached = true
	}
	if !ignoreExisting || r.relisted {
		return nil
	}
	if wait := time.Until(r.listedAt.Add(graceTime)); wait > 0 {
		now := time.Now()
		if deadline, ok := ctx.Deadline(); ok && !now.Add(wait).Before(deadline) {
			return outOfTime(wait)
		}
		r.progress.WaitUntil, r.progress.WaitFor, r.progress.Cause = now.Add(wait), "", nil
		r.reportProgress()
		if err := clock.Sleep(ctx, wait); err != nil {
			return err
		}
		r.progress.WaitUntil = time.Time{}
	}
	since := r.date.Time().Add(-2 * graceTime)
	if since.Before(r.config.skipSince) {
		since = r.config.skipSince
	}
	r.relisted = true
	return r.listExisting(ctx, since)
}

// listExisting records who has a pending or accepted invitation, created at since or
// later if that is not zero.
func (r *run) listExisting(ctx context.Context, since time.Time) error {
	var req ListInvitationsRequest
	var meta callMeta
	c := *r.call
	c.deadline, c.prefetch = time.Time{}, listAhead // each page has all of the call's time
	if !since.IsZero() {
		req.OrderBy, c.prefetch = OrderByCreatedAtDesc, 0
	}
	for page, err := range c.pages(ctx, req, &meta) {
		if err != nil {
			return err
		}
		if r.date == 0 {
			r.date = UnixMilli(r.listedAt.UnixMilli())
			if date, err := http.ParseTime(meta.Header.Get("Date")); err == nil {
				r.date = UnixMilli(date.UnixMilli())
			}
		}
		for _, inv := range page {
			if !since.IsZero() && inv.CreatedAt < UnixMilli(since.UnixMilli()) {
				return nil
			}
			r.recordExisting(inv)
		}
		r.reportProgress()
	}
	return nil
}

func (r *run) recordExisting(inv Invitation) {
	key := keyOf(inv.EmailAddress)
	if !r.relisted {
		r.progress.Listed++
	}
	if _, _, ok := r.known.get(key); ok && (r.relisted || !r.config.skipSince.IsZero()) {
		return // it is of this run, or newer
	}
	if inv.Status == InvitationStatusPending || inv.Status == InvitationStatusAccepted {
		r.known.set(key, OutcomeAlreadyInvited, &ExistingInvitation{inv.ID, inv.Status})
	}
}

// findInvitation finds the invitation that a duplicate_record is about. If the item was
// sent before, in a bulk that was refused, it may be the run's own: nobody documents that
// bulks are all or nothing.
func (r *run) findInvitation(ctx context.Context, it item, refusal error) (*Invitation, *ExistingInvitation, error) {
	if !it.firstSent.IsZero() {
		c := *r.call
		c.restart()
		c.deadline = c.started.Add(2 * graceTime)
		w := creation(&it.request, it.body, nil, "")
		w.mayRetry = func() bool { return false }
		a := &ambiguity{firstSent: it.firstSent, failedAt: time.Now(), failure: refusal}
		inv, _, err := reconcile(ctx, &c, w, a)
		if sdk, ok := errors.AsType[*SDKError](err); err == nil || ok && sdk.lookup != nil {
			return inv, nil, err
		}
	}
	return nil, r.findExisting(ctx, it.request.EmailAddress), nil
}

// findExisting returns the newest invitation of an address that is not revoked; nil if
// there is none, or it cannot be found.
func (r *run) findExisting(ctx context.Context, address string) *ExistingInvitation {
	c := *r.call
	c.restart()
	req := ListInvitationsRequest{Query: address, OrderBy: OrderByCreatedAtDesc}
	inv, _, err := c.find(ctx, req, func(inv Invitation) bool { return sameAddress(inv.EmailAddress, address) })
	if err != nil {
		return nil
	}
	return &ExistingInvitation{inv.ID, inv.Status}
}
