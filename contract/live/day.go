package main

import (
	"context"
	"errors"
)

// leaveOne creates an invitation that expires in a day, which cleaning up keeps.
func (r *run) leaveOne(ctx context.Context) {
	inv := r.create(ctx, r.item("day", "expires_in_days", 1)).invitation()
	if r.err == nil {
		r.left = inv.ID
	}
}

// askDay asks about the invitation that an earlier run left a day ago.
func (r *run) askDay(ctx context.Context) {
	var old invitation
	for _, inv := range r.ownNow(ctx, "") {
		if r.nameOf(inv) == "day" {
			old = inv
		}
	}
	if r.err == nil && old.ID == "" {
		r.err = errors.New("the run's invitation is not among the newest 500")
	}
	if r.err == nil && millis(old.ExpiresAt).After(r.begun) {
		r.err = errors.New("the run's invitation is not a day old yet; it is deleted anyway")
	}
	got := r.create(ctx, r.item("day"))
	duplicate := got.code() == "duplicate_record"
	switch {
	case old.Status == "expired" && (got.ok() || duplicate):
		r.saw("lapsed", "")
		r.sawIf(duplicate, "duplicates", "duplicates=expired")
	case old.Status == "pending" && duplicate:
		r.saw("lapsed", "lapsed=duplicate")
	case old.Status == "pending" && got.ok():
		r.saw("lapsed", "lapsed=pending")
	default:
		r.other("lapsed", "listed as "+old.Status+", and a create is "+got.String())
	}
	revocation := r.revoke(ctx, old.ID)
	if revocation.ok() || revocation.code() != "" {
		r.sawIf(!revocation.ok(), "revoke-expired-fails", "revoke-expired-fails")
	}
}
