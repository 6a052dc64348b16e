package clerk

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits that Clerk's OpenAPI document sets.
const (
	// MaxBulkInvitations is the most requests that one BulkCreate takes.
	MaxBulkInvitations = 10
	// MaxListLimit is the most invitations that one List gives.
	MaxListLimit = 500
)

// An Invitation is an invitation to sign up, as Clerk holds it.
//
// Its JSON is Clerk's, with the ticket URL and the address. Formatted with
// package fmt, or logged by itself with log/slog, it shows neither.
type Invitation struct {
	// Object is always "invitation".
	Object string `json:"object"`
	// ID is the invitation's id, "inv_...".
	ID string `json:"id"`
	// EmailAddress is who is invited.
	EmailAddress string `json:"email_address"`
	// PublicMetadata is the raw JSON of the metadata that the user gets on
	// signing up; see DecodePublicMetadata. It may be null.
	PublicMetadata json.RawMessage `json:"public_metadata"`
	// Revoked is true once the invitation is revoked. In JSON it is absent
	// before (as observed).
	Revoked bool `json:"revoked,omitempty"`
	// Status is the invitation's state.
	Status InvitationStatus `json:"status"`
	// URL is the link in the invitation's email. Whoever has it can sign up:
	// treat it as a secret. It is empty once the invitation is revoked (as
	// observed).
	URL string `json:"url,omitempty"`
	// ExpiresAt is when the invitation ends; 0 when Clerk says null.
	ExpiresAt UnixMilli `json:"expires_at"`
	// CreatedAt is when the invitation was made, by Clerk's clock.
	CreatedAt UnixMilli `json:"created_at"`
	// UpdatedAt is when the invitation last changed, by Clerk's clock.
	UpdatedAt UnixMilli `json:"updated_at"`
}

// DecodePublicMetadata decodes the metadata into v, a pointer, as
// [json.Unmarshal] does. Metadata that is absent leaves v as it is.
func (i Invitation) DecodePublicMetadata(v any) error {
	if len(i.PublicMetadata) == 0 {
		return nil
	}
	if err := json.Unmarshal(i.PublicMetadata, v); err != nil {
		return &metadataError{fmt.Sprintf("clerk: public_metadata of invitation %s does not fit into %T", i.ID, v), err}
	}
	return nil
}

// A metadataError has a text without the metadata's values, which those of
// encoding/json can hold.
type metadataError struct {
	text  string
	cause error
}

func (e *metadataError) Error() string { return e.text }
func (e *metadataError) Unwrap() error { return e.cause }

// String returns the invitation without its ticket URL, address and metadata.
func (i Invitation) String() string {
	s := fmt.Sprintf("clerk.Invitation{%s %s created=%s", i.ID, i.Status, i.CreatedAt)
	if i.ExpiresAt != 0 {
		s += " expires=" + i.ExpiresAt.String()
	}
	return s + "}"
}

// Format writes String, whatever the verb.
func (i Invitation) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, i.String()) }

// LogValue makes log/slog log String.
func (i Invitation) LogValue() slog.Value { return slog.StringValue(i.String()) }

// An InvitationStatus is the state of an invitation. Values that this package
// does not name can appear.
type InvitationStatus string

// The statuses that Clerk documents.
const (
	InvitationStatusPending  InvitationStatus = "pending"
	InvitationStatusAccepted InvitationStatus = "accepted"
	InvitationStatusRevoked  InvitationStatus = "revoked"
	InvitationStatusExpired  InvitationStatus = "expired"
)

// UnixMilli is a time as Clerk gives it, in milliseconds since 1970 (as observed:
// its OpenAPI document does not name the unit). 0 stands for no time, and is null
// in JSON. From a [time.Time] it is UnixMilli(t.UnixMilli()).
type UnixMilli int64

// Time returns the time in UTC; the zero Time for 0.
func (m UnixMilli) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// String returns the time in UTC as RFC 3339; "never" for 0.
func (m UnixMilli) String() string {
	if m == 0 {
		return "never"
	}
	return m.Time().Format(time.RFC3339)
}

// MarshalJSON returns the number, or null for 0.
func (m UnixMilli) MarshalJSON() ([]byte, error) {
	if m == 0 {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(m), 10), nil
}

