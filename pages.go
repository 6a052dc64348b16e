package clerk

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/paging"
)

// All lists every invitation that req selects, page by page, starting at req.Offset.
// req.Limit is the size of a page, by default [MaxListLimit]; req.Paginated is ignored.
// The default order is oldest first, in which new invitations do not move the others.
//
// Each page is requested when the loop reaches it, or earlier with [WithPrefetch]. Each
// loop over the sequence starts again. An error is yielded once, with a zero Invitation,
// and ends the sequence; MaxElapsedTime applies to each page.
//
// Do not change the selected invitations during the loop. An invitation that leaves the list,
// for example by being revoked, shifts later ones onto pages already read, so they are
// skipped: collect the ids first. In another order than oldest first, a new invitation
// shifts the others back; one that appears on two adjacent pages is yielded once.
func (s *InvitationsService) All(ctx context.Context, req ListInvitationsRequest, opts ...AllOption) iter.Seq2[Invitation, error] {
	c := s.begin(OperationList)
	err := configure(c, opts, AllOption.applyToAll)
	return func(yield func(Invitation, error) bool) {
		if err != nil {
			yield(Invitation{}, c.finish(callMeta{}, err))
			return
		}
		each, last := *c, callMeta{}
		each.deadline = time.Time{} // each page has all of the call's time
		for page, err := range each.pages(ctx, req, &last) {
			if c.response != nil {
				*c.response = last.ResponseMeta
			}
			if err != nil {
				yield(Invitation{}, err)
				return
			}
			for _, inv := range page {
				if !yield(inv, nil) {
					return
				}
			}
		}
	}
}

// WithPrefetch makes All request up to that many pages ahead of the loop, concurrently,
// after the first page, which has the total. The order is kept. If req.OrderBy is
// neither empty nor OrderByCreatedAt, it is one page at most, as new invitations could
// move others between concurrent requests. 0, the default, turns it off.
//
// It makes at most 900 requests in 10 seconds, or 90 with a key of a development
// instance (sk_test_...): nine tenths of Clerk's limit (its "Rate limits" page).
func WithPrefetch(pages int) AllOption {
	return allOption(func(c *callConfig) error {
		c.prefetch = pages
		return inputError("WithPrefetch", check.NotNegative(pages))
	})
}

// pages returns the pages of a list, each without the invitations that the previous page
// also has. It sets *last to the metadata of each page. If the call has no deadline, each
// page has all of the call's time.
func (c *call) pages(ctx context.Context, req ListInvitationsRequest, last *callMeta) iter.Seq2[[]Invitation, error] {
	req.Paginated = nil
	req.Limit = cmp.Or(req.Limit, MaxListLimit)
	req.OrderBy = cmp.Or(req.OrderBy, OrderByCreatedAt)
	return func(yield func([]Invitation, error) bool) {
		previous, total := map[string]bool{}, -1
		for got, err := range c.pageList(req).Pages(ctx, req.Offset, req.Limit) {
			*last = got.meta
			c.count(got.meta)
			if err != nil {
				yield(nil, err)
				return
			}
			current := map[string]bool{}
			invs := slices.DeleteFunc(got.list.Data, func(inv Invitation) bool {
				known := previous[inv.ID] || current[inv.ID]
				current[inv.ID] = true
				return known
			})
			if len(invs) == 0 && got.list.TotalCount <= total || len(invs) > 0 && !yield(invs, nil) {
				return // or a server that repeats its last page would never end
			}
			previous, total = current, got.list.TotalCount
		}
	}
}

// A pageResponse is the response to one request.
type pageResponse struct {
	list *InvitationList
	meta callMeta
}

func (p pageResponse) Size() (n, total int) { return len(p.list.Data), p.list.TotalCount }

// pageList returns a list whose pages are requested with copies of the call. It leaves a tenth
// of Clerk's limits to requests that are not made ahead.
func (c call) pageList(req ListInvitationsRequest) paging.List[pageResponse] {
	l := paging.List[pageResponse]{Ahead: c.prefetch}
	if req.OrderBy != OrderByCreatedAt {
		l.Ahead = min(l.Ahead, 1)
	}
	l.Get = func(ctx context.Context, offset int) (got pageResponse, err error) {
		c, req := c, req
		req.Offset = offset
		if c.deadline.IsZero() {
			c.restart()
		}
		got.list, got.meta, err = listPage(ctx, &c, req)
		return got, err
	}
	var ahead *limiter.Limiter // of the instance that the first page is from
	l.Wait = func(last pageResponse) time.Duration {
		switch {
		case ahead != nil:
		case last.meta.isDevelopment:
			ahead = limiter.New(90, 10*time.Second)
		default:
			ahead = limiter.New(900, 10*time.Second)
		}
		now := time.Now()
		wait := ahead.Wait(now)
		ahead.Count(now.Add(wait))
		return wait
	}
	return l
}
