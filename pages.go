package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/paging"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// errPagesMissing is the cause of the error of a list that ends before its total.
var errPagesMissing = errors.New("clerk: pages are missing")

// pages returns the pages of a list, each without the invitations that the previous page
// also has. If they end before the total that Clerk states, the last one is an error.
func (c *call) pages(ctx context.Context, req ListInvitationsRequest) iter.Seq2[[]Invitation, error] {
	req.Paginated = nil
	req.Limit = cmp.Or(req.Limit, MaxListLimit)
	req.OrderBy = cmp.Or(req.OrderBy, OrderByCreatedAt)
	return func(yield func([]Invitation, error) bool) {
		previous, total := map[string]bool{}, -1
		seen, smallest := req.Offset, math.MaxInt // total
		for got, err := range c.pageList(req).Pages(ctx, req.Offset, req.Limit) {
			c.count(got.call)
			c.last = got.call.last
			if err != nil {
				yield(nil, err)
				return
			}
			current := map[string]bool{}
			invs := slices.DeleteFunc(got.list.Data, func(inv Invitation) bool {
				known := previous[inv.ID] || current[inv.ID]
				if current[inv.ID] = true; !previous[inv.ID] {
					seen++
				}
				return known
			})
			isEnd := len(invs) == 0 && c.last.total <= total // or a server that repeats its last page would never end
			previous, total = current, c.last.total
			smallest = min(smallest, total)
			if isEnd {
				break
			}
			if len(invs) > 0 && !yield(invs, nil) {
				return
			}
		}
		if seen < smallest {
			yield(nil, &SDKError{
				ResponseMeta: c.last.ResponseMeta, class: transport.Failed,
				Message: fmt.Sprintf("the pages ended after %d of %d invitations", seen, smallest), Err: errPagesMissing,
			})
		}
	}
}

// A pageResponse is the response to one request.
type pageResponse struct {
	list *InvitationList
	call *call
}

func (p pageResponse) Size() (n, total int) { return len(p.list.Data), p.list.TotalCount }

// pageList returns a list whose pages are requested by parts of the call. It leaves a tenth of
// Clerk's limits to requests that are not made ahead.
func (c *call) pageList(req ListInvitationsRequest) paging.List[pageResponse] {
	l := paging.List[pageResponse]{Ahead: c.prefetch}
	if req.OrderBy != OrderByCreatedAt {
		l.Ahead = min(l.Ahead, 1)
	}
	l.Get = func(ctx context.Context, offset int) (got pageResponse, err error) {
		req := req
		req.Offset = offset
		got.call = c.part()
		if c.perPage {
			got.call.restart()
		}
		got.list, err = listPage(ctx, got.call, req)
		return got, err
	}
	var ahead *limiter.Limiter // of the instance that the first page is from
	l.Wait = func(last pageResponse) time.Duration {
		switch {
		case ahead != nil:
		case last.call.last.isDevelopment:
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

func listPage(ctx context.Context, c *call, req ListInvitationsRequest) (*InvitationList, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	r := request{operation: OperationList, method: http.MethodGet, path: "/invitations", query: req.values()}
	list, err := do(ctx, c, r, decodeList)
	if err == nil {
		c.last.total = list.TotalCount
	}
	return list, err
}

// first returns the first invitation of a list that is wanted.
func (c *call) first(ctx context.Context, req ListInvitationsRequest, isWanted func(Invitation) bool) (*Invitation, error) {
	for page, err := range c.pages(ctx, req) {
		if err != nil {
			return nil, err
		}
		for _, inv := range page {
			if isWanted(inv) {
				return &inv, nil
			}
		}
	}
	return nil, &SDKError{ResponseMeta: ResponseMeta{Operation: OperationList}, Message: "no such invitation", Err: ErrNotFound}
}

// date returns the time of the last response.
func (c *call) date() (UnixMilli, bool) {
	at, err := http.ParseTime(c.last.Header.Get("Date"))
	return UnixMilli(at.UnixMilli()), err == nil
}

// hasLapsed reports whether an invitation that the last response lists as pending had
// expired by then.
func (c *call) hasLapsed(inv Invitation) bool {
	now, ok := c.date()
	return ok && inv.Status == InvitationStatusPending && inv.isExpired(now)
}

// get returns the invitation with an id.
func (c *call) get(ctx context.Context, id string) (inv *Invitation, err error) {
	for _, status := range allStatuses {
		inv, err = c.first(ctx, ListInvitationsRequest{Query: id, Status: status}, func(inv Invitation) bool { return inv.ID == id })
		if !errors.Is(err, ErrNotFound) {
			break
		}
	}
	return inv, err
}

// allStatuses lists everything: a list has the revoked invitations only if asked.
var allStatuses = []InvitationStatus{"", InvitationStatusRevoked}
