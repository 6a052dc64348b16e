package clerk

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// A Progress describes how far a run of CreateAll is.
type Progress struct {
	// Listed counts the existing invitations that were read.
	Listed int
	// Taken counts the requests that were read.
	Taken int
	// Created, AlreadyInvited, UserExists, Rejected, Repeated and Unknown count the results
	// by their outcome.
	Created, AlreadyInvited, UserExists, Rejected, Repeated, Unknown int
	// WaitUntil is the end of the wait that has begun; zero if there is none.
	WaitUntil time.Time
	// WaitFor is the operation whose limit the run waits for, OperationCreate or
	// OperationBulkCreate, whichever is available first. It is empty for other waits.
	WaitFor Operation
	// Cause is the failure that caused the wait; nil for other waits.
	Cause error

	forecast pace.Forecast
}

// counter returns the count of an outcome.
func (p *Progress) counter(outcome Outcome) *int {
	return [...]*int{
		OutcomeCreated: &p.Created, OutcomeAlreadyInvited: &p.AlreadyInvited, OutcomeUserExists: &p.UserExists,
		OutcomeRejected: &p.Rejected, OutcomeRepeated: &p.Repeated, OutcomeUnknown: &p.Unknown,
	}[outcome]
}

// Done returns how many requests have a result.
func (p Progress) Done() int {
	return p.Created + p.AlreadyInvited + p.UserExists + p.Rejected + p.Repeated + p.Unknown
}

// EstimateEnd estimates when a run of total requests ends. It assumes that no more of them
// are skipped, none fails, and nobody else uses the limits. For a resumed run, the estimate is
// too late until the run has skipped the addresses that were invited before.
func (p Progress) EstimateEnd(total int) time.Time { return p.forecast.End(total - p.Done()) }

// Format writes the counts and the wait for every verb.
func (p Progress) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerk.Progress{listed=%d taken=%d created=%d already_invited=%d user_exists=%d rejected=%d repeated=%d unknown=%d",
		p.Listed, p.Taken, p.Created, p.AlreadyInvited, p.UserExists, p.Rejected, p.Repeated, p.Unknown)
	if !p.WaitUntil.IsZero() {
		_, _ = fmt.Fprintf(s, " wait_until=%s wait_for=%s", p.WaitUntil.UTC().Format(time.RFC3339), p.WaitFor)
	}
	if p.Cause != nil {
		_, _ = fmt.Fprintf(s, " cause=%q", redact.Line(p.Cause.Error()))
	}
	_, _ = io.WriteString(s, "}")
}

// A CreateResult is the result of one request to CreateAll. Formatted by package fmt or
// logged by log/slog, it shows neither address nor ticket URL.
type CreateResult struct {
	// Index is the position of the request, from 0.
	Index int
	// Request is the request.
	Request CreateInvitationRequest
	// Outcome says how it ended.
	Outcome Outcome
	// Invitation is the invitation that the run created; nil unless Outcome is OutcomeCreated.
	Invitation *Invitation
	// Existing is the existing invitation of the address, for OutcomeAlreadyInvited and
	// OutcomeRepeated; nil if it is not known.
	Existing *ExistingInvitation
	// Err is the reason for OutcomeRejected and OutcomeUnknown: the error of the operation
	// that was called. With OutcomeCreated it is an [ErrMetadataLost] or nil. For other
	// outcomes it is nil.
	Err error
}

// An ExistingInvitation is an invitation that a run has found.
type ExistingInvitation struct {
	// ID is the invitation's id, "inv_...".
	ID string
	// Status is its status when it was found, InvitationStatusPending or
	// InvitationStatusAccepted. After a duplicate_record it may be another one.
	Status InvitationStatus
}

// existing returns the invitation that the address has now, or nil if it is not known.
func (r CreateResult) existing() *ExistingInvitation {
	if r.Invitation != nil {
		return &ExistingInvitation{r.Invitation.ID, r.Invitation.Status}
	}
	return r.Existing
}

// String returns the same as LogValue, so without the address.
func (r CreateResult) String() string { return "clerk.CreateResult" + r.LogValue().String() }

// Format writes String for every verb.
func (r CreateResult) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue returns a group with index and outcome and, if set, invitation_id, status and
// error.
func (r CreateResult) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int("index", r.Index), slog.String("outcome", r.Outcome.String())}
	if inv := r.existing(); inv != nil {
		attrs = append(attrs, slog.String("invitation_id", inv.ID), slog.String("status", string(inv.Status)))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("error", redact.Line(r.Err.Error())))
	}
	return slog.GroupValue(attrs...)
}

// An Outcome says how a request to CreateAll ended.
type Outcome uint8

const (
	// OutcomeCreated means that this run created the invitation.
	OutcomeCreated Outcome = iota + 1
	// OutcomeAlreadyInvited means that the address already had an invitation, usually a
	// pending or accepted one; see Existing.
	OutcomeAlreadyInvited
	// OutcomeUserExists means that the address belongs to a user.
	OutcomeUserExists
	// OutcomeRejected means that the request is invalid, or Clerk refused it; see Err. A
	// rate limit never has this outcome.
	OutcomeRejected
	// OutcomeRepeated means that an earlier request of the same run has the same address, and
	// its invitation was created.
	OutcomeRepeated
	// OutcomeUnknown means that the invitation may have been created. Its request kept
	// failing ambiguously while others succeeded, or an invitation exists that may be for
	// another spelling of its address; see Err.
	OutcomeUnknown
)

var outcomeTexts = map[Outcome]string{
	OutcomeCreated: "created", OutcomeAlreadyInvited: "already invited", OutcomeUserExists: "user exists",
	OutcomeRejected: "rejected", OutcomeRepeated: "repeated", OutcomeUnknown: "unknown",
}

// String returns the outcome in words, such as "already invited".
func (o Outcome) String() string {
	if text, ok := outcomeTexts[o]; ok {
		return text
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// MarshalText returns the text of String, so that JSON contains it instead of a number.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the text of MarshalText.
func (o *Outcome) UnmarshalText(text []byte) error {
	for n := range math.MaxUint8 + 1 {
		if known := Outcome(n); known.String() == string(text) {
			*o = known
			return nil
		}
	}
	return fmt.Errorf("clerk: unknown outcome %q", text)
}

// A Budget limits the requests of a run of CreateAll, to leave some of Clerk's hourly requests
// for others.
//
// Clerk allows 100 creates and 25 bulk creates an hour for an instance (its "Rate
// limits" page), so 350 invitations. The default is 90 creates and 25 bulk creates, so 340
// invitations. It leaves the rest for others, such as a request handler. The budget applies to
// any period of length Window, as Clerk does not document whether its hours are fixed or
// sliding. If others have used up the limit, Clerk returns status 429, and the run waits as
// long as Retry-After says.
//
// Whether Clerk counts requests that failed, for example with status 503, is not
// documented. A run does not count the first ten of them in each Window that seem to have
// had no effect. So if Clerk counts them, a run may use ten requests more than its budget.
type Budget struct {
	// Creates and BulkCreates are the requests in each Window. If one of them is 0, the
	// run makes no such requests.
	Creates, BulkCreates int
	// Window is the time that the limits apply to; an hour if 0.
	Window time.Duration
}

var defaultBudget = Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}
