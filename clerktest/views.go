package clerktest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

const (
	ticketPath = "/v1/tickets/accept"

	// SignUpPath is the path of the sign-up page. The fake redirects links there
	// that have no redirect URL; package fakeserver serves the page.
	SignUpPath = "/sign-up"
)

// view returns an invitation as responses show it.
func (f *Fake) view(inv *invitation) clerk.Invitation { return f.withURL(inv, inv.Invitation) }

// withURL adds the link to a state of an invitation. A revoked invitation has no link.
func (f *Fake) withURL(inv *invitation, state clerk.Invitation) clerk.Invitation {
	if state.Status != clerk.InvitationStatusRevoked {
		state.URL = f.link(inv.ticket)
	}
	if f.behavior.NullMetadata && string(state.PublicMetadata) == "{}" {
		state.PublicMetadata = json.RawMessage("null")
	}
	return state
}

func (f *Fake) emailOf(inv *invitation) Email {
	email := inv.email
	email.Link = f.link(inv.ticket)
	return email
}

func (f *Fake) link(ticket string) string {
	return strings.TrimRight(f.linkBase, "/") + ticketPath + "?ticket=" + url.QueryEscape(ticket)
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
