package clerktest

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

const dayMilli = 24 * 60 * 60 * 1000

// invite creates an invitation.
func (f *Fake) invite(req parsedRequest) *invitation {
	now := f.now()
	created := milli(now)
	// In observed responses, it is 2 ms less than whole days.
	expires := created + clerk.UnixMilli(cmp.Or(req.ExpiresInDays, 30))*dayMilli - 2
	if f.behavior.NullExpiry && req.ExpiresInDays == 0 {
		expires = 0
	}
	id := f.ids.invitation(now)
	inv := &invitation{
		Invitation: clerk.Invitation{
			Object: "invitation", ID: id, EmailAddress: req.EmailAddress, PublicMetadata: req.metadata,
			Status: clerk.InvitationStatusPending, ExpiresAt: expires, CreatedAt: created, UpdatedAt: created,
		},
		email: Email{
			Time: created, InvitationID: id, EmailAddress: req.EmailAddress, RedirectURL: req.RedirectURL,
			TemplateSlug: cmp.Or(req.TemplateSlug, clerk.TemplateSlugInvitation),
			Notify:       req.Notify == nil || *req.Notify,
		},
		ticket: f.ids.ticket(id),
	}
	counted := f.emails
	inv.emailed = inv.email.Notify && f.emails.admit(req.EmailAddress, f.emailLimit, now)
	f.hide(inv, nil, ListLagOfCreates)
	f.store.add(inv)
	f.changed(recordOf(inv), func() {
		f.store.remove(inv)
		f.emails = counted
	})
	return inv
}

// update changes an invitation.
func (f *Fake) update(inv *invitation, kind ListLagOf, change func()) {
	before := *inv
	f.hide(inv, new(inv.Invitation), kind)
	change()
	inv.UpdatedAt = milli(f.now())
	f.changed(recordOf(inv), func() { *inv = before })
}

func (f *Fake) expire(inv *invitation) {
	f.update(inv, "", func() { inv.ExpiresAt, inv.Status = milli(f.now()), clerk.InvitationStatusExpired })
}

func (f *Fake) revokeNow(inv *invitation) {
	f.update(inv, ListLagOfRevocations, func() { inv.Status, inv.Revoked = clerk.InvitationStatusRevoked, true })
}

// remove deletes an invitation. A commit removes it from the store, once no list shows it.
func (f *Fake) remove(inv *invitation) {
	before := *inv
	f.hide(inv, new(inv.Invitation), ListLagOfDeletions)
	inv.deleted = true
	f.store.hidden = append(f.store.hidden, inv)
	f.changed(record{DeletedInvitation: inv.ID}, func() {
		*inv = before
		f.store.hidden = slices.DeleteFunc(f.store.hidden, func(other *invitation) bool { return other == inv })
	})
}

// hide makes lists show an invitation as it was, for as long as the request's failure or the
// lag of lists requires. It is called before every change.
func (f *Fake) hide(inv *invitation, was *clerk.Invitation, kind ListLagOf) {
	now := f.now()
	until := f.hideUntil
	if lag := now.Add(f.behavior.lagOf(kind)); lag.After(until) {
		until = lag
	}
	inv.hide(was, now, until)
}

// lagOf returns the lag of lists for a kind of changes.
func (b *Behavior) lagOf(kind ListLagOf) time.Duration {
	if b.ListLagOf != "" && b.ListLagOf != kind {
		return 0
	}
	return b.ListLag
}

func (f *Fake) accept(inv *invitation) {
	accept := func() { inv.Status = clerk.InvitationStatusAccepted }
	if inv.deleted { // only its link is left
		accept()
	} else {
		f.update(inv, "", accept)
	}
	f.addUser(inv.EmailAddress, inv.PublicMetadata)
}

func (f *Fake) addUser(address string, metadata json.RawMessage) {
	if f.isUser(address) {
		return
	}
	now := f.now()
	user := &User{ID: f.ids.user(now), EmailAddress: address, PublicMetadata: metadata, CreatedAt: milli(now)}
	f.users[f.behavior.key(address)] = user
	f.changed(record{User: user}, func() { delete(f.users, f.behavior.key(address)) })
}

func (f *Fake) isUser(address string) bool { return f.users[f.behavior.key(address)] != nil }

// invitationsOf returns the invitations of an address, oldest first.
func (f *Fake) invitationsOf(address string) []*invitation {
	var found []*invitation
	now := f.now()
	for _, inv := range f.store.byAddress[fold(address)] {
		if !inv.deleted && f.behavior.key(inv.EmailAddress) == f.behavior.key(address) {
			inv.refresh(now)
			found = append(found, inv)
		}
	}
	return found
}
