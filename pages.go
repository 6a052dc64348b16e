package clerk

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/paging"
)

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

func listPage(ctx context.Context, c *call, req ListInvitationsRequest) (*InvitationList, callMeta, error) {
	r := request{operation: OperationList, method: http.MethodGet, path: "/invitations", query: req.values(), err: req.check()}
	return do(ctx, c, r, decodeList)
}

// first returns the first invitation of a list that is wanted.
func (c *call) first(ctx context.Context, req ListInvitationsRequest, isWanted func(Invitation) bool) (*Invitation, callMeta, error) {
	var last callMeta
	for page, err := range c.pages(ctx, req, &last) {
		if err != nil {
			return nil, last, err
		}
		for _, inv := range page {
			if isWanted(inv) {
				return &inv, last, nil
			}
		}
	}
	return nil, last, &SDKError{ResponseMeta: ResponseMeta{Operation: OperationList}, Message: "no such invitation", Err: ErrNotFound}
}
