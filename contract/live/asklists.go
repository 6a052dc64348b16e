package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// askQuery creates an invitation, searches for it and returns it.
func (r *run) askQuery(ctx context.Context) invitation {
	inv := r.create(ctx, r.item("b")).invitation()
	kept := inv.EmailAddress
	if r.err == nil && len(kept) < len(r.marker()) {
		r.err = errors.New("a create returned no address")
	}
	if r.err != nil || r.late {
		return inv
	}
	finds := func(text string) bool {
		_, found := r.own(ctx, "&query="+url.QueryEscape(text))[inv.ID]
		return found
	}
	switch {
	case finds("nothing" + r.name):
		r.saw("query", "query=ignored")
	case finds(r.name[2:]):
		r.saw("query", "")
	case finds(kept[:len(r.marker())-2]):
		r.saw("query", "query=beginnings")
	default:
		found := r.own(ctx, "&query="+url.QueryEscape(kept))
		_, whole := found[inv.ID]
		switch {
		case !whole:
			r.other("query", "not even whole addresses")
		case len(found) == 1:
			r.saw("query", "query=whole")
		default:
			r.saw("query", "query=words")
		}
	}
	r.sawIf(!finds(inv.ID), "query-without-ids", "query-without-ids")
	r.sawIf(!finds(strings.ToUpper(kept)), "query-case-sensitive", "query-case-sensitive")
	return inv
}

// askLists asks about the form of lists. There are at least two pending invitations.
func (r *run) askLists(ctx context.Context, ended, open invitation) {
	bare := r.list(ctx, "limit=1").page()
	paginated := r.list(ctx, "paginated=true&limit=1").page()
	total, counted := paginated.count()
	switch {
	case bare.enveloped == paginated.enveloped && bare.enveloped:
		r.saw("lists", "lists=envelope")
		r.unclear("unpaged-arrays", "no list is a bare array")
	case bare.enveloped == paginated.enveloped:
		r.saw("lists", "lists=bare")
	case bare.enveloped:
		r.other("lists", "an array with paginated=true, otherwise an envelope")
	default:
		r.saw("lists", "")
	}
	if !bare.enveloped {
		r.sawIf(len(bare.data) > 1, "unpaged-arrays", "unpaged-arrays")
	}
	if counted {
		r.sawIf(total < 2, "total-of-page", "total-of-page")
	} else {
		r.unclear("total-of-page", "there is none")
	}
	if r.answers["revoked-unlisted"].flip != "" {
		r.unclear("statuses", "revoked invitations are not listed")
		return
	}
	both := r.list(ctx, "paginated=true&limit=100&status=revoked&status=pending")
	r.answerStatuses(both, ended.ID, open.ID)
}

func (r *run) answerStatuses(both reply, revoked, pending string) {
	listed := map[string]bool{}
	for _, inv := range both.page().data {
		listed[inv.ID] = true
	}
	switch {
	case both.code() != "":
		r.saw("statuses", "statuses=refused")
	case listed[revoked] && listed[pending]:
		r.saw("statuses", "")
	case listed[revoked]:
		r.saw("statuses", "statuses=first")
	default:
		r.other("statuses", "those without the first value")
	}
}

// askBulks sends bulks, one of which creates invitations if all is as assumed.
func (r *run) askBulks(ctx context.Context) {
	mixed := r.bulk(ctx, r.item("c"), r.item("b"), r.item("d"))
	named := map[string]bool{}
	for _, inv := range r.own(ctx, "") {
		named[r.nameOf(inv)] = true
	}
	refused := mixed.code() == "duplicate_record"
	switch first, last := named["c"], named["d"]; {
	case mixed.ok() && first && last:
		r.saw("bulks", "bulks=without-duplicates")
	case refused && first && last:
		r.saw("bulks", "bulks=good-rows")
	case refused && first:
		r.saw("bulks", "bulks=until-first")
	case refused && !last:
		r.saw("bulks", "")
	default:
		r.other("bulks", fmt.Sprintf("%s, and in lists: the first %t, the last %t", mixed, first, last))
	}
	switch twice := r.bulk(ctx, r.item("e"), r.item("e")); {
	case twice.ok() && len(twice.page().data) == 1:
		r.unclear("bulks-repeat", "the bulk left one of the two out")
	default:
		r.sawRefusal(twice, "duplicate_record", "bulks-repeat", "bulks-repeat")
	}
	r.askOrder(ctx)
	r.sawRefusal(r.bulk(ctx), "", "bulks-empty", "bulks-empty")
}

