package clerk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/paging"
	"github.com/clerk-invitations/clerk-go/internal/timing"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// listAhead is the number of pages of existing invitations that a run requests at a time.
const listAhead = 8

// recentTime is how long a campaign without WithSkipSince is assumed to take. An invitation is
// recent if it was created within that time and no request of the run has had its address yet.
const recentTime = 24 * time.Hour

// A roster knows which addresses have an invitation, and which the run has read.
type roster struct {
	call      *call
	config    *createAllConfig
	reporter  *reporter
	byAddress addresses.Map // State is the Outcome of another request; 0 while one is queued
	listedAt  time.Time     // when the existing invitations were listed; zero before
	relisted  bool          // once more, for requests with IgnoreExisting
	total     int           // of the first list
	moved     bool          // invitations may have moved in the lists meanwhile
}

// load lists the existing invitations before the first request. Before the first request with
// IgnoreExisting it lists the newest ones again, once lists must show new invitations.
// Otherwise the run would duplicate those of an earlier run. If there are more or fewer by
// then, some may have moved to pages already read, so all are listed again.
func (r *roster) load(ctx context.Context, ignoreExisting bool) error {
	if r.config.skipNone {
		return nil
	}
	if r.listedAt.IsZero() {
		r.listedAt = time.Now()
		if err := r.list(ctx); err != nil {
			return err
		}
		r.call.answered = true
	}
	if !ignoreExisting || r.relisted {
		return nil
	}
	complete := r.listedAt.Add(decide.Grace)
	if err := r.reporter.announce(ctx, complete, pace.None, nil); err != nil {
		return err
	}
	if err := clock.Sleep(ctx, time.Until(complete)); err != nil {
		return err
	}
	r.relisted = true
	if err := r.list(ctx); err != nil {
		return err
	}
	if r.moved {
		return r.listOverlapping(ctx)
	}
	return nil
}

// list records who has a pending or accepted invitation, if that is recent enough.
func (r *roster) list(ctx context.Context) error {
	var req ListInvitationsRequest
	c, since := r.call.anew(), UnixMilli(r.config.skipSince.UnixMilli())
	c.perPage, c.prefetch = true, listAhead
	if r.relisted || !r.config.skipSince.IsZero() {
		req.OrderBy, c.prefetch = OrderByCreatedAtDesc, 0
	}
	r.total = cmp.Or(r.total, -1)
	pages := 0
	for page, err := range c.pages(ctx, req) {
		if errors.Is(err, errPagesMissing) {
			return r.listOverlapping(ctx)
		}
		if err != nil {
			return err
		}
		if r.total < 0 {
			r.total = c.last.total
		}
		start, ok := c.client.skew.Convert(c.last.Header, r.listedAt, c.last.longest)
		isNew := func(inv Invitation) bool { // created since the first page was listed
			known, _ := r.byAddress.Get(addresses.KeyOf(inv.EmailAddress))
			return inv.CreatedAt.Time().After(start.Earliest) && (pages > 0 || r.relisted && known.ID != inv.ID)
		}
		r.moved = r.moved || c.last.total != r.total || slices.ContainsFunc(page, isNew)
		pages++
		if r.relisted && ok { // what the first list may have missed
			since = max(since, UnixMilli(start.Earliest.Add(-2*decide.Grace).UnixMilli()))
		}
		if !r.recordPage(c, page, since) {
			break
		}
	}
	return nil
}

// listOverlapping lists all recent enough invitations again, on overlapping pages.
func (r *roster) listOverlapping(ctx context.Context) error {
	var c *call // of the last page
	list := func(offset int) ([]Invitation, int, error) {
		c = r.call.anew()
		got, err := listPage(ctx, c, ListInvitationsRequest{Limit: MaxListLimit, Offset: offset, OrderBy: OrderByCreatedAtDesc})
		if err != nil {
			return nil, 0, err
		}
		return got.Data, got.TotalCount, nil
	}
	for page, err := range paging.Overlapping(MaxListLimit, idOf, list) {
		if errors.Is(err, paging.ErrChanging) {
			err = &SDKError{ResponseMeta: ResponseMeta{Operation: OperationList}, Message: "the list of invitations changes faster than it can be read"}
		}
		if err != nil || !r.recordPage(c, page, UnixMilli(r.config.skipSince.UnixMilli())) {
			return err
		}
	}
	return nil
}

// recordPage records a page of a list, up to an invitation that is too old.
func (r *roster) recordPage(c *call, page []Invitation, since UnixMilli) (more bool) {
	for _, inv := range page {
		if inv.CreatedAt < since {
			return false
		}
		if !c.hasLapsed(inv) {
			r.recordExisting(inv)
		}
	}
	r.reporter.report(time.Time{}, pace.None, nil)
	return true
}

