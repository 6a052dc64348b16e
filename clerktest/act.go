package clerktest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// Accept accepts a pending invitation on behalf of its invitee, who becomes a user.
// It fails when there is no such invitation or it is not pending.
func (f *Fake) Accept(invitationID string) error {
	return f.change(invitationID, f.accept)
}

// Expire expires a pending invitation now. It fails when there is no such invitation
// or it is not pending.
func (f *Fake) Expire(invitationID string) error {
	return f.change(invitationID, func(inv *invitation) {
		f.update(inv, "", func() { inv.ExpiresAt, inv.Status = milli(f.now()), clerk.InvitationStatusExpired })
	})
}

func (f *Fake) change(invitationID string, to func(*invitation)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := f.store.find(invitationID, f.now())
	switch {
	case inv == nil:
		return fmt.Errorf("clerktest: no invitation %q", invitationID)
	case inv.Status != clerk.InvitationStatusPending:
		return fmt.Errorf("clerktest: invitation %s is %s", inv.ID, inv.Status)
	}
	to(inv)
	return nil
}

// Revoke revokes an invitation as Clerk's Dashboard does, without a request: it
// meets no failure and counts against no limit.
func (f *Fake) Revoke(invitationID string) error { return f.direct(f.revoke, invitationID) }

// Delete deletes an invitation and its email as Clerk's Dashboard does, without a
// request: it meets no failure and counts against no limit.
func (f *Fake) Delete(invitationID string) error { return f.direct(f.delete, invitationID) }

func (f *Fake) direct(operation func(id string) (any, *apiError), id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, refusal := operation(id); refusal != nil {
		text := strings.TrimSuffix(refusal.errors[0].LongMessage, ".")
		return fmt.Errorf("clerktest: invitation %s: %s: %s", id, refusal.code(), text)
	}
	return nil
}

// AddUser adds a user with an address, without an invitation. It does nothing when
// there is one.
func (f *Fake) AddUser(emailAddress string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addUser(emailAddress, json.RawMessage("{}"))
}

// RemoveUser removes the user with an address. It reports whether there was one.
func (f *Fake) RemoveUser(emailAddress string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := f.behavior.key(emailAddress)
	user := f.users[key]
	if user == nil {
		return false
	}
	delete(f.users, key)
	f.journal(record{RemovedUser: user.EmailAddress})
	return true
}
