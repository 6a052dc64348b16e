package clerktest

import (
	"github.com/clerk-invitations/clerk-go"
)

// A record is one change of the state in a journal.
type record struct {
	Invitation        *clerk.Invitation  `json:"invitation,omitempty"`
	Ticket            string             `json:"ticket,omitempty"`
	RedirectURL       string             `json:"redirect_url,omitempty"`
	TemplateSlug      clerk.TemplateSlug `json:"template_slug,omitempty"`
	Notify            *bool              `json:"notify,omitempty"`
	NoEmail           bool               `json:"no_email,omitempty"`
	DeletedInvitation string             `json:"deleted_invitation,omitempty"`
	User              *User              `json:"user,omitempty"`
	RemovedUser       string             `json:"removed_user,omitempty"`
	Reset             bool               `json:"reset,omitempty"`
}

func recordOf(inv *invitation) record {
	return record{
		Invitation: &inv.Invitation, Ticket: inv.ticket, RedirectURL: inv.email.RedirectURL,
		TemplateSlug: inv.email.TemplateSlug, Notify: &inv.email.Notify, NoEmail: !inv.emailed,
	}
}

func (r record) line() []byte { return append(marshal(r), '\n') }

// journal writes a change to the journal.
func (f *Fake) journal(r record) {
	if f.changes != nil {
		_, _ = f.changes.Write(r.line())
	}
}
