package clerk

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/jsonbody"
	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// Limits from Clerk's OpenAPI document.
const (
	// MaxBulkInvitations is the most requests in one BulkCreate.
	MaxBulkInvitations = 10
	// MaxListLimit is the most invitations on one page of a list.
	MaxListLimit = 500
)

// An Invitation is an invitation to sign up. Its JSON is Clerk's, including the address
// and the ticket URL. Formatted by package fmt or logged by log/slog, it shows neither.
type Invitation struct {
	// Object is always "invitation".
	Object string `json:"object"`
	// ID is the invitation's id, "inv_...".
	ID string `json:"id"`
	// EmailAddress is the invitee's address.
	EmailAddress string `json:"email_address"`
	// PublicMetadata is the raw JSON of the metadata that the user gets on sign-up. It may
	// be null. See DecodePublicMetadata.
	PublicMetadata json.RawMessage `json:"public_metadata"`
	// Revoked is true once the invitation is revoked. Until then, JSON omits it (as observed).
	Revoked bool `json:"revoked,omitempty"`
	// Status is the invitation's state.
	Status InvitationStatus `json:"status"`
	// URL is the link in the invitation's email. Anyone who has it can sign up: keep it
	// secret. It is empty once the invitation is revoked (as observed).
	URL string `json:"url,omitempty"`
	// ExpiresAt is the time at which the invitation expires; 0 for null.
	ExpiresAt UnixMilli `json:"expires_at"`
	// CreatedAt is the time of the invitation's creation, by Clerk's clock.
	CreatedAt UnixMilli `json:"created_at"`
	// UpdatedAt is the time of the invitation's last change, by Clerk's clock.
	UpdatedAt UnixMilli `json:"updated_at"`
}

// DecodePublicMetadata decodes the metadata into v, a pointer, as [json.Unmarshal] does.
// Absent metadata leaves v unchanged.
func (i Invitation) DecodePublicMetadata(v any) error {
	if len(i.PublicMetadata) == 0 {
		return nil
	}
	if err := json.Unmarshal(i.PublicMetadata, v); err != nil {
		// The text of err can contain values.
		return redact.Error(fmt.Sprintf("clerk: public_metadata of invitation %s does not fit into %T", i.ID, v), err)
	}
	return nil
}

// isExpired reports whether the invitation has expired at a time by Clerk's clock, even if
// it is still listed as pending.
func (i Invitation) isExpired(now UnixMilli) bool {
	return i.ExpiresAt != 0 && i.ExpiresAt <= now && (i.Status == InvitationStatusPending || i.Status == InvitationStatusExpired)
}

// String returns the invitation without its ticket URL, address and metadata.
func (i Invitation) String() string {
	s := fmt.Sprintf("clerk.Invitation{%s %s created=%s", i.ID, i.Status, i.CreatedAt)
	if i.ExpiresAt != 0 {
		s += " expires=" + i.ExpiresAt.String()
	}
	return s + "}"
}

// Format writes String for every verb.
func (i Invitation) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, i.String()) }

// LogValue returns a group with id, status, created_at and, if set, expires_at.
func (i Invitation) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("id", i.ID), slog.String("status", string(i.Status)), slog.Time("created_at", i.CreatedAt.Time()),
	}
	if i.ExpiresAt != 0 {
		attrs = append(attrs, slog.Time("expires_at", i.ExpiresAt.Time()))
	}
	return slog.GroupValue(attrs...)
}

// An InvitationStatus is the state of an invitation. Clerk may add further values.
type InvitationStatus string

// The statuses that Clerk documents.
const (
	InvitationStatusPending  InvitationStatus = "pending"
	InvitationStatusAccepted InvitationStatus = "accepted"
	InvitationStatusRevoked  InvitationStatus = "revoked"
	InvitationStatusExpired  InvitationStatus = "expired"
)

// UnixMilli is a time in milliseconds since 1970, as in Clerk's JSON (as observed: its
// OpenAPI document does not name the unit). 0 means no time, and is null in JSON. To
// convert a [time.Time] t, use UnixMilli(t.UnixMilli()).
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

// UnmarshalJSON reads a number in any spelling of JSON, such as 1.7e12, or a string of
// digits. A fraction of a millisecond is cut off. By convention, it ignores null.
func (m *UnixMilli) UnmarshalJSON(wire []byte) error {
	if string(wire) == "null" {
		return nil
	}
	n, _, err := jsonbody.Integer(wire)
	if err == nil {
		*m = UnixMilli(n)
	}
	return err
}

// A CreateInvitationRequest is a request for one invitation. Zero fields are not sent.
// Its JSON is Clerk's. Formatted by package fmt or logged by log/slog, it shows neither
// address nor metadata.
type CreateInvitationRequest struct {
	// EmailAddress is the invitee's address. Required.
	EmailAddress string `json:"email_address"`
	// PublicMetadata becomes the user's public metadata on sign-up. A nil map is not
	// sent; an empty one is.
	PublicMetadata map[string]any `json:"public_metadata,omitzero"`
	// RedirectURL is the target of the link in the email, an absolute URL or a path. It is
	// needed only for custom sign-up flows.
	RedirectURL string `json:"redirect_url,omitempty"`
	// Notify says whether Clerk sends an email; nil means true. To send none, use new(false).
	Notify *bool `json:"notify,omitempty"`
	// IgnoreExisting invites even if the address has a pending invitation or belongs to a
	// user. Clerk's OpenAPI document contradicts itself about users in a BulkCreate.
	IgnoreExisting bool `json:"ignore_existing,omitempty"`
	// ExpiresInDays is the validity in days, 1 to 365; 0 means Clerk's default of 30.
	ExpiresInDays int `json:"expires_in_days,omitempty"`
	// TemplateSlug is the template of the email; empty means Clerk's default,
	// TemplateSlugInvitation.
	TemplateSlug TemplateSlug `json:"template_slug,omitempty"`
}

