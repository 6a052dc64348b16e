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
	created := now()
	id := f.ids.invitation()
	inv := &invitation{
		Invitation: clerk.Invitation{
			Object:         "invitation",
			ID:             id,
			EmailAddress:   req.EmailAddress,
			PublicMetadata: req.metadata,
			Status:         clerk.InvitationStatusPending,
			// In the observed responses it is 2 ms short of whole days.
			ExpiresAt: created + clerk.UnixMilli(cmp.Or(req.ExpiresInDays, 30))*dayMilli - 2,
			CreatedAt: created,
			UpdatedAt: created,
		},
		email: Email{
			Time: created, InvitationID: id, EmailAddress: req.EmailAddress, RedirectURL: req.RedirectURL,
			TemplateSlug: cmp.Or(req.TemplateSlug, clerk.TemplateSlugInvitation),
			Notify:       req.Notify == nil || *req.Notify,
		},
		ticket: f.ids.ticket(id),
	}
	inv.emailed = inv.email.Notify && f.emails.admit(req.EmailAddress, f.emailLimit, time.Now())
	f.hide(inv, nil)
	f.store.add(inv)
	f.journal(recordOf(inv))
	return inv
}

// update changes an invitation.
func (f *Fake) update(inv *invitation, change func()) {
	f.hide(inv, new(inv.Invitation))
	change()
	inv.UpdatedAt = now()
	f.journal(recordOf(inv))
}

// hide lists an invitation as it was until the request's hideUntil. It is called
// before every change. A state that is hidden already stays the listed one.
func (f *Fake) hide(inv *invitation, was *clerk.Invitation) {
	if f.hideUntil.IsZero() {
		return
	}
	if !time.Now().Before(inv.hiddenUntil) {
		inv.was = was
	}
	inv.hiddenUntil = f.hideUntil
}

func (f *Fake) accept(inv *invitation) {
	f.update(inv, func() { inv.Status = clerk.InvitationStatusAccepted })
	f.addUser(inv.EmailAddress, inv.PublicMetadata)
}

func (f *Fake) addUser(address string, metadata json.RawMessage) {
	if f.isUser(address) {
		return
	}
	user := &User{ID: f.ids.user(), EmailAddress: address, PublicMetadata: metadata, CreatedAt: now()}
	f.users[fold(address)] = user
	f.journal(record{User: user})
}

func (f *Fake) isPending(address string) bool {
	at := now()
	return slices.ContainsFunc(f.store.byAddress[fold(address)], func(inv *invitation) bool {
		inv.refresh(at)
		return inv.Status == clerk.InvitationStatusPending && !inv.deleted
	})
}

func (f *Fake) isUser(address string) bool { return f.users[fold(address)] != nil }
