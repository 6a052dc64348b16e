package clerktest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// Accept accepts a pending invitation on behalf of its invitee, who becomes a user.
// It fails if there is no such invitation or it is not pending.
func (f *Fake) Accept(invitationID string) error {
	return f.change(invitationID, time.Time{}, f.accept)
}

// AcceptAt accepts a pending invitation at a time by the fake's clock, unless it is
// no longer pending then. If the time is in the past, the change happens now and has that
// time. Like [Fake.Accept], it fails if there is no such invitation or it is not pending.
// [Fake.Reset] drops scheduled changes, and [Fake.Save] does not save them.
func (f *Fake) AcceptAt(invitationID string, at time.Time) error {
	return f.change(invitationID, at, f.accept)
}

// Expire expires a pending invitation now. It fails if there is no such invitation or
// it is not pending.
func (f *Fake) Expire(invitationID string) error {
	return f.change(invitationID, time.Time{}, f.expire)
}

// ExpireAt makes a pending invitation expire at a time by the fake's clock: its
// ExpiresAt changes at once. It fails if there is no such invitation or it is not
// pending.
func (f *Fake) ExpireAt(invitationID string, at time.Time) error {
	return f.change(invitationID, time.Time{}, func(inv *invitation) {
		f.update(inv, "", func() { inv.ExpiresAt = milli(at) })
	})
}

// RevokeAt revokes a pending invitation at a time, as [Fake.AcceptAt] accepts it.
func (f *Fake) RevokeAt(invitationID string, at time.Time) error {
	return f.change(invitationID, at, f.revokeNow)
}

// change changes a pending invitation, at a time or, if that is zero, now.
func (f *Fake) change(invitationID string, at time.Time, to func(*invitation)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := f.store.find(invitationID, f.now())
	switch {
	case inv == nil:
		return fmt.Errorf("clerktest: no invitation %q", invitationID)
	case inv.Status != clerk.InvitationStatusPending:
		return fmt.Errorf("clerktest: invitation %s is %s", inv.ID, inv.Status)
	case at.IsZero():
		to(inv)
		return f.commit()
	}
	f.clock.schedule(at, func() {
		inv.refresh(at)
		if inv.Status == clerk.InvitationStatusPending && !inv.deleted {
			to(inv)
			_ = f.commit() // no caller waits for the change: if it cannot be stored, it is undone
		}
	})
	f.clock.catchUp()
	return nil
}

// Revoke revokes an invitation as Clerk's Dashboard does, without a request: no failure hits
// it, and it counts against no limit.
func (f *Fake) Revoke(invitationID string) error { return f.direct(f.revoke, invitationID) }

// Delete deletes an invitation and its email as Clerk's Dashboard does, without a request: no
// failure hits it, and it counts against no limit.
func (f *Fake) Delete(invitationID string) error { return f.direct(f.delete, invitationID) }

func (f *Fake) direct(operation func(id string) (any, *apiError), id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, refusal := operation(id); refusal != nil {
		text := strings.TrimSuffix(refusal.errors[0].LongMessage, ".")
		return fmt.Errorf("clerktest: invitation %s: %s: %s", id, refusal.code(), text)
	}
	return f.commit()
}

// AddUser adds a user with an address, without an invitation. It does nothing if there is such
// a user. It fails only if the writer of [WithJournal] does, with [ErrNotStored].
func (f *Fake) AddUser(emailAddress string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addUser(emailAddress, json.RawMessage("{}"))
	return f.commit()
}

// RemoveUser removes the user with an address. It reports whether it removed one.
func (f *Fake) RemoveUser(emailAddress string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := f.behavior.key(emailAddress)
	user := f.users[key]
	if user == nil {
		return false
	}
	delete(f.users, key)
	f.changed(record{RemovedUser: user.EmailAddress}, func() { f.users[key] = user })
	return f.commit() == nil
}

// Now returns the time by the fake's clock. That is this machine's clock, unless
// [Fake.Advance] has moved it.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now()
}

// Advance moves the fake's clock forward: invitations expire, limits start new windows, lists
// catch up, and scheduled changes happen. Delays of responses still take their time, and the
// clocks of clients do not move. Inside a testing/synctest bubble, sleep instead. It panics if
// d is negative.
func (f *Fake) Advance(d time.Duration) {
	if d < 0 {
		panic("clerktest: time can only be moved forward")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock.ahead += d
	f.clock.catchUp()
}