// A CreateInvitationRequest asks for one invitation, alone in Create or as part
// of a BulkCreate. Fields left at zero are not sent.
//
// Its JSON is Clerk's. Formatted with package fmt, or logged by itself with
// log/slog, it shows neither address nor metadata.
type CreateInvitationRequest struct {
	// EmailAddress is who to invite. Required.
	EmailAddress string `json:"email_address"`
	// PublicMetadata becomes the user's public metadata on signing up. A nil map
	// is not sent; an empty one is.
	PublicMetadata map[string]any `json:"public_metadata,omitzero"`
	// RedirectURL is where the link in the email leads, an absolute URL or a
	// path. Needed for custom sign-up flows only.
	RedirectURL string `json:"redirect_url,omitempty"`
	// Notify says whether Clerk sends an email; nil means true. For none use
	// new(false).
	Notify *bool `json:"notify,omitempty"`
	// IgnoreExisting invites also where a pending invitation for the address
	// exists, or a user has it. For BulkCreate Clerk's document says both that
	// this holds for users and that it does not.
	IgnoreExisting bool `json:"ignore_existing,omitempty"`
	// ExpiresInDays is how long the invitation is valid, 1 to 365 days; 0 means
	// Clerk's default of 30.
	ExpiresInDays int `json:"expires_in_days,omitempty"`
	// TemplateSlug is the template of the email; empty means Clerk's default,
	// TemplateSlugInvitation.
	TemplateSlug TemplateSlug `json:"template_slug,omitempty"`
}

// String returns the type's name alone: the fields are personal data.
func (r CreateInvitationRequest) String() string { return "clerk.CreateInvitationRequest{...}" }

// Format writes String, whatever the verb.
func (r CreateInvitationRequest) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue makes log/slog log String.
func (r CreateInvitationRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

// check finds what can never be right. Whether a value is allowed is for Clerk
// to judge.
func (r CreateInvitationRequest) check() error {
	switch {
	case strings.TrimSpace(r.EmailAddress) == "":
		return fieldError{"email_address", "is empty"}
	case !utf8.ValidString(r.EmailAddress): // JSON would make another address of it
		return fieldError{"email_address", "is not UTF-8"}
	}
	return nil
}

// A TemplateSlug names the template of an invitation's email.
type TemplateSlug string

// The templates that Clerk documents.
const (
	TemplateSlugInvitation         TemplateSlug = "invitation"
	TemplateSlugWaitlistInvitation TemplateSlug = "waitlist_invitation"
)

// A ListInvitationsRequest filters, orders and pages a list. Fields left at zero
// are not sent.
//
// Formatted with package fmt, or logged by itself with log/slog, it does not show
// Query.
type ListInvitationsRequest struct {
	// Status asks for invitations in this state. Without it the list holds all
	// but the revoked ones.
	Status InvitationStatus
	// Query asks for invitations by email address or id. Clerk does not say
	// whether it matches parts of them: compare the results yourself.
	Query string
	// OrderBy is the order; empty means Clerk's default, newest first.
	OrderBy InvitationOrder
	// Paginated asks for the response that tells the total count. It is always
	// sent; nil means true.
	Paginated *bool
	// Limit is the most invitations to give, 1 to MaxListLimit; 0 means Clerk's
	// default of 10.
	Limit int
	// Offset is how many invitations to skip.
	Offset int
}

// String returns the request without Query, which can be an address.
func (r ListInvitationsRequest) String() string {
	return fmt.Sprintf("clerk.ListInvitationsRequest{status=%s order_by=%s limit=%d offset=%d}",
		r.Status, r.OrderBy, r.Limit, r.Offset)
}

// Format writes String, whatever the verb.
func (r ListInvitationsRequest) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue makes log/slog log String.
func (r ListInvitationsRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (r ListInvitationsRequest) check() error {
	switch {
	case r.Limit < 0:
		return fieldError{"limit", "is negative"}
	case r.Offset < 0:
		return fieldError{"offset", "is negative"}
	}
	return nil
}

func (r ListInvitationsRequest) values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("status", string(r.Status))
	set("query", r.Query)
	set("order_by", string(r.OrderBy))
	set("paginated", strconv.FormatBool(r.Paginated == nil || *r.Paginated))
	if r.Limit > 0 {
		set("limit", strconv.Itoa(r.Limit))
	}
	if r.Offset > 0 {
		set("offset", strconv.Itoa(r.Offset))
	}
	return v
}

// An InvitationOrder is the order of a list.
type InvitationOrder string

// The orders that Clerk documents. Desc is largest or newest first.
const (
	OrderByCreatedAt        InvitationOrder = "+created_at"
	OrderByCreatedAtDesc    InvitationOrder = "-created_at"
	OrderByEmailAddress     InvitationOrder = "+email_address"
	OrderByEmailAddressDesc InvitationOrder = "-email_address"
	OrderByExpiresAt        InvitationOrder = "+expires_at"
	OrderByExpiresAtDesc    InvitationOrder = "-expires_at"
)

// An InvitationList is one page of invitations.
type InvitationList struct {
	// Data is the invitations of this page.
	Data []Invitation `json:"data"`
	// TotalCount is how many invitations there are on all pages; -1 when the
	// response did not tell, as without Paginated.
	TotalCount int `json:"total_count"`
}

// LogValue makes log/slog log the counts, not the invitations.
func (l InvitationList) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("count", len(l.Data)), slog.Int("total_count", l.TotalCount))
}
