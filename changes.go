package clerk

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"

	"github.com/clerk-invitations/clerk-go/internal/check"
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
// reported as deleted by the next call that does not find it either. A listing during
// which invitations left the list, and others may have been skipped, proves no absence.
//
// Each page is requested when the loop reaches it, or earlier with [WithPrefetch]. An
// error is yielded once, with a zero Change, and ends the sequence; MaxElapsedTime applies
// to each page. The next call yields the rest. Do not use a snapshot in two calls at once.
func (s *InvitationsService) Changes(ctx context.Context, snapshot *Snapshot, opts ...AllOption) iter.Seq2[Change, error] {
	inputErr := inputError("snapshot", check.NotNil(snapshot != nil))
	return sequence(s.config(), opts, inputErr, func(c *call) iter.Seq2[Change, error] { return c.changes(ctx, snapshot) })
}

func (c *call) changes(ctx context.Context, s *Snapshot) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		listing := s.known.List()
		for _, status := range allStatuses { // an invitation that is revoked meanwhile is in the second list
			for change, err := range c.changesIn(ctx, listing, status) {
				if !yield(change, err) || err != nil {
					return
				}
			}
		}
		gone := listing.End()
		slices.Sort(gone)
		now, _ := c.date()
		for _, id := range gone {
			s.known.Remove(id)
			if !yield(Change{ChangeDeleted, Invitation{ID: id}, now}, nil) {
				return
			}
		}
	}
}

// changesIn returns the changes that one list shows.
func (c *call) changesIn(ctx context.Context, listing *snapshot.Listing, status InvitationStatus) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		var now UnixMilli // by Clerk's clock, when the list began
		begin := func() error {
			date, ok := c.date()
			if !ok {
				return &SDKError{ResponseMeta: c.last.ResponseMeta, Message: "the response has no valid Date header", Err: errNoDate}
			}
			now = date
			listing.Begin(int64(now), c.last.total)
			return nil
		}
		for inv, err := range c.invitations(ctx, ListInvitationsRequest{Status: status}) {
			if err == nil && now == 0 {
				err = begin()
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			for _, change := range record(listing, inv, now) {
				if !yield(change, nil) {
					return
				}
			}
		}
		if now == 0 { // an empty list has no page
			if err := begin(); err != nil {
				yield(Change{}, err)
			}
		}
	}
}

// record records an invitation and returns its changes, at most two.
func record(listing *snapshot.Listing, inv Invitation, now UnixMilli) (changes []Change) {
	item := snapshot.Item{ID: inv.ID, Created: int64(inv.CreatedAt), Updated: int64(inv.UpdatedAt)}
	reached := Change{Invitation: inv, At: inv.UpdatedAt}
	switch {
	case inv.Status == InvitationStatusAccepted:
		item.State, reached.Kind = snapshot.Accepted, ChangeAccepted
	case inv.Status == InvitationStatusRevoked:
		item.State, reached.Kind = snapshot.Revoked, ChangeRevoked
	case inv.Status == InvitationStatusExpired, inv.isExpired(now):
		item.State, reached.Kind, reached.At = snapshot.Expired, ChangeExpired, inv.ExpiresAt
		item.Updated = int64(inv.ExpiresAt)
	}
	isNew, changed := listing.Record(item)
	if isNew {
		changes = append(changes, Change{ChangeNew, inv, inv.CreatedAt})
	}
	if changed {
		changes = append(changes, reached)
	}
	return changes
}

// A Change is a change of one invitation. Formatted by package fmt or logged by log/slog,
// it shows neither address nor ticket URL.
type Change struct {
	// Kind says what has changed.
	Kind ChangeKind
	// Invitation is the invitation as listed. Of a deleted one, only ID is known.
	Invitation Invitation
	// At is when it changed, by Clerk's clock: CreatedAt of a new invitation, ExpiresAt of
	// an expired one, UpdatedAt of an accepted or revoked one (inferred), and the time of
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

// A Snapshot is what [InvitationsService.Changes] knows of an instance's invitations: their
// ids and states, but no address. The zero Snapshot knows nothing. It is marshaled as
// bytes, text or JSON, in 30 to 40 bytes an invitation; the format is not specified.
type Snapshot struct {
	known snapshot.Snapshot
}

// MarshalBinary returns the snapshot as bytes.
func (s Snapshot) MarshalBinary() ([]byte, error) { return s.known.MarshalBinary() }

// UnmarshalBinary reads what MarshalBinary has returned. After an error, s is unchanged.
func (s *Snapshot) UnmarshalBinary(data []byte) error {
	if err := s.known.UnmarshalBinary(data); err != nil {
		return fmt.Errorf("clerk: snapshot: %w", err)
	}
	return nil
}

// MarshalText returns the snapshot as text.
func (s Snapshot) MarshalText() ([]byte, error) {
	data, err := s.known.MarshalBinary()
	return base64.StdEncoding.AppendEncode(nil, data), err
}

// UnmarshalText reads what MarshalText has returned. After an error, s is unchanged.
func (s *Snapshot) UnmarshalText(text []byte) error {
	data, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("clerk: snapshot: %w", err)
	}
	return s.UnmarshalBinary(data)
}
