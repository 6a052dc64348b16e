package clerk

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
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
	c, err := s.beginAll(opts)
	return func(yield func(Invitation, error) bool) {
		if err != nil {
			yield(Invitation{}, c.finish(callMeta{}, err))
			return
		}
		var last callMeta
		for page, err := range c.perPage().pages(ctx, req, &last) {
			if err != nil {
				yield(Invitation{}, c.finishPage(last, err))
				return
			}
			_ = c.finishPage(last, nil)
			for _, inv := range page {
				if !yield(inv, nil) {
					return
				}
			}
		}
	}
}

func (s *InvitationsService) beginAll(opts []AllOption) (*call, error) {
	c := s.begin(OperationList)
	if err := applyAll(opts, func(o AllOption) error { return o.applyToAll(&c.callConfig) }); err != nil {
		return c, invalid(OperationList, err)
	}
	return c, c.configured()
}

// perPage gives each page all of the call's time.
func (c *call) perPage() *call {
	each := *c
	each.deadline = time.Time{}
	each.pageBound = true
	return &each
}

// finishPage reports the response to one page.
func (c *call) finishPage(meta callMeta, err error) error {
	if c.response != nil {
		*c.response = meta.ResponseMeta
	}
	return err
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
		if pages < 0 {
			return &InputError{"WithPrefetch", "is negative"}
		}
		c.prefetch = pages
		return nil
	})
}

// pages returns the pages of a list, each without the invitations that the previous page
// also has. It sets *last to the metadata of each page.
func (c *call) pages(ctx context.Context, req ListInvitationsRequest, last *callMeta) iter.Seq2[[]Invitation, error] {
	req.Paginated = nil
	req.Limit = cmp.Or(req.Limit, MaxListLimit)
	req.OrderBy = cmp.Or(req.OrderBy, OrderByCreatedAt)
	return func(yield func([]Invitation, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the requests made ahead
		p := &pager{call: c, request: req, end: req.Offset + 1 /* to request the first page */, prefetch: c.prefetch}
		if req.OrderBy != OrderByCreatedAt {
			p.prefetch = min(p.prefetch, 1)
		}
		previous := map[string]bool{}
		for p.request.Offset < p.end || len(p.ahead) > 0 {
			invs, err := p.next(ctx, last)
			if err != nil {
				yield(nil, err)
				return
			}
			current := map[string]bool{}
			invs = slices.DeleteFunc(invs, func(inv Invitation) bool {
				known := previous[inv.ID] || current[inv.ID]
				current[inv.ID] = true
				return known
			})
			if len(invs) == 0 || !yield(invs, nil) {
				return
			}
			previous = current
		}
	}
}

// A pager requests pages.
type pager struct {
	call     *call
	request  ListInvitationsRequest      // the next one
	prefetch int                         // pages to request ahead
	end      int                         // where the list ends, as far as is known
	ahead    []<-chan async.Result[page] // requested already, in order
	limiter  *limiter.Limiter            // of what is requested ahead
}

// A page is the result of a request.
type page struct {
	offset   int
	list     *InvitationList
	err      error
	meta     callMeta
	attempts int
	reached  bool
}

// next returns the next page.
func (p *pager) next(ctx context.Context, last *callMeta) ([]Invitation, error) {
	var got page
	if len(p.ahead) > 0 {
		done := <-p.ahead[0]
		p.ahead = p.ahead[1:]
		var err error
		if got, err = done.Get(); err != nil {
			return nil, fmt.Errorf("a page requested ahead: %w", err)
		}
	} else {
		got = getPage(ctx, *p.call, p.request)
		p.request.Offset += p.request.Limit
	}
	*last = got.meta
	p.call.attempts += got.attempts
	p.call.reached = p.call.reached || got.reached
	if got.err != nil {
		return nil, got.err
	}
	n := len(got.list.Data)
	reached := got.offset + n
	p.end = got.list.TotalCount
	if p.end < 0 && n > 0 { // unknown
		p.end = reached + 1
	}
	if n != p.request.Limit { // the next page is not where it was expected
		p.ahead, p.request.Offset = nil, reached
		p.request.Limit = min(max(1, n), MaxListLimit)
	}
	p.requestAhead(ctx)
	return got.list.Data, nil
}

// requestAhead starts the requests for the pages to come.
func (p *pager) requestAhead(ctx context.Context) {
	if p.prefetch > 0 && p.limiter == nil {
		key, _ := p.call.key(ctx) // an error is the next request's, too
		p.limiter = newListLimiter(key)
	}
	for len(p.ahead) < p.prefetch && p.request.Offset < p.end {
		req, now := p.request, time.Now()
		wait := p.limiter.Wait(now)
		p.limiter.Count(now.Add(wait))
		c := *p.call
		p.ahead = append(p.ahead, async.Go(func() page {
			_ = clock.Sleep(ctx, wait) // an end of ctx ends the request, too
			return getPage(ctx, c, req)
		}))
		p.request.Offset += p.request.Limit
	}
}

// getPage requests one page, with a copy of the call.
func getPage(ctx context.Context, c call, req ListInvitationsRequest) page {
	if c.attempts = 0; c.pageBound {
		c.restart()
	}
	got := page{offset: req.Offset}
	got.list, got.meta, got.err = listPage(ctx, &c, req)
	got.attempts, got.reached = c.attempts, c.reached
	return got
}

// newListLimiter leaves a tenth of the requests that Clerk allows to others (its "Rate
// limits" page). Development instances have a lower limit, and keys with sk_test_.
func newListLimiter(secretKey string) *limiter.Limiter {
	limit := 900
	if strings.HasPrefix(secretKey, "sk_test_") {
		limit = 90
	}
	return limiter.New(limit, 10*time.Second)
}
