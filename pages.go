package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/paging"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// errPagesMissing is the cause of the error when a list ends before its total.
var errPagesMissing = errors.New("clerk: pages are missing")

// pages returns the pages of a list, each without the invitations that the previous page has
// as well. If they end before the total that Clerk states, the last one is an error.
func (c *call) pages(ctx context.Context, req ListInvitationsRequest) iter.Seq2[[]Invitation, error] {
	req.Paginated = nil
	req.Limit = cmp.Or(req.Limit, MaxListLimit)
	req.OrderBy = cmp.Or(req.OrderBy, OrderByCreatedAt)
	return func(yield func([]Invitation, error) bool) {
		tracker := paging.NewTracker(req.Offset, idOf)
		for got, err := range c.pageList(req).Pages(ctx, req.Offset, req.Limit) {
			c.count(got.call)
			c.last = got.call.last
			if err != nil {
				yield(nil, err)
				return
			}
			invs, more := tracker.Add(got.list.Data, c.last.total)
			if !more {
				break
			}
			if len(invs) > 0 && !yield(invs, nil) {
				return
			}
		}
		if seen, total := tracker.Counts(); seen < total {
			yield(nil, &SDKError{
				ResponseMeta: c.last.ResponseMeta, class: transport.Failed,
				Message: fmt.Sprintf("the pages ended after %d of %d invitations", seen, total), Err: errPagesMissing,
			})
		}
	}
}

// invitations returns the invitations on the pages of a list.
func (c *call) invitations(ctx context.Context, req ListInvitationsRequest) iter.Seq2[Invitation, error] {
	return paging.Elements(c.pages(ctx, req))
}

// sequence returns what list yields for a call with the caller's options. Each page may take
// all of the call's time. If an option or the input is invalid, the sequence yields that
// error.
func sequence[T any](client *clientConfig, opts []AllOption, inputErr error, list func(*call) iter.Seq2[T, error]) iter.Seq2[T, error] {
	c := newCall(client, OperationList)
	err := configure(c, opts, AllOption.applyToAll)
	err = cmp.Or(err, inputErr)
	return func(yield func(T, error) bool) {
		if err != nil {
			yield(*new(T), c.finish(err))
			return
		}
		loop := c.anew()
		loop.perPage = true
		for value, err := range list(loop) {
			if c.response != nil {
				*c.response = loop.last.ResponseMeta
			}
			if !yield(value, err) {
				return
			}
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
// Clerk's limits for requests that are not made ahead.
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
	var ahead *limiter.Limiter // of the first page's instance
	l.Wait = func(last pageResponse) time.Duration {
		if ahead == nil {
			limit := 900
			if last.call.last.isDevelopment {
				limit = 90
			}
			ahead = limiter.New(limit, 10*time.Second)
		}
		return ahead.Reserve(time.Now())
	}
	return l
}

func listPage(ctx context.Context, c *call, req ListInvitationsRequest) (*InvitationList, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	r := transport.Request{Operation: string(OperationList), Method: http.MethodGet, Path: "/invitations"}
	r.URL = r.Path + "?" + req.values().Encode()
	list, err := do(ctx, c, r, decodeList)
	if err == nil {
		c.last.total = list.TotalCount
	}
	return list, err
}

// first returns the first invitation of a list that is wanted.
func (c *call) first(ctx context.Context, req ListInvitationsRequest, isWanted func(Invitation) bool) (*Invitation, error) {
	for inv, err := range c.invitations(ctx, req) {
		if err != nil {
			return nil, err
		}
		if isWanted(inv) {
			return &inv, nil
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
		inv, err = c.first(ctx, ListInvitationsRequest{Query: id, Status: InvitationStatus(status)}, func(inv Invitation) bool { return inv.ID == id })
		if !errors.Is(err, ErrNotFound) {
			break
		}
	}
	return inv, err
}

// allStatuses selects everything: a list shows revoked invitations only if asked.
var allStatuses = []string{"", string(InvitationStatusRevoked)}
