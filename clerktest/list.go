package clerktest

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clerk-invitations/clerk-go"
)

// A listItem is an invitation in the state that a list shows.
type listItem struct {
	*invitation
	shown *clerk.Invitation
}

func (f *Fake) list(q url.Values) (any, *apiError) {
	limit, badLimit := number(q, "limit", 10, 1, clerk.MaxListLimit)
	offset, badOffset := number(q, "offset", 0, 0, math.MaxInt)
	by := cmp.Or(q.Get("order_by"), "-created_at")
	compare, badOrder := order(by)
	wrong := slices.Concat(checkStatuses(q["status"]), badOrder, badLimit, badOffset)
	if query := q.Get("query"); !utf8.ValidString(query) {
		wrong = append(wrong, paramEncoding("query"))
	}
	if wrong != nil {
		return nil, errParams(wrong...)
	}
	found := f.search(q.Get("query"), q["status"])
	if compare != nil {
		slices.SortStableFunc(found, compare)
	}
	if strings.HasPrefix(by, "-") {
		slices.Reverse(found)
	}
	total, paginated := len(found), q.Get("paginated") == "true"
	if paginated || !f.unpagedArrays {
		found = found[min(offset, total):]
		found = found[:min(limit, len(found))]
	}
	page := make([]clerk.Invitation, len(found)) // never null in JSON
	for i, item := range found {
		page[i] = f.withURL(item.invitation, *item.shown)
	}
	if !paginated {
		return page, nil
	}
	return map[string]any{"data": page, "total_count": total}, nil
}

// search finds invitations by query and statuses, oldest first. Without statuses it
// finds all but the revoked ones.
func (f *Fake) search(query string, statuses []string) []listItem {
	at := time.Now()
	f.store.removeHidden(at)
	candidates := f.store.candidates(query, f.exactQuery)
	found := make([]listItem, 0, len(candidates))
	for _, inv := range candidates {
		shown := inv.listed(at)
		if shown != nil && hasStatus(shown, statuses) && f.matches(inv, query) {
			found = append(found, listItem{inv, shown})
		}
	}
	return found
}

func hasStatus(inv *clerk.Invitation, statuses []string) bool {
	if len(statuses) == 0 {
		return inv.Status != clerk.InvitationStatusRevoked
	}
	return slices.Contains(statuses, string(inv.Status))
}

func (f *Fake) matches(inv *invitation, query string) bool {
	folded := fold(query)
	if query == "" || folded == inv.folded || query == inv.ID {
		return true
	}
	return !f.exactQuery && (strings.Contains(inv.folded, folded) || strings.Contains(fold(inv.ID), folded))
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

// order returns the comparison for order_by, ascending; nil for created_at, in whose
// order invitations are stored.
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

// number reads a query parameter that is a number within bounds.
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
