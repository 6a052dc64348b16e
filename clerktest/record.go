package clerktest

import (
	"bytes"
	"encoding/json"

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
		Invitation: new(inv.Invitation), Ticket: inv.ticket, RedirectURL: inv.email.RedirectURL,
		TemplateSlug: inv.email.TemplateSlug, Notify: &inv.email.Notify, NoEmail: !inv.emailed,
	}
}

func (r record) line() []byte { return append(marshal(r), '\n') }

// records are changes that were made together: a line of a journal. A single record is encoded
// as an object, several as an array of objects.
type records []record

func (r records) line() []byte {
	if len(r) == 1 {
		return r[0].line()
	}
	return append(marshal(([]record)(r)), '\n')
}

func (r *records) UnmarshalJSON(line []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if line[0] == '[' {
		return decoder.Decode((*[]record)(r))
	}
	var one record
	err := decoder.Decode(&one)
	*r = records{one}
	return err
}

// A journal holds the changes that are not written yet.
type journal struct {
	records records
	undo    []func() // for each of them
}
