package clerkriver

import (
	"hash/maphash"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A listing holds what a sync has seen of the instance's invitations. Rows know the ids of
// their invitations, so it needs no [clerk.Snapshot]. The same changes count as there.
type listing struct {
	number   int64     // of the sync
	since    time.Time // no open row has an older invitation
	now      time.Time // by Clerk's clock; zero if it does not say
	seed     maphash.Seed
	seen     map[uint64]struct{} // hashes of ids: a million of them take 40 MB
	known    bool                // it has an invitation of a row, in whatever status
	complete bool                // no invitation can have been skipped
}

// became returns the state that an invitation has reached, and when; StateCreated if it is
// open. An invitation that has expired by Clerk's clock is expired even if it is still listed
// as pending.
func (l *listing) became(inv clerk.Invitation) (State, time.Time) {
	isPast := inv.ExpiresAt != 0 && !l.now.IsZero() && !inv.ExpiresAt.Time().After(l.now)
	switch {
	case inv.Status == clerk.InvitationStatusAccepted:
		return StateAccepted, inv.UpdatedAt.Time()
	case inv.Status == clerk.InvitationStatusRevoked:
		return StateRevoked, inv.UpdatedAt.Time()
	case inv.Status == clerk.InvitationStatusExpired, inv.Status == clerk.InvitationStatusPending && isPast:
		return StateExpired, inv.ExpiresAt.Time()
	}
	return StateCreated, time.Time{}
}
