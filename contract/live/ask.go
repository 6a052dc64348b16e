package main

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ask asks the questions, in an order in which few invitations answer them all.
func (r *run) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxAsking, fmt.Errorf("%s are over", maxAsking))
	defer cancel()
	r.askPageCap(ctx)
	first := r.askFirst(ctx)
	refused := r.askRefusals(ctx, first)
	r.askAgain(ctx, first)
	other := r.askQuery(ctx)
	if r.late {
		for _, key := range []string{"bulks", "bulk-metadata", "query", "statuses", "revoked-unlisted", "list-lag"} {
			r.unclear(key, "lists are late by more than a minute")
		}
		return
	}
	r.askBulks(ctx)
	r.askLists(ctx, first, other)
	r.askVersion(ctx)
	refused[http.StatusNotFound] = r.askDelete(ctx, other, first)
	r.answerStatus(refused)
	if r.users {
		r.askUsers(ctx)
	}
	if r.leave {
		r.leaveOne(ctx)
	}
}

// askPageCap sends the first request. It lists invitations that the run has not created, but
// only counts them.
func (r *run) askPageCap(ctx context.Context) {
	got := r.list(ctx, "paginated=true&limit=1")
	total, ok := got.page().count()
	if !ok || total <= 100 {
		return
	}
	n := len(r.list(ctx, "paginated=true&limit=500").page().data)
	r.sawIf(n < min(total, 500), "page-cap", fmt.Sprintf("page-cap=%d", n))
}

// askFirst creates the first invitation and returns it.
func (r *run) askFirst(ctx context.Context) invitation {
	got := r.create(ctx, r.item("a"))
	inv := got.invitation()
	if r.err == nil && inv.ID == "" {
		r.err = fmt.Errorf("a create failed: %s", got)
	}
	r.answerAddress(inv.EmailAddress)
	r.answerNumbers(string(inv.CreatedAt))
	r.answerHeader(got, inv)
	r.sawIf(string(inv.PublicMetadata) == "null", "null-metadata", "null-metadata")
	r.sawIf(string(inv.ExpiresAt) == "null", "null-expiry", "null-expiry")
	lag := r.measure(ctx, func() bool {
		_, listed := r.ownNow(ctx, "")[inv.ID]
		return listed
	})
	r.answerLag("creates", lag)
	return inv
}

func (r *run) answerAddress(kept string) {
	sent := r.address("a")
	local, domain, _ := strings.Cut(sent, "@")
	untagged, _, _ := strings.Cut(local, "+")
	switch kept {
	case sent:
		r.saw("addresses", "")
	case strings.ToLower(sent):
		r.saw("addresses", "addresses=lower")
	case untagged + "@" + domain:
		r.saw("addresses", "addresses=untagged")
	case strings.ReplaceAll(local, ".", "") + "@" + domain:
		r.saw("addresses", "addresses=undotted")
	default:
		r.other("addresses", "in another spelling")
	}
}

func (r *run) answerNumbers(spelled string) {
	_, err := strconv.ParseInt(spelled, 10, 64)
	switch {
	case err == nil:
		r.saw("numbers", "")
	case strings.HasPrefix(spelled, `"`):
		r.saw("numbers", "numbers=string")
	case strings.ContainsAny(spelled, "eE"):
		r.saw("numbers", "numbers=exponent")
	case strings.Contains(spelled, "."):
		r.saw("numbers", "numbers=decimal")
	default:
		r.other("numbers", "no number")
	}
}

func (r *run) answerHeader(got reply, inv invitation) {
	r.sawIf(got.header.Get("X-Clerk-Trace-Id") == "", "no-trace-id", "no-trace-id")
	contentType := got.header.Get("Content-Type")
	if _, _, err := mime.ParseMediaType(contentType); err != nil {
		r.other("content-type", "none that is valid")
	} else {
		r.sawIf(contentType != "application/json", "content-type", "content-type="+contentType)
	}
	date, err := http.ParseTime(got.header.Get("Date"))
	r.sawIf(err != nil, "no-date", "no-date")
	switch {
	case err != nil:
		r.unclear("date-skew", "there is no Date")
	case inv.created().IsZero():
		r.unclear("date-skew", "created_at is no time")
	default:
		// Date has whole seconds, and is set between created_at and the end of the request.
		created := inv.created().Truncate(time.Second)
		skew := date.Sub(created)
		if skew >= 0 && skew <= inv.created().Add(got.took).Truncate(time.Second).Sub(created) {
			skew = 0
		}
		r.sawIf(skew != 0, "date-skew", "date-skew="+skew.String())
	}
}

// askRefusals sends requests that Clerk is assumed to refuse. It returns the refusals by their
// assumed status.
func (r *run) askRefusals(ctx context.Context, first invitation) map[int]reply {
	again := r.create(ctx, r.item("a"))
	if !again.ok() && again.code() == "duplicate_record" {
		r.sawIf(!again.hasMeta(), "no-meta", "no-meta")
	}
	shouted := r.item("a")
	shouted["email_address"] = strings.ToUpper(r.address("a"))
	r.sawRefusal(r.create(ctx, shouted), "duplicate_record", "case-sensitive-addresses", "case-sensitive-addresses")
	bad := r.item("bad")
	bad["email_address"] = r.marker()
	invalid := r.create(ctx, bad)
	switch code := invalid.code(); {
	case code == "malformed_request_parameters":
		r.saw("refusals-generic", "refusals-generic")
	case strings.HasPrefix(code, "form_param_"):
		r.saw("refusals-generic", "")
	default:
		r.other("refusals-generic", invalid.String())
	}
	r.sawRefusal(r.create(ctx, r.item("unknown", "surely_unknown", 1)), "", "unknown-fields-ignored", "unknown-fields-ignored")
	r.askIgnoreExisting(ctx, first)
	return map[int]reply{http.StatusBadRequest: again, http.StatusUnprocessableEntity: invalid}
}

// askIgnoreExisting creates a second invitation for the address of the first, which it
// revokes.
func (r *run) askIgnoreExisting(ctx context.Context, first invitation) {
	got := r.create(ctx, r.item("a", "ignore_existing", true))
	second := got.invitation()
	revocation := r.revoke(ctx, first.ID)
	switch {
	case got.code() == "duplicate_record":
		r.saw("ignore-existing", "ignore-existing=refused")
	case !got.ok():
		r.other("ignore-existing", got.String())
	case second.ID == first.ID:
		r.saw("ignore-existing", "ignore-existing=returns")
	case revocation.code() == "invitation_already_revoked":
		r.saw("ignore-existing", "ignore-existing=replaces")
	default:
		r.saw("ignore-existing", "")
	}
	if second.ID != "" && second.ID != first.ID {
		r.revoke(ctx, second.ID)
	}
}

// askAgain asks about the first invitation, which is revoked.
func (r *run) askAgain(ctx context.Context, first invitation) {
	if !r.late {
		lag := r.measure(ctx, func() bool {
			_, listed := r.ownNow(ctx, "")[first.ID]
			return !listed
		})
		r.answerLag("revocations", lag)
		_, listed := r.own(ctx, "&status=revoked")[first.ID]
		r.sawIf(!listed, "revoked-unlisted", "revoked-unlisted")
	}
	r.sawRefusal(r.revoke(ctx, first.ID), "invitation_already_revoked", "revoke-again-succeeds", "revoke-again-succeeds")
	got := r.create(ctx, r.item("a"))
	switch {
	case got.ok():
		r.saw("duplicates", "")
	case got.code() == "duplicate_record":
		r.saw("duplicates", "duplicates=revoked")
	default:
		r.other("duplicates", got.String())
	}
}
