package clerkriver

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A State is the progress of a row.
type State string

// The states. Those after StateSending are outcomes. If [Config].Sync is not off,
// StateCreated changes again, to what became of the invitation: the states after
// StateSkipped. Of these StateExpired changes, too, if the invitation is then found
// accepted or revoked. The others are final.
const (
	// StateWaiting means that the row has not been sent yet, or that its outcome is unknown: then
	// the next run looks it up, even if the campaign was cancelled meanwhile.
	StateWaiting State = "waiting"
	// StateSending means that a run has taken the row, and may have sent it.
	StateSending State = "sending"
	// StateCreated means that the campaign created the invitation. As far as is known, it
	// is open.
	StateCreated State = "created"
	// StateAlreadyInvited means that the address had an invitation, usually a pending or
	// accepted one, that the campaign did not create.
	StateAlreadyInvited State = "already_invited"
	// StateUserExists means that the address belongs to a user.
	StateUserExists State = "user_exists"
	// StateRejected means that the request was invalid, or Clerk rejected it.
	StateRejected State = "rejected"
	// StateRepeated means that an earlier row of the campaign has the same address, and its
	// invitation was created.
	StateRepeated State = "repeated"
	// StateUnknown means that the row may have been sent, but its outcome could not be
	// determined.
	StateUnknown State = "unknown"
	// StateCancelled means that the campaign was cancelled before the row was sent.
	StateCancelled State = "cancelled"
	// StateErased means that [Campaigns.ErasePersonTx] erased the person before the row had
	// an outcome.
	StateErased State = "erased"
	// StateSkipped means that a reminder was not sent; see [Campaigns.RemindTx]. Problem says why.
	StateSkipped State = "skipped"
	// StateAccepted means that the invitee has signed up with the invitation.
	StateAccepted State = "accepted"
	// StateExpired means that the invitation has expired by Clerk's clock. It may still be
	// found accepted or revoked later.
	StateExpired State = "expired"
	// StateRevoked means that the invitation was revoked, by somebody or for a reminder; see
	// [Status].Replaced.
	StateRevoked State = "revoked"
	// StateDeleted means that two syncs in a row did not find the invitation. It was created at
	// least ten seconds before the first. If ten or more are open, and Clerk lists no invitation
	// of any row, none of them counts as deleted; see [Config].Sync.
	StateDeleted State = "deleted"
)

// states are all states in the order in which String lists them.
var states = []State{
	StateAccepted, StateExpired, StateRevoked, StateDeleted, StateErased, StateSkipped, StateCreated, StateAlreadyInvited,
	StateRepeated, StateUserExists, StateRejected, StateUnknown, StateCancelled, StateSending, StateWaiting,
}

// A Result describes a row: its request, and its outcome so far.
//
// Formatted with package fmt, or logged with log/slog, it does not show the address.
type Result struct {
	// Campaign is the campaign's name.
	Campaign string
	// Place is the row's place among the campaign's rows, from 0.
	Place int
	// Ref is the caller's reference; empty if [Campaigns.ErasePersonTx] has erased the person.
	Ref string
	// EmailAddress is the address of the request, or empty like Ref.
	EmailAddress string
	// State is the row's progress or outcome.
	State State
	// InvitationID is the invitation that was created, or the existing one if it is known.
	InvitationID string
	// Problem says why the row was rejected or skipped, or why its outcome is unknown, in Clerk's
	// words if Clerk gave a reason. It also says if the invitation was created without its metadata.
	Problem string
	// Untold is the error of [Config].OnResult for this result, or of [Config].OnChange for a
	// change; empty once the call has succeeded.
	Untold string
	// Replaced reports whether the invitation was revoked, and the person has that of a
	// reminder instead. Only [Campaigns.Results] sets it.
	Replaced bool
	// ChangedAt is the time at which the state last changed.
	ChangedAt time.Time
	// BecameAt is the time at which the invitation was accepted or revoked, or expired, by
	// Clerk's clock. If it was deleted, BecameAt is the time at which it was missing.
	// Otherwise it is zero.
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

// A Change describes a change of an invitation that a campaign created. Its State is
// [StateAccepted], [StateExpired], [StateRevoked] or [StateDeleted].
//
// Formatted with package fmt, or logged with log/slog, it does not show the address.
type Change struct {
	Result

	// Number counts the changes of the row, from 1. A change that is reported late has a lower
	// number than a later one that was reported before it.
	Number int
}

// String returns the change without the address.
func (c Change) String() string {
	return fmt.Sprintf("clerkriver.Change{%q %d %s %s %d}", c.Campaign, c.Place, c.State, c.InvitationID, c.Number)
}

// Format writes String for every verb.
func (c Change) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue makes log/slog log String.
func (c Change) LogValue() slog.Value { return slog.StringValue(c.String()) }
