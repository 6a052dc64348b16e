package clerk

import (
	"context"
	"iter"
	"strings"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/check"
)

// List returns one page of invitations. For all pages, use [InvitationsService.All].
func (s *InvitationsService) List(ctx context.Context, req ListInvitationsRequest, opts ...CallOption) (*InvitationList, error) {
	return runCall(s.config(), method{operation: OperationList}, opts, func(c *call) (*InvitationList, error) {
		return listPage(ctx, c, req)
	})
}

// All lists every invitation that req selects, page by page, starting at req.Offset.
// req.Limit is the size of a page, by default [MaxListLimit]; req.Paginated is ignored.
// The default order is oldest first, so that new invitations do not move the others.
//
// Each page is requested when the loop reaches it, or earlier with [WithPrefetch]. Each
// loop over the sequence starts again. An error is yielded once, with a zero Invitation,
// and ends the sequence; MaxElapsedTime applies to each page. Pages that end before the
// total count that Clerk states are an error.
//
// Do not change the selected invitations during the loop. An invitation that leaves the
// list, for example by being revoked, shifts later ones onto pages already read, so they
// are skipped: collect the ids first. In any order but oldest first, a new invitation shifts
// the others back; an invitation that appears on two adjacent pages is yielded once.
func (s *InvitationsService) All(ctx context.Context, req ListInvitationsRequest, opts ...AllOption) iter.Seq2[Invitation, error] {
	return sequence(s.config(), opts, req.check(), func(c *call) iter.Seq2[Invitation, error] { return c.invitations(ctx, req) })
}

// WithPrefetch sets how many pages All requests ahead of the loop, concurrently. It starts
// after the first page, which has the total. The order is kept. If req.OrderBy is neither
// empty nor OrderByCreatedAt, it is one page at most, as new invitations could move others
// between concurrent requests. 0, the default, turns it off.
//
// It makes at most 900 requests in 10 seconds, or 90 with a key of a development
// instance (sk_test_...): nine tenths of Clerk's limit (its "Rate limits" page).
func WithPrefetch(pages int) AllOption {
	return allOption(setting("WithPrefetch", check.NotNegative(pages), func(c *callConfig) { c.prefetch = pages }))
}

// Get returns the invitation with an id, including a revoked one. Clerk has no such operation:
// Get lists everything that Clerk finds for the id, on all pages, and returns the exact match.
// If there is none, the error is [ErrNotFound].
func (s *InvitationsService) Get(ctx context.Context, invitationID string, opts ...CallOption) (*Invitation, error) {
	m := method{OperationList, "Get", checkID(invitationID)}
	return runCall(s.config(), m, opts, func(c *call) (*Invitation, error) {
		return c.get(ctx, invitationID)
	})
}

// FindPending returns the newest pending invitation for an address. It compares whole
// addresses, without regard to case, on all pages that Clerk returns. An invitation that has
// expired by the response's Date is not pending, even if Clerk lists it as pending. If there
// is none, the error is [ErrNotFound].
func (s *InvitationsService) FindPending(ctx context.Context, emailAddress string, opts ...CallOption) (*Invitation, error) {
	m := method{OperationList, "FindPending", checkAddress(emailAddress)}
	return runCall(s.config(), m, opts, func(c *call) (*Invitation, error) {
		pending := ListInvitationsRequest{Query: strings.TrimSpace(emailAddress), Status: InvitationStatusPending, OrderBy: OrderByCreatedAtDesc}
		return c.first(ctx, pending, func(inv Invitation) bool {
			return inv.Status == InvitationStatusPending && addresses.Same(inv.EmailAddress, emailAddress) && !c.hasLapsed(inv)
		})
	})
}
