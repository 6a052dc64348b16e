package clerktest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

func (f *Fake) load(together records) error {
	if len(together) == 0 {
		return errors.New("it is empty")
	}
	for _, r := range together {
		if err := f.loadOne(r); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fake) loadOne(r record) error {
	switch {
	case r.Invitation != nil:
		return f.loadInvitation(r)
	case r.User != nil:
		return f.loadUser(*r.User)
	case r.DeletedInvitation != "":
		if inv := f.store.byID[r.DeletedInvitation]; inv != nil {
			f.store.remove(inv)
		}
	case r.RemovedUser != "":
		delete(f.users, f.behavior.key(r.RemovedUser))
	case r.Reset:
		f.clear()
	default:
		return errors.New("it has neither invitation nor user")
	}
	return nil
}

func (f *Fake) loadUser(user User) error {
	if !isAddress(user.EmailAddress) {
		return errors.New("the user's email_address is invalid")
	}
	if user.ID == "" {
		user.ID = f.ids.user(f.now())
	}
	if !isID(user.ID, "user_") {
		return fmt.Errorf("the user's id %q is invalid", user.ID)
	}
	f.ids.skip(&f.ids.users, "user_%d", user.ID)
	if len(user.PublicMetadata) == 0 {
		user.PublicMetadata = json.RawMessage("{}")
	}
	user.CreatedAt = cmp.Or(user.CreatedAt, milli(f.now()))
	f.users[f.behavior.key(user.EmailAddress)] = &user
	return nil
}

// isID reports whether an id consists of a prefix followed only by letters, digits, "_" and
// "-".
func isID(id, prefix string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	return ok && rest != "" && len(id) <= 255 && !strings.ContainsFunc(rest, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_' && r != '-'
	})
}

func (f *Fake) loadInvitation(r record) error {
	state := *r.Invitation
	if !isAddress(state.EmailAddress) {
		return errors.New("the invitation's email_address is invalid")
	}
	if checkStatuses([]string{string(cmp.Or(state.Status, clerk.InvitationStatusPending))}) != nil {
		return fmt.Errorf("the invitation's status %q is unknown", state.Status)
	}
	old := f.store.byID[state.ID]
	state.Object, state.URL = "invitation", ""
	if old != nil { // this is a later state of the same one
		if old.EmailAddress != state.EmailAddress {
			return fmt.Errorf("invitation %s has two addresses", state.ID)
		}
		old.Invitation = state
		return nil
	}
	if state.ID == "" {
		state.ID = f.ids.invitation(f.now())
	}
	if !isID(state.ID, "inv_") {
		return fmt.Errorf("the invitation's id %q is invalid", state.ID)
	}
	if r.Ticket != "" && f.store.byTicket[r.Ticket] != nil {
		return fmt.Errorf("invitation %s has the ticket of another", state.ID)
	}
	f.ids.skip(&f.ids.invitations, "inv_%d", state.ID)
	state.Status = cmp.Or(state.Status, clerk.InvitationStatusPending)
	state.Revoked = state.Status == clerk.InvitationStatusRevoked
	now := milli(f.now())
	if state.Status == clerk.InvitationStatusExpired { // so its expiry must be in the past
		state.ExpiresAt = cmp.Or(state.ExpiresAt, min(cmp.Or(state.CreatedAt, now)+30*dayMilli-2, now-1))
		state.CreatedAt = cmp.Or(state.CreatedAt, state.ExpiresAt-30*dayMilli+2)
	}
	state.CreatedAt = cmp.Or(state.CreatedAt, now)
	state.UpdatedAt = cmp.Or(state.UpdatedAt, state.CreatedAt)
	state.ExpiresAt = cmp.Or(state.ExpiresAt, state.CreatedAt+30*dayMilli-2)
	if len(state.PublicMetadata) == 0 {
		state.PublicMetadata = json.RawMessage("{}")
	}
	inv := &invitation{Invitation: state, ticket: r.Ticket, email: Email{
		Time: state.CreatedAt, InvitationID: state.ID, EmailAddress: state.EmailAddress, RedirectURL: r.RedirectURL,
		TemplateSlug: cmp.Or(r.TemplateSlug, clerk.TemplateSlugInvitation), Notify: r.Notify == nil || *r.Notify,
	}}
	if inv.ticket == "" {
		inv.ticket = f.ids.ticket(state.ID)
	}
	inv.emailed = inv.email.Notify && !r.NoEmail
	f.store.add(inv)
	return nil
}

// Reset makes the fake as [New] returned it. It removes all invitations, users and
// requests, drops the failures that were planned, and sets the clock back. Faults,
// latency, behavior and rate limits are those of the fake's options again. Ids are not
// reused, and links lead where [Fake.SetLinkBase] set. If the writer of [WithJournal]
// fails, Reset does nothing.
func (f *Fake) Reset() { _ = f.TryReset() }

// TryReset is like [Fake.Reset], but returns an error, [ErrNotStored], if the writer of
// [WithJournal] fails.
func (f *Fake) TryReset() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed(record{Reset: true}, func() {})
	if err := f.commit(); err != nil {
		return err
	}
	f.begin()
	return nil
}

// Save writes all invitations and users to w in the format that [Fake.Load] reads.
func (f *Fake) Save(w io.Writer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := bufio.NewWriter(w)
	for _, inv := range f.store.all {
		if !inv.deleted {
			_, _ = out.Write(recordOf(inv).line()) // Flush returns its error
		}
	}
	for _, user := range f.users {
		_, _ = out.Write(record{User: user}.line())
	}
	return out.Flush()
}

// Load adds invitations and users to the fake. It reads what [Fake.Save] and
// [WithJournal] wrote, or a seed written by hand: JSON objects one after the other, each with
// an "invitation" or a "user" in Clerk's format. All of their fields except "email_address"
// can be omitted:
//
//	{"invitation": {"email_address": "ada@example.com"}, "redirect_url": "https://app.example.com/join"}
//	{"user": {"email_address": "grace@example.com"}}
//
// Its error says which object is invalid. The objects before it are loaded. The error is
// [io.ErrUnexpectedEOF] if the last object is incomplete.
func (f *Fake) Load(r io.Reader) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.store.sort()
	decoder := json.NewDecoder(r)
	for n := 1; ; n++ {
		var together records
		err := decoder.Decode(&together)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f.load(together)
		}
		if err != nil {
			return fmt.Errorf("clerktest: object %d of the state: %w", n, err)
		}
	}
}
