package clerk

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/clock"
)

// listAhead is how many pages of existing invitations a run requests at a time.
const listAhead = 8

// loadExisting lists the existing invitations before the first request. Before the first
// one with IgnoreExisting it lists the newest ones again, after the time that new
// invitations may take to show: those of an earlier run would be duplicated.
func (r *run) loadExisting(ctx context.Context, ignoreExisting bool) error {
	if r.config.skipNone {
		return nil
	}
	if r.listedAt.IsZero() {
		r.listedAt = time.Now()
		if err := r.listExisting(ctx); err != nil {
			return err
		}
		r.call.answered = true
	}
	if !ignoreExisting || r.relisted {
		return nil
	}
	complete := r.listedAt.Add(graceTime)
	if err := r.announceWait(ctx, complete, "", nil); err != nil {
		return err
	}
	if err := clock.Sleep(ctx, time.Until(complete)); err != nil {
		return err
	}
	r.relisted = true
	return r.listExisting(ctx)
}

// listExisting records who has a pending or accepted invitation, if that is recent enough.
func (r *run) listExisting(ctx context.Context) error {
	var req ListInvitationsRequest
	c, since := r.call.anew(), UnixMilli(r.config.skipSince.UnixMilli())
	c.perPage, c.prefetch = true, listAhead
	if r.relisted || !r.config.skipSince.IsZero() {
		req.OrderBy, c.prefetch = OrderByCreatedAtDesc, 0
	}
	for page, err := range c.pages(ctx, req) {
		if err != nil {
			return err
		}
		recent, _, ok := c.client.skew.Started(c.last.Header, r.listedAt.Add(-2*graceTime))
		if r.relisted && ok { // what the first list may have missed
			since = max(since, UnixMilli(recent.UnixMilli()))
		}
		for _, inv := range page {
			if inv.CreatedAt < since {
				return nil
			}
			r.recordExisting(inv)
		}
		r.reportProgress(time.Time{}, "", nil)
	}
	return nil
}

func (r *run) recordExisting(inv Invitation) {
	if !r.relisted {
		r.progress.Listed++
	}
	key := addresses.KeyOf(inv.EmailAddress)
	if _, ok := r.byAddress.Get(key); ok && (r.relisted || !r.config.skipSince.IsZero()) {
		return // it is of this run, or newer
	}
	if inv.Status == InvitationStatusPending || inv.Status == InvitationStatusAccepted {
		r.byAddress.Set(key, addresses.Entry{State: uint8(OutcomeAlreadyInvited), ID: inv.ID, Status: string(inv.Status)})
	}
}

// findInvitation returns the result of an item that Clerk refused as a duplicate. If it
// was sent before, in a bulk that was refused, the invitation may be the run's own: nobody
// documents that bulks are all or nothing.
func (r *run) findInvitation(ctx context.Context, it *item, refusal error) CreateResult {
	since := it.mayExistSince
	if it.last.ambiguous != nil { // it may have been created before it was refused
		since = cmp.Or(since, it.last.firstSent)
	}
	if !since.IsZero() {
		c := r.call.anew()
		c.deadline = c.started.Add(2 * graceTime)
		w := creation(&it.request, it.body)
		w.mayRetry = func() bool { return false }
		// As if the refusal had been of a retry: resume looks for whose work it is.
		c.sent = history{firstSent: since, failedAt: time.Now(), ambiguous: refusal}
		inv, err := resume(ctx, c, w)
		if err == nil {
			return CreateResult{Outcome: OutcomeCreated, Invitation: inv}
		}
		if sdk, ok := errors.AsType[*SDKError](err); ok && sdk.lookupErr != nil {
			return CreateResult{Outcome: OutcomeUnknown, Err: err}
		}
	}
	result := CreateResult{Outcome: OutcomeAlreadyInvited} // also if it is unclear whose it is
	address := it.request.EmailAddress
	newest := ListInvitationsRequest{Query: address, OrderBy: OrderByCreatedAtDesc} // not the revoked ones
	isSame := func(inv Invitation) bool { return sameAddress(inv.EmailAddress, address) }
	if inv, err := r.call.anew().first(ctx, newest, isSame); err == nil {
		result.Existing = &ExistingInvitation{inv.ID, inv.Status}
	}
	return result
}
