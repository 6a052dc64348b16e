package clerk

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"
)

// All lists every invitation that req asks for, page after page, beginning at
// req.Offset. A page has req.Limit invitations, or [MaxListLimit] where that is
// 0; req.Paginated does not matter. Where req.OrderBy is empty, the oldest comes
// first: then the pages hold still while invitations are made, for new ones come
// at the end. In other orders new ones move those behind them to a later page; an
// invitation that comes on two pages in a row is given once.
//
// Each page is requested when the loop gets to it, unless [WithPrefetch] is given,
// with opts, and each loop over the sequence begins anew. It ends where the last
// total count says, or after a page that is empty or brings nothing new. An error is
// given once, with a zero Invitation, and ends the sequence.
//
// What leaves the list during the loop, such as a pending invitation that is
// revoked, moves the later ones to the front, where the next page does not look
// for them. Collect the ids first, and revoke them after the loop. A list without
// a Status loses only what is revoked; one of the pending ones also loses those that
// are accepted or expire.
func (s *InvitationsService) All(ctx context.Context, req ListInvitationsRequest, opts ...CallOption) iter.Seq2[Invitation, error] {
	cfg := *s.client.forCall(opts)
	if cfg.only == "All" {
		cfg.only = ""
	}
	return func(yield func(Invitation, error) bool) {
		for page, err := range s.pages(ctx, cfg, req) {
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

// WithPrefetch has [InvitationsService.All] request up to that many pages ahead of the
// loop, all at once, as soon as the first one has told how many there are. Their order
// is kept. Where req.OrderBy is neither empty nor OrderByCreatedAt, it requests one page
// ahead only: of several at once, those behind could be looked at before new invitations
// move what they hold, and those before them afterwards.
//
// To leave room for others it makes at most 900 requests in 10 seconds, or 90 with the
// key of a development instance (sk_test_...), which is nine tenths of what Clerk takes
// of all requests together (its "Rate limits" page). 0 turns it off, which is the
// default. Operations other than All refuse it.
func WithPrefetch(pages int) CallOption {
	return onlyFor("All", func(c *config) error {
		if pages < 0 {
			return fieldError{"prefetch", "is negative"}
		}
		c.prefetch = pages
		return nil
	})
}

// pages gives the pages of a list, each without what the one before it had, too.
func (s *InvitationsService) pages(ctx context.Context, cfg config, req ListInvitationsRequest) iter.Seq2[[]Invitation, error] {
	req.Paginated = nil
	req.Limit = cmp.Or(req.Limit, MaxListLimit)
	req.OrderBy = cmp.Or(req.OrderBy, OrderByCreatedAt)
	if req.OrderBy != OrderByCreatedAt {
		cfg.prefetch = min(cfg.prefetch, 1)
	}
	return func(yield func([]Invitation, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends what was requested ahead
		p := &pager{service: s, config: cfg, request: req, end: req.Offset + 1}
		last := map[string]bool{}
		for p.request.Offset < p.end || len(p.ahead) > 0 {
			invs, err := p.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			this := map[string]bool{}
			invs = slices.DeleteFunc(invs, func(inv Invitation) bool {
				known := last[inv.ID] || this[inv.ID]
				this[inv.ID] = true
				return known
			})
			if len(invs) == 0 || !yield(invs, nil) {
				return
			}
			last = this
		}
	}
}

// A pager requests pages.
type pager struct {
	service *InvitationsService
	config  config
	request ListInvitationsRequest // the next one
	end     int                    // where the list ends, as far as is known
	ahead   []<-chan page          // requested already, in order
	quota   quota                  // of what is requested ahead
}

// A page is what a request came to.
type page struct {
	offset int
	list   *InvitationList
	err    error
	meta   ResponseMeta
}

// next gives the next page.
func (p *pager) next(ctx context.Context) ([]Invitation, error) {
	var got page
	if len(p.ahead) > 0 {
		got = <-p.ahead[0]
		p.ahead = p.ahead[1:]
	} else {
		got = p.get(ctx, p.request, 0)
		p.request.Offset += p.request.Limit
	}
	if p.config.response != nil {
		*p.config.response = got.meta
	}
	if got.err != nil {
		return nil, got.err
	}
	n := len(got.list.Data)
	reached := got.offset + n
	p.end = got.list.TotalCount
	if p.end < 0 && n > 0 { // it does not tell
		p.end = reached + 1
	}
	if n != p.request.Limit { // what comes next is elsewhere than where it was looked for
		p.ahead, p.request.Offset = nil, reached
		p.request.Limit = min(max(1, n), MaxListLimit)
	}
	p.lookAhead(ctx)
	return got.list.Data, nil
}

// lookAhead requests what is to come.
func (p *pager) lookAhead(ctx context.Context) {
	if p.config.prefetch > 0 && p.quota.most == 0 {
		deadline := time.Now().Add(p.config.retry.Backoff.MaxElapsedTime)
		key, _ := p.config.key(ctx, deadline) // an error is the next request's, too
		p.quota = listQuota(key)
	}
	for len(p.ahead) < p.config.prefetch && p.request.Offset < p.end {
		req, now := p.request, time.Now()
		wait := p.quota.wait(now)
		p.quota.count(now.Add(wait))
		coming := make(chan page, 1)
		go func() { coming <- p.get(ctx, req, wait) }()
		p.ahead = append(p.ahead, coming)
		p.request.Offset += p.request.Limit
	}
}

// get requests one page, after a wait.
func (p *pager) get(ctx context.Context, req ListInvitationsRequest, wait time.Duration) page {
	_ = sleep(ctx, wait) // an end of ctx is the request's, too
	got := page{offset: req.Offset}
	cfg := p.config
	cfg.response = &got.meta
	got.list, got.err = p.service.list(ctx, &cfg, req)
	return got
}
