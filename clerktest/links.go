package clerktest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// openLink redirects from an invitation's link: to its redirect URL with the ticket
// appended as __clerk_ticket, or to the sign-up page. It accepts nothing.
func (f *Fake) openLink(ticket string) answer {
	inv := f.byTicket(ticket)
	target := SignUpPath
	switch {
	case inv == nil:
		target += "?link=unknown"
	case inv.Status != clerk.InvitationStatusPending:
		target += "?link=" + string(inv.Status)
	case CanFollow(inv.email.RedirectURL):
		target = withTicket(inv.email.RedirectURL, ticket)
	default:
		target = withTicket(SignUpPath, ticket)
	}
	body := []byte(http.StatusText(http.StatusFound))
	a := answer{status: http.StatusFound, contentType: "text/plain", location: target, body: body}
	a.traceID, a.ray = f.ids.trace()
	return a
}

func (f *Fake) byTicket(ticket string) *invitation {
	inv := f.store.byTicket[ticket]
	if inv == nil || inv.deleted && !f.behavior.DeletedLinksWork {
		return nil
	}
	inv.refresh(f.now())
	return inv
}

// CanFollow reports whether a link redirects to a redirect URL. The URL must have the scheme
// http or https, or be a path. Others, such as "javascript:", are never followed.
func CanFollow(redirectURL string) bool {
	u, err := url.Parse(redirectURL)
	if err != nil {
		return false
	}
	web := (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	path := u.Scheme == "" && u.Host == "" && strings.HasPrefix(redirectURL, "/")
	return web || path && !strings.Contains(redirectURL, `\`) // browsers read \ as /
}

// withTicket appends a ticket to a URL that can be followed.
func withTicket(target, ticket string) string {
	u, err := url.Parse(target)
	if err != nil {
		return SignUpPath
	}
	query := "__clerk_ticket=" + url.QueryEscape(ticket)
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query
	return u.String()
}

// The errors of [Fake.SignUp].
var (
	// ErrUnknownTicket: no invitation has the ticket.
	ErrUnknownTicket = errors.New("clerktest: no invitation has this ticket")
	// ErrNotPending: the ticket's invitation is not pending.
	ErrNotPending = errors.New("clerktest: the invitation is not pending")
)

// SignUp signs up with a ticket, the __clerk_ticket of a redirect or the ticket
// parameter of a link. It accepts the invitation and returns its user, who has the
// invitation's public metadata. It fails with [ErrUnknownTicket] or
// [ErrNotPending].
func (f *Fake) SignUp(ticket string) (User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := f.byTicket(ticket)
	switch {
	case inv == nil:
		return User{}, ErrUnknownTicket
	case inv.Status != clerk.InvitationStatusPending:
		return User{}, fmt.Errorf("%w: invitation %s is %s", ErrNotPending, inv.ID, inv.Status)
	}
	f.accept(inv)
	if err := f.commit(); err != nil {
		return User{}, err
	}
	return f.users[f.behavior.key(inv.EmailAddress)].clone(), nil
}

// InvitationForTicket returns the invitation that a ticket belongs to and its email,
// as the sign-up page shows them.
func (f *Fake) InvitationForTicket(ticket string) (clerk.Invitation, Email, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := f.byTicket(ticket)
	if inv == nil {
		return clerk.Invitation{}, Email{}, ErrUnknownTicket
	}
	return f.view(inv), f.emailOf(inv), nil
}