// String returns only the type's name: the fields are personal data.
func (r CreateInvitationRequest) String() string { return "clerk.CreateInvitationRequest{...}" }

// Format writes String for every verb.
func (r CreateInvitationRequest) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue returns a group with ignore_existing and expires_in_days.
func (r CreateInvitationRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("ignore_existing", r.IgnoreExisting), slog.Int("expires_in_days", r.ExpiresInDays))
}

// encode returns the request's JSON. It rejects only what cannot be valid. Clerk decides
// whether a value is allowed.
func (r CreateInvitationRequest) encode() ([]byte, error) {
	if err := checkAddress(r.EmailAddress); err != nil {
		return nil, err
	}
	return r.marshal()
}

// marshal returns the request's JSON, whatever its address is.
func (r CreateInvitationRequest) marshal() ([]byte, error) {
	err := cmp.Or(inputError("redirect_url", check.Text(r.RedirectURL)), inputError("template_slug", check.Text(string(r.TemplateSlug))))
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(r)
	if err != nil { // nothing else in a request can fail
		return nil, &InputError{"public_metadata", "cannot be encoded as JSON: " + redact.Line(err.Error())}
	}
	return body, inputError("public_metadata", check.Value(r.PublicMetadata))
}

// A TemplateSlug names the template of an invitation's email.
type TemplateSlug string

// The templates that Clerk documents.
const (
	TemplateSlugInvitation         TemplateSlug = "invitation"
	TemplateSlugWaitlistInvitation TemplateSlug = "waitlist_invitation"
)

// A ListInvitationsRequest filters, orders and pages a list. Zero fields are not sent.
// Formatted by package fmt or logged by log/slog, it does not show Query.
type ListInvitationsRequest struct {
	// Status selects invitations in this state. If it is empty, the list has all but the
	// revoked ones.
	Status InvitationStatus
	// Statuses selects invitations in any of these states or in Status. Clerk's Go SDK sends
	// several, but Clerk's OpenAPI document permits only one: check the results yourself.
	Statuses []InvitationStatus
	// Query selects invitations by email address or id. Whether it matches parts of them
	// is not documented: compare the results yourself.
	Query string
	// OrderBy is the order; empty means Clerk's default, newest first.
	OrderBy InvitationOrder
	// Paginated asks for the response with the total count. It is always sent; nil means true.
	Paginated *bool
	// Limit is the most invitations to return, 1 to MaxListLimit; 0 means Clerk's default
	// of 10.
	Limit int
	// Offset is the number of invitations to skip.
	Offset int
}

// String returns the request without Query, which may be an address.
func (r ListInvitationsRequest) String() string {
	return fmt.Sprintf("clerk.ListInvitationsRequest{status=%s order_by=%s limit=%d offset=%d}",
		r.Status, r.OrderBy, r.Limit, r.Offset)
}

// Format writes String for every verb.
func (r ListInvitationsRequest) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue returns a group with status, order_by, limit and offset.
func (r ListInvitationsRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.String("status", string(r.Status)), slog.String("order_by", string(r.OrderBy)),
		slog.Int("limit", r.Limit), slog.Int("offset", r.Offset))
}

func (r ListInvitationsRequest) check() error {
	return cmp.Or(inputError("limit", check.NotNegative(r.Limit)), inputError("offset", check.NotNegative(r.Offset)))
}

func (r ListInvitationsRequest) values() url.Values {
	v := url.Values{"paginated": {strconv.FormatBool(r.Paginated == nil || *r.Paginated)}}
	for _, status := range append([]InvitationStatus{r.Status}, r.Statuses...) {
		if status != "" {
			v.Add("status", string(status))
		}
	}
	for name, value := range map[string]string{"query": r.Query, "order_by": string(r.OrderBy)} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, n := range map[string]int{"limit": r.Limit, "offset": r.Offset} {
		if n > 0 {
			v.Set(name, strconv.Itoa(n))
		}
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
	// Data holds the invitations of this page.
	Data []Invitation `json:"data"`
	// TotalCount is the number of invitations on all pages; -1 if the response does not
	// have it, as without Paginated.
	TotalCount int `json:"total_count"`
}

// LogValue returns a group with the counts, without the invitations.
func (l InvitationList) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("count", len(l.Data)), slog.Int("total_count", l.TotalCount))
}

// A DeletedObject confirms a deletion.
type DeletedObject struct {
	// Object is "invitation".
	Object string `json:"object"`
	// ID is the id of the deleted invitation.
	ID string `json:"id"`
	// Deleted is true.
	Deleted bool `json:"deleted"`
}

func idOf(inv Invitation) string { return inv.ID }

func checkID(id string) error { return inputError("invitation_id", check.PathSegment(id)) }

func checkAddress(address string) error { return inputError("email_address", check.Address(address)) }
