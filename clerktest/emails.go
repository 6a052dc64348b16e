package clerktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// An Email is the email of an invitation.
type Email struct {
	// Time is when it was sent.
	Time clerk.UnixMilli `json:"time"`
	// InvitationID is the id of its invitation.
	InvitationID string `json:"invitation_id"`
	// EmailAddress is whom it was sent to.
	EmailAddress string `json:"email_address"`
	// TemplateSlug is its template.
	TemplateSlug clerk.TemplateSlug `json:"template_slug"`
	// RedirectURL is where its link leads in the end; empty for the sign-up page.
	RedirectURL string `json:"redirect_url,omitempty"`
	// Notify is whether the request asked for the email. It is true for all that
	// [Fake.Sent] returns.
	Notify bool `json:"notify"`
	// Link is the link in it. Whoever has it can sign up.
	Link string `json:"link"`
}

// Format writes the email without its address and link, whatever the verb.
func (e Email) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerktest.Email{%s %s at %s}", e.InvitationID, e.TemplateSlug, e.Time)
}

// Sent returns the emails that Clerk would have sent, oldest first. Invitations with
// notify=false, and those beyond [WithEmailLimit], have none. Deleting an invitation
// deletes its email.
func (f *Fake) Sent() []Email {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := []Email{}
	for _, inv := range f.store.all {
		if inv.emailed && !inv.deleted {
			sent = append(sent, f.emailOf(inv))
		}
	}
	return sent
}

func (f *Fake) emailOf(inv *invitation) Email {
	email := inv.email
	email.Link = f.link(inv.ticket)
	return email
}

// An emailCount counts the emails of a month.
type emailCount struct {
	month string
	sent  int
}

// mayEmail counts an email, or reports that the month's limit is reached.
func (f *Fake) mayEmail(address string) bool {
	local, _, _ := strings.Cut(fold(address), "@")
	if f.emailLimit == 0 || slices.Contains(strings.Split(local, "+")[1:], "clerk_test") {
		return true
	}
	month := time.Now().UTC().Format("2006-01")
	if f.emails.month != month {
		f.emails = emailCount{month: month}
	}
	if f.emails.sent >= f.emailLimit {
		return false
	}
	f.emails.sent++
	return true
}

// A User is somebody who signed up.
type User struct {
	// ID is the user's id, "user_...".
	ID string `json:"id"`
	// EmailAddress is the user's address.
	EmailAddress string `json:"email_address"`
	// PublicMetadata is that of the invitation the user accepted.
	PublicMetadata json.RawMessage `json:"public_metadata,omitempty"`
	// CreatedAt is when the user signed up.
	CreatedAt clerk.UnixMilli `json:"created_at"`
}

// Format writes the user without address and metadata, whatever the verb.
func (u User) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerktest.User{%s created=%s}", u.ID, u.CreatedAt)
}

// AddUser adds a user with an address, without an invitation. It does nothing when
// there is one.
func (f *Fake) AddUser(emailAddress string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addUser(emailAddress, json.RawMessage("{}"))
}

func (f *Fake) addUser(address string, metadata json.RawMessage) {
	if f.isUser(address) {
		return
	}
	user := &User{ID: f.ids.user(), EmailAddress: address, PublicMetadata: metadata, CreatedAt: now()}
	f.users[fold(address)] = user
	f.journal(record{User: user})
}

// RemoveUser removes the user with an address. It reports whether there was one.
func (f *Fake) RemoveUser(emailAddress string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	user := f.users[fold(emailAddress)]
	if user == nil {
		return false
	}
	delete(f.users, fold(emailAddress))
	f.journal(record{RemovedUser: user.EmailAddress})
	return true
}

// Users returns copies of the users, oldest first.
func (f *Fake) Users() []User {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sortedUsers()
}

func (f *Fake) sortedUsers() []User {
	users := make([]User, 0, len(f.users))
	for _, user := range f.users {
		users = append(users, user.clone())
	}
	slices.SortFunc(users, func(a, b User) int {
		if a.CreatedAt != b.CreatedAt {
			return int(a.CreatedAt - b.CreatedAt)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return users
}

func (u *User) clone() User {
	user := *u
	user.PublicMetadata = slices.Clone(u.PublicMetadata)
	return user
}
