package clerk

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/search"
	"github.com/clerk-invitations/clerk-go/internal/snapshot"
)

// Changes lists the invitations and yields what has changed since the snapshot, each
// change once. It records every change in the snapshot before yielding it, so keep the
// snapshot in the transaction that handles the changes. With a zero Snapshot it records
// all invitations and yields nothing.
//
// It makes one listing of the revoked invitations and one of the others: with 2,000
// invitations usually 5 requests. An invitation that has expired by Clerk's clock is
// reported as expired even if Clerk still lists it as pending. One that is missing is
// reported as deleted by the next call that does not find it either. A listing proves no
// absence if invitations left the list meanwhile, and others may have been skipped, or if
// one was created less than 5 seconds before it.
//
// Each page is requested when the loop reaches it, or earlier with [WithPrefetch]. An
// error is yielded once, with a zero Change, and ends the sequence; MaxElapsedTime applies
// to each page. The next call yields the rest. Do not use a snapshot in two calls at once.
func (s *InvitationsService) Changes(ctx context.Context, snapshot *Snapshot, opts ...AllOption) iter.Seq2[Change, error] {
	inputErr := inputError("snapshot", check.NotNil(snapshot != nil))
	return sequence(s.config(), opts, inputErr, func(c *call) iter.Seq2[Change, error] { return c.changes(ctx, snapshot) })
}

func (c *call) changes(ctx context.Context, s *Snapshot) iter.Seq2[Change, error] {
	source := snapshot.Source[Invitation]{Began: c.listBegan, Item: itemOf}
	for _, status := range allStatuses { // an invitation that is revoked meanwhile is in the second list
		source.Lists = append(source.Lists, c.invitations(ctx, ListInvitationsRequest{Status: InvitationStatus(status)}))
	}
	return func(yield func(Change, error) bool) {
		for change, err := range snapshot.Compare(&s.known, source) {
			if !yield(c.changeOf(change), err) {
				return
			}
		}
	}
}

// listBegan returns the time of the last response and the total of its list.
func (c *call) listBegan() (now int64, total int, err error) {
	date, ok := c.date()
	if !ok {
		err = &SDKError{ResponseMeta: c.last.ResponseMeta, Message: "the response has no valid Date header", Err: search.ErrNoDate}
	}
	return int64(date), c.last.total, err
}

// itemOf returns what a snapshot records of an invitation at a time by Clerk's clock.
func itemOf(inv Invitation, now int64) snapshot.Item {
	item := snapshot.Item{ID: inv.ID, Created: int64(inv.CreatedAt), Updated: int64(inv.UpdatedAt)}
	switch {
	case inv.Status == InvitationStatusAccepted:
		item.State = snapshot.Accepted
	case inv.Status == InvitationStatusRevoked:
		item.State = snapshot.Revoked
	case inv.Status == InvitationStatusExpired, inv.isExpired(UnixMilli(now)):
		item.State, item.Updated = snapshot.Expired, int64(inv.ExpiresAt)
	}
	return item
}

var reached = map[snapshot.State]ChangeKind{
	snapshot.Accepted: ChangeAccepted, snapshot.Revoked: ChangeRevoked, snapshot.Expired: ChangeExpired,
}

func (c *call) changeOf(change snapshot.Change[Invitation]) Change {
	switch inv := change.Value; change.Kind {
	case snapshot.New:
		return Change{ChangeNew, inv, inv.CreatedAt}
	case snapshot.Reached:
		return Change{reached[change.Item.State], inv, UnixMilli(change.Item.Updated)}
	case snapshot.Gone:
		now, _ := c.date()
		return Change{ChangeDeleted, Invitation{ID: change.Item.ID}, now}
	}
	return Change{}
}

// A Change is a change of one invitation. Formatted by package fmt or logged by log/slog,
// it shows neither address nor ticket URL.
type Change struct {
	// Kind says what has changed.
	Kind ChangeKind
	// Invitation is the invitation as listed. If it was deleted, only ID is set.
	Invitation Invitation
	// At is the time of the change, by Clerk's clock: CreatedAt of a new invitation, ExpiresAt
	// of an expired one, UpdatedAt of an accepted or revoked one (inferred), and the time of
	// the listing for a deleted one.
	At UnixMilli
}

// A ChangeKind says what has changed.
type ChangeKind string

// The changes. An expired invitation can be reported as accepted or revoked later;
// otherwise an accepted or revoked one changes only by being deleted.
const (
	ChangeNew      ChangeKind = "new"
	ChangeAccepted ChangeKind = "accepted"
	ChangeExpired  ChangeKind = "expired"
	ChangeRevoked  ChangeKind = "revoked"
	ChangeDeleted  ChangeKind = "deleted"
)

// String returns the kind, the time and the invitation without its address.
func (c Change) String() string {
	return fmt.Sprintf("clerk.Change{%s at=%s %s}", c.Kind, c.At, c.Invitation)
}

// Format writes String for every verb.
func (c Change) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// LogValue returns a group with kind, at and invitation.
func (c Change) LogValue() slog.Value {
	return slog.GroupValue(slog.String("kind", string(c.Kind)), slog.Time("at", c.At.Time()), slog.Any("invitation", c.Invitation))
}

// A Snapshot holds what [InvitationsService.Changes] knows of an instance's invitations: their
// ids and states, but no addresses. The zero Snapshot is empty. It is marshaled as bytes, text
// or JSON, in 30 to 40 bytes an invitation; the format is not specified.
type Snapshot struct {
	known snapshot.Snapshot
}

// MarshalBinary returns the snapshot as bytes.
func (s Snapshot) MarshalBinary() ([]byte, error) { return s.known.MarshalBinary() }

// UnmarshalBinary reads what MarshalBinary has returned. After an error, s is unchanged.
func (s *Snapshot) UnmarshalBinary(data []byte) error { return s.known.UnmarshalBinary(data) }

// MarshalText returns the snapshot as text.
func (s Snapshot) MarshalText() ([]byte, error) { return s.known.MarshalText() }

// UnmarshalText reads what MarshalText has returned. After an error, s is unchanged.
func (s *Snapshot) UnmarshalText(text []byte) error { return s.known.UnmarshalText(text) }