// askOrder creates two invitations in a bulk, the first with metadata.
func (r *run) askOrder(ctx context.Context) {
	got := r.bulk(ctx, r.item("f", "public_metadata", map[string]any{"live": r.name}), r.item("g"))
	data := got.page().data
	if len(data) != 2 {
		r.other("bulks-reversed", fmt.Sprintf("%s with %d invitations", got, len(data)))
		r.unclear("bulk-metadata", "the bulk did not return its invitations")
		return
	}
	r.sawIf(r.nameOf(data[0]) == "g", "bulks-reversed", "bulks-reversed")
	keeps := func(inv invitation) bool { return strings.Contains(string(inv.PublicMetadata), r.name) }
	first := data[0]
	if r.nameOf(first) == "g" {
		first = data[1]
	}
	listed := r.own(ctx, "")[first.ID]
	switch {
	case listed.ID == "":
		r.unclear("bulk-metadata", "the invitation is not listed")
	case keeps(listed):
		r.saw("bulk-metadata", "")
	case keeps(first):
		r.saw("bulk-metadata", "bulk-metadata=lost-silently")
	default:
		r.saw("bulk-metadata", "bulk-metadata=lost")
	}
}

func (r *run) askVersion(ctx context.Context) {
	got := r.doVersion(ctx, "2020-01-01", http.MethodGet, "?limit=1", nil)
	r.sawRefusal(got, "", "any-api-version", "any-api-version")
}

// askDelete deletes a pending invitation and compares its link with that of a revoked
// one. It returns the reply to deleting it again.
func (r *run) askDelete(ctx context.Context, inv, revoked invitation) reply {
	works, ended := linkKind(r.link(ctx, inv)), linkKind(r.link(ctx, revoked))
	if got := r.remove(ctx, inv.ID); !got.ok() {
		r.other("delete-again-succeeds", "the first is: "+got.String())
		return reply{}
	}
	lag := r.measure(ctx, func() bool {
		_, listed := r.ownNow(ctx, "")[inv.ID]
		return !listed
	})
	r.answerLag("deletions", lag)
	after := linkKind(r.link(ctx, inv))
	switch {
	case works == "" || ended == "" || after == "":
		r.unclear("deleted-links-work", "a link did not open")
	case works == ended:
		r.unclear("deleted-links-work", "opening a link does not tell a revoked invitation from a pending one")
	default:
		r.sawIf(after == works, "deleted-links-work", "deleted-links-work")
	}
	again := r.remove(ctx, inv.ID)
	r.sawRefusal(again, "resource_not_found", "delete-again-succeeds", "delete-again-succeeds")
	return again
}

// linkKind returns the part that the links of invitations in one state have in common, or ""
// if the link did not open.
func linkKind(opened reply) string {
	if opened.status == 0 {
		return ""
	}
	to, err := url.Parse(opened.header.Get("Location"))
	if err != nil {
		return ""
	}
	return fmt.Sprint(opened.status, to.Host, to.Path, to.Query().Has("__clerk_ticket"), to.Query().Has("ticket"))
}

// answerStatus answers which statuses refusals have, given the assumed status of each.
func (r *run) answerStatus(refused map[int]reply) {
	assumed, kinds, texts := true, map[int]bool{}, []string{}
	for _, status := range []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity} {
		got := refused[status]
		if got.status == 0 || got.ok() || got.code() == "malformed_request_parameters" {
			continue
		}
		assumed = assumed && got.status == status
		kinds[got.status] = true
		texts = append(texts, fmt.Sprintf("%d instead of %d", got.status, status))
	}
	switch {
	case assumed:
		r.saw("refusal-status", "")
	case len(kinds) == 1:
		r.saw("refusal-status", fmt.Sprintf("refusal-status=%d", refused[http.StatusBadRequest].status))
	default:
		r.other("refusal-status", strings.Join(texts, ", "))
	}
}

// answerLag answers how soon lists show a kind of change, together with the answers for
// earlier kinds.
func (r *run) answerLag(kind string, lag time.Duration) {
	if r.late || r.err != nil {
		return
	}
	r.lags = append(r.lags, lagOf{kind, lag})
	var late []string
	for _, l := range r.lags {
		if l.lag > 0 {
			late = append(late, l.String())
		}
	}
	same := !slices.ContainsFunc(r.lags, func(l lagOf) bool { return l.lag != lag })
	switch {
	case late == nil:
		r.saw("list-lag", "")
	case same && len(r.lags) == 3:
		r.saw("list-lag", "list-lag="+lag.String())
	case len(late) == 1:
		r.saw("list-lag", late[0])
	default:
		r.other("list-lag", strings.Join(late, "; "))
	}
}
