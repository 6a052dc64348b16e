package clerkriver

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A State is the progress of a row.
type State string

// The states. Those after StateSending are outcomes. Only StateCreated changes again, if
// [Config].Sync is not off: to what became of the invitation, which is the states after
// StateSkipped.
const (
	// StateWaiting means that the row is yet to be sent.
	StateWaiting State = "waiting"
	// StateSending means that a run has taken the row, and may have sent it.
	StateSending State = "sending"
	// StateCreated means that the campaign created the invitation. As far as is known, it
	// is open.
	StateCreated State = "created"
	// StateAlreadyInvited means that the address had an invitation, usually a pending or
	// accepted one, that is not the campaign's.
	StateAlreadyInvited State = "already_invited"
	// StateUserExists means that the address belongs to a user.
	StateUserExists State = "user_exists"
	// StateRejected means that the request was invalid, or Clerk rejected it.
	StateRejected State = "rejected"
	// StateRepeated means that an earlier row of the campaign has the same address, and its
	// invitation was created.
	StateRepeated State = "repeated"
	// StateUnknown means that the row may have been sent, and Clerk never answered.
	StateUnknown State = "unknown"
	// StateCancelled means that the campaign was cancelled before the row was sent.
	StateCancelled State = "cancelled"
	// StateErased means that [Campaigns.ErasePersonTx] erased the person before the row had
	// an outcome.
	StateErased State = "erased"
	// StateSkipped means that a reminder was not sent: see [Campaigns.RemindTx].
	StateSkipped State = "skipped"
	// StateAccepted means that the invitee has signed up with the invitation.
	StateAccepted State = "accepted"
	// StateExpired means that the invitation has expired by Clerk's clock. It may still be
	// found accepted or revoked later.
	StateExpired State = "expired"
	// StateRevoked means that somebody revoked the invitation.
	StateRevoked State = "revoked"
	// StateDeleted means that two syncs in a row did not find the invitation.
	StateDeleted State = "deleted"
)

// A Result is what is known about a row.
//
// Formatted with package fmt, or logged with log/slog, it does not show the address.
type Result struct {
	// Campaign is the campaign's name.
	Campaign string
	// Place is the row's place among the campaign's rows, from 0 on.
	Place int
	// Ref is the caller's reference.
	Ref string
	// EmailAddress is the address of the request.
	EmailAddress string
	// State is the row's outcome, if it has one yet.
	State State
	// InvitationID is the invitation that was created, or the existing one if it is known.
	InvitationID string
	// Problem is why the row was rejected, or its outcome is unknown, in Clerk's words if
	// Clerk gave a reason; or that its invitation was created without its metadata.
	Problem string
	// Untold is why [Config].OnResult failed for this result, or [Config].OnChange for a
	// change, in its own words; empty once it has succeeded.
	Untold string
	// ChangedAt is when the state last changed.
	ChangedAt time.Time
	// BecameAt is when the invitation was accepted or revoked, or expired, by Clerk's
	// clock; of a deleted one, when it was missing. Otherwise it is zero.
	BecameAt time.Time
}

// String returns the result without the address.
func (r Result) String() string {
	return fmt.Sprintf("clerkriver.Result{%q %d %s %s %s}", r.Campaign, r.Place, r.State, r.InvitationID, r.Problem)
}

// Format writes String for every verb.
func (r Result) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue makes log/slog log String.
func (r Result) LogValue() slog.Value { return slog.StringValue(r.String()) }

// A Change is what became of an invitation that a campaign created. Its State is
// [StateAccepted], [StateExpired], [StateRevoked] or [StateDeleted].
type Change struct {
	Result

	// Number counts the changes of the row, from 1 on. A change that is told late has a
	// lower number than one that was told before.
	Number int
}
