package clerktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// An Email is the email of an invitation.
type Email struct {
	// Time is the time at which it was sent.
	Time clerk.UnixMilli `json:"time"`
	// InvitationID is the id of its invitation.
	InvitationID string `json:"invitation_id"`
	// EmailAddress is its recipient.
	EmailAddress string `json:"email_address"`
	// TemplateSlug is its template.
	TemplateSlug clerk.TemplateSlug `json:"template_slug"`
	// RedirectURL is the URL that its link redirects to; empty for the sign-up page.
	RedirectURL string `json:"redirect_url,omitempty"`
	// Notify reports whether the request asked for the email. It is true for all emails that
	// [Fake.Sent] returns.
	Notify bool `json:"notify"`
	// Link is the link in it. Anyone who has it can sign up.
	Link string `json:"link"`
}

// Format writes the email without its address and link, whatever the verb.
func (e Email) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerktest.Email{%s %s at %s}", e.InvitationID, e.TemplateSlug, e.Time)
}

// A User is somebody who signed up.
type User struct {
	// ID is the user's id, "user_...".
	ID string `json:"id"`
	// EmailAddress is the user's address.
	EmailAddress string `json:"email_address"`
	// PublicMetadata is the metadata of the invitation that the user accepted.
	PublicMetadata json.RawMessage `json:"public_metadata,omitempty"`
	// CreatedAt is the time at which the user signed up.
	CreatedAt clerk.UnixMilli `json:"created_at"`
}

// Format writes the user without address and metadata, whatever the verb.
func (u User) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerktest.User{%s created=%s}", u.ID, u.CreatedAt)
}

func (u *User) clone() User {
	user := *u
	user.PublicMetadata = slices.Clone(u.PublicMetadata)
	return user
}

// A Request is a request that a [Fake] received.
type Request struct {
	// Number counts the requests, from 1 for the first.
	Number int
	// Time is the time at which the fake handled it.
	Time time.Time
	// Operation is its operation; empty if the API does not have its path.
	Operation clerk.Operation
	// Method and Path are its method and path, such as "/v1/invitations".
	Method, Path string
	// Query is its query parameters.
	Query url.Values
	// Header is its header without Authorization.
	Header http.Header
	// Body is its body, at most 1 MiB and one byte of it.
	Body []byte
	// Status is the status of the response; 0 if the connection broke before it.
	Status int
	// Code is the code of the first error in the response; empty for a success.
	Code clerk.ErrorCode
	// Fault is the fault it met; empty for none.
	Fault Fault
	// Doubts lists parts of its query that Clerk may read differently than the fake, such as
	// an unknown parameter, which the fake ignores.
	Doubts []string
	// ResponseHeader and ResponseBody are the response. They are kept for the newest 100
	// requests, with up to 64 KiB of the body.
	ResponseHeader http.Header
	ResponseBody   []byte
}

// size returns roughly how many bytes the request occupies without its response.
func (r *Request) size() int {
	size := len(r.Method) + len(r.Path) + len(r.Body)
	for _, fields := range []map[string][]string{r.Query, r.Header} {
		for name, values := range fields {
			size += len(name)
			for _, value := range values {
				size += len(value)
			}
		}
	}
	return size
}

// Format writes r without its query, header and body, whatever the verb: they can contain
// addresses.
func (r Request) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerktest.Request{#%d %s %s %d", r.Number, r.Method, r.Path, r.Status)
	if r.Code != "" {
		_, _ = fmt.Fprintf(s, " %s", r.Code)
	}
	if r.Fault != "" {
		_, _ = fmt.Fprintf(s, " fault=%q", string(r.Fault))
	}
	_, _ = fmt.Fprint(s, "}")
}

func (r Request) clone() Request {
	r.Query = maps.Clone(r.Query)
	for name, values := range r.Query {
		r.Query[name] = slices.Clone(values)
	}
	r.Header = r.Header.Clone()
	r.Body = bytes.Clone(r.Body)
	r.Doubts = slices.Clone(r.Doubts)
	r.ResponseHeader = r.ResponseHeader.Clone()
	r.ResponseBody = bytes.Clone(r.ResponseBody)
	return r
}
