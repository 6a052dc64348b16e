// Package snapshot compares an API's lists with earlier ones. It does no I/O.
package snapshot

// A State is the state of an item. Revoked and Accepted are final; an expired item can still
// be found accepted or revoked.
type State uint8

// The states.
const (
	Open State = iota
	Expired
	Revoked
	Accepted
)

// An Item is an item of a list. Times are in milliseconds since 1970, by the API's clock.
type Item struct {
	ID               string
	State            State
	Created, Updated int64
}

// A Snapshot holds what is known about all items. The zero Snapshot is empty.
type Snapshot struct {
	since int64 // when the first listing began; 0 before it has ended
	known map[string]record
}

type record struct {
	state   State
	missing bool // it was missing from the last complete listing
}

const (
	// lag is the time during which the first listing may not have shown an item that existed.
	lag = 10_000
	// tolerance is the tolerance of a list's time: a Date header has whole seconds, and may be
	// from another clock.
	tolerance = 5_000
)

// Remove forgets an item.
func (s *Snapshot) Remove(id string) { delete(s.known, id) }

// A Listing is one pass over all items, in one list or several. Start it with
// [Snapshot.List].
type Listing struct {
	snapshot *Snapshot
	began    int64 // the listing
	complete bool  // nothing can have been skipped in earlier lists
	seen     map[string]bool

	list         int64 // when the current list began
	total, older int   // items that it had at that time, and those of them that were seen
}

// List starts a listing.
func (s *Snapshot) List() *Listing {
	if s.known == nil {
		s.known = map[string]record{}
	}
	return &Listing{snapshot: s, complete: true, seen: map[string]bool{}}
}

// Begin starts a list at a time by the API's clock. The list has total items, or -1 if that is
// not known. An item that leaves a list while it is read shifts others onto pages already
// read. So absence from a list counts only if as many items were seen as it had.
func (l *Listing) Begin(now int64, total int) {
	l.endList()
	if l.began == 0 {
		l.began = now
	}
	l.list, l.total, l.older = now, total, 0
}

func (l *Listing) endList() { l.complete = l.complete && l.older == l.total }

// Record records an item of the current list, and reports what changed: whether the item
// is new, and whether it has reached another state. In the first listing nothing changes.
// A new item is recorded as open until [Listing.Reach] is called.
func (l *Listing) Record(item Item) (isNew, changed bool) {
	s := l.snapshot
	l.seen[item.ID] = true
	if item.Created < l.list-tolerance { // otherwise it may not have been in the list at that time
		l.older++
	}
	old, isKnown := s.known[item.ID]
	state := item.State
	if old.state == Accepted || old.state == Revoked || old.state == Expired && state == Open {
		state = old.state
	}
	s.known[item.ID] = record{state: state}
	switch {
	case s.since == 0:
		return false, false
	case isKnown:
		return false, state != old.state
	case item.Created < s.since-lag: // the first listing has skipped it
		return false, state != Open && item.Updated >= s.since
	}
	s.known[item.ID] = record{state: Open}
	return true, state != Open
}

// Reach records the state of a new item, after the item was reported as new.
func (l *Listing) Reach(item Item) { l.snapshot.known[item.ID] = record{state: item.State} }

// End ends the listing. It returns the items that are missing from both this and the last
// listing, if nothing can have been skipped in either. They stay in the snapshot until
// [Snapshot.Remove].
func (l *Listing) End() (gone []string) {
	l.endList()
	s := l.snapshot
	if s.since == 0 {
		s.since = l.began
	}
	if !l.complete {
		return nil
	}
	for id, r := range s.known {
		if l.seen[id] {
			continue
		}
		if r.missing {
			gone = append(gone, id)
		}
		r.missing = true
		s.known[id] = r
	}
	return gone
}
