package clerk

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// An addressKey identifies an address without regard to case, in 16 bytes.
type addressKey [16]byte

func keyOf(address string) addressKey {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(address))))
	return addressKey(sum[:])
}

// addresses is what a run knows of each address, in about 80 bytes.
type addresses struct {
	index  map[addressKey]uint32
	chunks []*[addressChunk]knownAddress
	used   uint32
	longID map[uint32]string // ids that do not fit
}

const addressChunk = 1024

// A knownAddress is the outcome of an address, 0 while it is in the queue, and its
// invitation.
type knownAddress struct {
	outcome Outcome
	status  uint8    // index in knownStatuses
	id      [31]byte // padded with 0; Clerk's ids have 31 bytes
}

var knownStatuses = []InvitationStatus{
	InvitationStatusPending, InvitationStatusAccepted, InvitationStatusExpired, InvitationStatusRevoked,
}

// get returns what is known of an address.
func (a *addresses) get(key addressKey) (outcome Outcome, existing *ExistingInvitation, ok bool) {
	i, ok := a.index[key]
	if !ok {
		return 0, nil, false
	}
	known := &a.chunks[i/addressChunk][i%addressChunk]
	id, isLong := a.longID[i]
	if !isLong {
		id = strings.TrimRight(string(known.id[:]), "\x00")
	}
	if id == "" {
		return known.outcome, nil, true
	}
	return known.outcome, &ExistingInvitation{id, knownStatuses[known.status]}, true
}

// set records the outcome of an address, and its invitation if it has one.
func (a *addresses) set(key addressKey, outcome Outcome, existing *ExistingInvitation) {
	i, ok := a.index[key]
	if !ok {
		if a.index == nil {
			a.index, a.longID = map[addressKey]uint32{}, map[uint32]string{}
		}
		if i = a.used; i%addressChunk == 0 {
			a.chunks = append(a.chunks, new([addressChunk]knownAddress))
		}
		a.index[key] = i
		a.used++
	}
	known := knownAddress{outcome: outcome}
	delete(a.longID, i)
	if existing != nil {
		known.status = uint8(max(0, slices.Index(knownStatuses, existing.Status))) //nolint:gosec // a short list
		if copy(known.id[:], existing.ID) < len(existing.ID) {
			a.longID[i] = existing.ID
		}
	}
	a.chunks[i/addressChunk][i%addressChunk] = known
}

// remove forgets an address. Its slot is not used again, as rejected requests are few.
func (a *addresses) remove(key addressKey) { delete(a.index, key) }