func (r *roster) recordExisting(inv Invitation) {
	if !r.relisted {
		r.reporter.progress.Listed++
	}
	key := addresses.KeyOf(inv.EmailAddress)
	if _, ok := r.byAddress.Get(key); ok && (r.relisted || !r.config.skipSince.IsZero()) {
		return // it was created by this run, or later
	}
	if inv.Status != InvitationStatusPending && inv.Status != InvitationStatusAccepted {
		return
	}
	entry := addresses.Entry{State: uint8(OutcomeAlreadyInvited), ID: inv.ID, Status: string(inv.Status)}
	if !r.config.skipSince.IsZero() || r.listedAt.Sub(inv.CreatedAt.Time()) < recentTime {
		r.byAddress.SetRecent(inv.EmailAddress, entry)
	} else {
		r.byAddress.Set(key, entry)
	}
}

// add records that an item is queued, unless its address is known. In that case it returns the
// item's result, which has no outcome while another item with the address is queued.
func (r *roster) add(it *item) (result CreateResult, isKnown bool) {
	known, isKnown := r.byAddress.Get(it.key)
	switch {
	case !isKnown && it.request.IgnoreExisting && r.byAddress.HasRecent(it.request.EmailAddress): // Clerk would invite it again
		return CreateResult{Outcome: OutcomeUnknown, Err: &SDKError{
			ResponseMeta: ResponseMeta{Operation: OperationCreate}, class: transport.Ambiguous,
			Message: "an invitation was created lately that may be for another spelling of the address",
		}}, true
	case !isKnown:
		r.byAddress.Set(it.key, addresses.Entry{})
		return CreateResult{}, false
	}
	result.Outcome = Outcome(known.State)
	if result.Outcome == OutcomeUnknown {
		result.Err = &SDKError{
			ResponseMeta: ResponseMeta{Operation: OperationCreate}, class: transport.Ambiguous,
			Message: "an earlier request has the address, and its outcome is unknown",
		}
	}
	if known.ID != "" {
		result.Existing = &ExistingInvitation{known.ID, InvitationStatus(known.Status)}
	}
	return result, true
}

// record keeps the result of an item for later items with its address.
func (r *roster) record(it *item, result CreateResult) {
	known := addresses.Entry{State: uint8(result.Outcome)}
	if inv := result.existing(); inv != nil {
		known.ID, known.Status = inv.ID, string(inv.Status)
	}
	switch result.Outcome {
	case OutcomeRejected: // the address may be accepted with other parameters
		r.byAddress.Remove(it.key)
		return
	case OutcomeCreated:
		known.State = uint8(OutcomeRepeated)
	}
	r.byAddress.Set(it.key, known)
}

// explain returns the result of an item that Clerk refused as a duplicate. If it was sent
// before, in a bulk that was refused, the invitation may be the run's own, as Clerk does
// not document bulks as atomic.
func (r *roster) explain(ctx context.Context, it *item, refusal error) CreateResult {
	requests := it.earlier
	if it.last.Ambiguous != nil { // it may have been created before it was refused
		requests = append(requests, it.last)
	}
	if len(requests) > 0 {
		inv, err := r.findOwn(ctx, it.request.EmailAddress, requests)
		switch {
		case err != nil:
			return CreateResult{Outcome: OutcomeUnknown, Err: unknownOutcome(refusal, err, clock.Err(ctx))}
		case inv != nil:
			return CreateResult{Outcome: OutcomeCreated, Invitation: inv}
		}
	}
	result := CreateResult{Outcome: OutcomeAlreadyInvited} // even if it is unclear whose it is
	address := it.request.EmailAddress
	newest := ListInvitationsRequest{Query: address, OrderBy: OrderByCreatedAtDesc} // without revoked ones
	isSame := func(inv Invitation) bool { return addresses.Same(inv.EmailAddress, address) }
	if inv, err := r.call.anew().first(ctx, newest, isSame); err == nil {
		result.Existing = &ExistingInvitation{inv.ID, inv.Status}
	}
	return result
}

// findOwn returns the invitation for an address that one of the run's requests created. It
// returns nil if the existing one is not the run's, or cannot be found soon enough.
func (r *roster) findOwn(ctx context.Context, address string, requests []decide.History) (*Invitation, error) {
	c := r.call.anew()
	c.operation, c.isLookup, c.deadline = OperationCreate, true, c.started.Add(2*decide.Grace)
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	l := c.lookUp()
	l.Statuses = allStatuses
	l.Between(&requests[0], &requests[len(requests)-1])
	for {
		c.pass++
		inv, found, err := l.created(ctx, address, "")
		asked, rest := askedBy(err), decide.Grace-time.Since(c.started)
		wait := timing.BeforeDecisive(c.Backoff(c.pass, asked), asked, rest)
		switch {
		case found == decide.FoundOwn && l.IsOf(requests, *inv):
			return inv, nil
		case found == decide.FoundOwn: // others created it between the requests
			return nil, nil
		case found == decide.FoundUnclear, found == decide.FoundForeignSoFar && rest <= 0:
			return nil, nil
		case isFinal(err), wait >= clock.Left(ctx):
			return nil, err
		}
		_ = c.pause(ctx, "lookup", wait) // an end of ctx ends the loop
	}
}
