package clerktest

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clerk-invitations/clerk-go"
)

// A listItem is an invitation, and the state of it that a list shows.
type listItem struct {
	*invitation
	shown *clerk.Invitation
}

func (f *Fake) list(q url.Values) (any, *apiError) {
	limit, badLimit := number(q, "limit", 10, 1, clerk.MaxListLimit)
	offset, badOffset := number(q, "offset", 0, 0, math.MaxInt)
	by := cmp.Or(q.Get("order_by"), "-created_at")
	compare, badOrder := order(by)
	statuses, badStatus := f.behavior.statuses(q["status"])
	wrong := slices.Concat(badStatus, badOrder, badLimit, badOffset)
	if query := q.Get("query"); !utf8.ValidString(query) {
		wrong = append(wrong, paramEncoding("query"))
	}
	if wrong != nil {
		return nil, errParams(wrong...)
	}
	found := f.search(q.Get("query"), statuses)
	if compare != nil {
		slices.SortStableFunc(found, compare)
	}
	if strings.HasPrefix(by, "-") {
		slices.Reverse(found)
	}
	total, enveloped := len(found), f.behavior.enveloped(q)
	if enveloped || !f.behavior.UnpagedArrays {
		found = found[min(offset, total):]
		found = found[:min(f.behavior.pageSize(limit), len(found))]
	}
	page := make([]clerk.Invitation, len(found)) // never null in JSON
	for i, item := range found {
		page[i] = f.withURL(item.invitation, *item.shown)
	}
	if !enveloped {
		return page, nil
	}
	if f.behavior.TotalOfPage {
		total = len(page)
	}
	return map[string]any{"data": page, "total_count": total}, nil
}

// search finds invitations by query and statuses, oldest first. Without statuses it
// finds all but the revoked ones.
func (f *Fake) search(query string, statuses []string) []listItem {
	at := f.now()
	f.store.removeHidden(at)
	search := search{query, f.behavior}
	candidates := f.store.candidates(search)
	found := make([]listItem, 0, len(candidates))
	for _, inv := range candidates {
		shown := f.behavior.lapse(inv.listed(at))
		if shown != nil && f.behavior.hasStatus(shown, statuses) && search.finds(&inv.Invitation) {
			found = append(found, listItem{inv, shown})
		}
	}
	return found
}

// enveloped reports whether a list is returned in an envelope with total_count.
func (b *Behavior) enveloped(q url.Values) bool {
	return b.Lists == ListsEnvelope || b.Lists == "" && q.Get("paginated") == "true"
}

func (b *Behavior) pageSize(limit int) int {
	if b.PageCap > 0 {
		return min(limit, b.PageCap)
	}
	return limit
}

// lapse returns an invitation with the status that a list shows after it has expired.
func (b *Behavior) lapse(shown *clerk.Invitation) *clerk.Invitation {
	if b.Lapsed == "" || shown == nil || shown.Status != clerk.InvitationStatusExpired {
		return shown
	}
	pending := *shown
	pending.Status = clerk.InvitationStatusPending
	return &pending
}

func (b *Behavior) hasStatus(shown *clerk.Invitation, statuses []string) bool {
	if shown.Status == clerk.InvitationStatusRevoked && (b.RevokedUnlisted || len(statuses) == 0) {
		return false
	}
	return len(statuses) == 0 || slices.Contains(statuses, string(shown.Status))
}

// statuses returns the values of the parameter status that apply.
func (b *Behavior) statuses(given []string) ([]string, []entry) {
	switch {
	case len(given) > 1 && b.Statuses == StatusesRefused:
		return nil, []entry{paramValue("status")}
	case len(given) > 1 && b.Statuses == StatusesFirst:
		given = given[:1]
	}
	return given, checkStatuses(given)
}

func checkStatuses(statuses []string) []entry {
	allowed := []clerk.InvitationStatus{
		clerk.InvitationStatusPending, clerk.InvitationStatusAccepted,
		clerk.InvitationStatusRevoked, clerk.InvitationStatusExpired,
	}
	for _, status := range statuses {
		if !slices.Contains(allowed, clerk.InvitationStatus(status)) {
			return []entry{paramNotAllowed("status", status)}
		}
	}
	return nil
}

// order returns the comparison for order_by, ascending. It returns nil for created_at, the
// order in which invitations are stored.
func order(by string) (func(a, b listItem) int, []entry) {
	name := by
	if by[0] == '+' || by[0] == '-' {
		name = by[1:]
	}
	switch name {
	case "created_at":
		return nil, nil
	case "email_address":
		return func(a, b listItem) int { return strings.Compare(a.shown.EmailAddress, b.shown.EmailAddress) }, nil
	case "expires_at":
		return func(a, b listItem) int { return cmp.Compare(a.shown.ExpiresAt, b.shown.ExpiresAt) }, nil
	}
	return nil, []entry{paramNotAllowed("order_by", by)}
}

// number returns a query parameter that must be a number within bounds.
func number(q url.Values, name string, absent, least, most int) (int, []entry) {
	text := q.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, []entry{paramType(name, "integer")}
	case n < least || n > most:
		return 0, []entry{paramValue(name)}
	}
	return n, nil
}
