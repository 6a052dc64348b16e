// Package addresses compares email addresses, and remembers a state, an ID and a status for
// each of millions of them, in less than 96 bytes per address.
package addresses

import (
	"crypto/sha256"
	"math"
	"slices"
	"strings"
)

// A Key identifies an email address, without regard to case and white space around it. It
// is half of a SHA-256 hash.
type Key [16]byte

// KeyOf returns the key of an address.
func KeyOf(address string) Key {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(address))))
	return Key(sum[:])
}

// An Entry holds what is known about an address.
type Entry struct {
	// State is a number below 128 that means something to the caller.
	State uint8
	// Recent is set by SetRecent.
	Recent bool
	// ID may have any length, but one of more than 31 bytes takes more memory.
	ID string
	// Status is one of a few texts. A Map keeps the first 255; later ones become empty.
	Status string
}

// A Map holds an entry for each known address. The zero Map is empty and ready to use. It is
// not safe for concurrent use.
type Map struct {
	index    map[Key]uint32
	chunks   []*[chunkSize]slot
	used     uint32
	longIDs  map[uint32]string // IDs that do not fit into a slot, by the slot's number
	statuses []string          // the first one is empty
}

const chunkSize = 1024

// A slot is an entry, packed.
type slot struct {
	state  uint8    // and isRecent
	status uint8    // index in Map.statuses
	id     [31]byte // padded with 0
}

// isRecent is a flag of a slot's state.
const isRecent = 0x80

// Get returns the entry of an address, and reports whether it has one.
func (m *Map) Get(key Key) (Entry, bool) {
	i, ok := m.index[key]
	if !ok {
		return Entry{}, false
	}
	packed := &m.chunks[i/chunkSize][i%chunkSize]
	id, isLong := m.longIDs[i]
	if !isLong {
		id = strings.TrimRight(string(packed.id[:]), "\x00")
	}
	return Entry{State: packed.state &^ isRecent, Recent: packed.state&isRecent != 0, ID: id, Status: m.statuses[packed.status]}, true
}

// Set sets the entry of an address.
func (m *Map) Set(key Key, entry Entry) {
	if m.index == nil {
		m.index, m.longIDs, m.statuses = map[Key]uint32{}, map[uint32]string{}, []string{""}
	}
	i, ok := m.index[key]
	if !ok {
		if i = m.used; i%chunkSize == 0 {
			m.chunks = append(m.chunks, new([chunkSize]slot))
		}
		m.index[key] = i
		m.used++
	}
	packed := slot{state: entry.State, status: m.indexOf(entry.Status)}
	if entry.Recent {
		packed.state |= isRecent
	}
	delete(m.longIDs, i)
	if copy(packed.id[:], entry.ID) < len(entry.ID) {
		m.longIDs[i] = entry.ID
	}
	m.chunks[i/chunkSize][i%chunkSize] = packed
}

// indexOf returns the index of a status. It adds a new status if there is room, and otherwise
// returns the index of the empty status.
func (m *Map) indexOf(status string) uint8 {
	i := slices.Index(m.statuses, status)
	if i < 0 && len(m.statuses) <= math.MaxUint8 {
		i = len(m.statuses)
		m.statuses = append(m.statuses, status)
	}
	return uint8(max(0, i)) //nolint:gosec // there are at most 256
}

// Remove removes the entry of an address. The memory is not reused, so removals should be
// rare.
func (m *Map) Remove(key Key) { delete(m.index, key) }
