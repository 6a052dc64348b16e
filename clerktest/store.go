package clerktest

import (
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// An invitation is an invitation that the fake holds, with the parameters of its request.
type invitation struct {
	clerk.Invitation // without its URL, which view adds
	email            Email
	ticket           string
	emailed          bool
	seq              int    // its place among all, oldest first
	folded           string // its address in the form in which it is searched
	deleted          bool

	past []pastState // states that lists show, oldest first
}

// A pastState is a state that lists show until a time. The state is nil if the invitation did
// not exist then.
type pastState struct {
	until time.Time
	state *clerk.Invitation
}

// A store holds invitations with indexes for lookups by id, address and ticket.
type store struct {
	all       []*invitation // oldest first
	byID      map[string]*invitation
	byTicket  map[string]*invitation
	byAddress map[string][]*invitation // by folded address, oldest first
	byTail    map[string][]*invitation // see tails
	hidden    []*invitation            // deleted, but still listed
	created   int                      // the number ever created
	most      int                      // the largest number since the indexes were built

	keepTickets bool // of removed invitations
}

func newStore() store {
	return store{
		byID: map[string]*invitation{}, byTicket: map[string]*invitation{},
		byAddress: map[string][]*invitation{}, byTail: map[string][]*invitation{},
	}
}

// add appends an invitation, which must be the newest.
func (s *store) add(inv *invitation) {
	s.created++
	inv.seq = s.created
	inv.folded = fold(inv.EmailAddress)
	s.all = append(s.all, inv)
	s.most = max(s.most, len(s.all))
	s.byID[inv.ID] = inv
	s.byTicket[inv.ticket] = inv
	s.byAddress[inv.folded] = append(s.byAddress[inv.folded], inv)
	for _, tail := range tails(inv.folded) {
		s.byTail[tail] = append(s.byTail[tail], inv)
	}
}

// remove removes an invitation from the store and its indexes.
func (s *store) remove(inv *invitation) {
	s.all = without(s.all, inv)
	delete(s.byID, inv.ID)
	if !s.keepTickets {
		delete(s.byTicket, inv.ticket)
	}
	removeFrom(s.byAddress, inv.folded, inv)
	for _, tail := range tails(inv.folded) {
		removeFrom(s.byTail, tail, inv)
	}
	if len(s.all) < s.most/4 && !s.keepTickets {
		s.rebuild(s.all)
	}
}

func removeFrom(index map[string][]*invitation, key string, inv *invitation) {
	index[key] = without(index[key], inv)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}

// without returns invitations, oldest first, without one of them.
func without(invs []*invitation, inv *invitation) []*invitation {
	at, ok := slices.BinarySearchFunc(invs, inv.seq, func(one *invitation, seq int) int { return one.seq - seq })
	if !ok {
		return invs
	}
	return slices.Delete(invs, at, at+1)
}

// rebuild builds the indexes again for invitations, oldest first, because maps and slices keep
// the memory of deleted entries.
func (s *store) rebuild(invs []*invitation) {
	created, hidden, keep := s.created, s.hidden, s.keepTickets
	*s = newStore()
	s.hidden, s.keepTickets = hidden, keep
	for _, inv := range invs {
		s.add(inv)
	}
	s.created = max(s.created, created)
}

// removeHidden removes deleted invitations that no list shows anymore.
func (s *store) removeHidden(now time.Time) {
	s.hidden = slices.DeleteFunc(s.hidden, func(inv *invitation) bool {
		over := inv.shownUntil(now).IsZero()
		if over {
			s.remove(inv)
		}
		return over
	})
}

// sort puts the invitations in the order of their creation.
func (s *store) sort() {
	sorted := slices.Clone(s.all)
	slices.SortStableFunc(sorted, func(a, b *invitation) int { return int(a.CreatedAt - b.CreatedAt) })
	s.rebuild(sorted)
}

// find returns the invitation with an id, or nil if there is none.
func (s *store) find(id string, now time.Time) *invitation {
	inv := s.byID[id]
	if inv == nil || inv.deleted {
		return nil
	}
	inv.refresh(now)
	return inv
}

// candidates returns the invitations that can match a query, oldest first.
func (s *store) candidates(query search) []*invitation {
	if query.text == "" || query.rules.Query == QueryIgnored || query.rules.Query == QueryWords {
		return s.all
	}
	if inv := s.byID[query.text]; inv != nil && !query.rules.QueryWithoutIDs {
		return []*invitation{inv}
	}
	folded := fold(query.text)
	if query.rules.Query == QueryWhole {
		return s.byAddress[folded]
	}
	if ends := tails(folded); ends != nil {
		return s.byTail[ends[0]]
	}
	return s.all
}

// maxTail is the number of bytes of a local part that byTail indexes.
const maxTail = 4

// tails returns the last 4, 3, 2 and 1 bytes before each "@" of an address. An
// address that contains a query with an "@" has the query's first tail, so that a
// query by address needs no scan over all invitations.
func tails(folded string) []string {
	var all []string
	for at := range len(folded) {
		if folded[at] != '@' {
			continue
		}
		for from := max(0, at-maxTail); from < at; from++ {
			if tail := folded[from:at]; !slices.Contains(all, tail) {
				all = append(all, tail)
			}
		}
	}
	return all
}

// refresh marks an invitation as expired if it has expired by now.
func (inv *invitation) refresh(now time.Time) {
	if inv.Status == clerk.InvitationStatusPending && inv.ExpiresAt != 0 && inv.ExpiresAt <= milli(now) {
		inv.Status = clerk.InvitationStatusExpired
	}
}

// hide makes lists show an invitation as it was until a time. It is called before a
// change.
func (inv *invitation) hide(was *clerk.Invitation, now, until time.Time) {
	if !until.After(now) {
		return
	}
	inv.past = slices.DeleteFunc(inv.past, func(p pastState) bool { return !now.Before(p.until) })
	inv.past = append(inv.past, pastState{until, was})
}

// shownUntil returns the time until which lists show a past state, or zero if they show none.
func (inv *invitation) shownUntil(now time.Time) time.Time {
	var last time.Time
	for _, p := range inv.past {
		if now.Before(p.until) && p.until.After(last) {
			last = p.until
		}
	}
	return last
}

// listed returns an invitation as a list shows it, or nil if a list does not show it.
func (inv *invitation) listed(now time.Time) *clerk.Invitation {
	for _, p := range inv.past {
		if now.Before(p.until) {
			return p.state
		}
	}
	if inv.deleted {
		return nil
	}
	inv.refresh(now)
	return &inv.Invitation
}

// milli returns a time in milliseconds, like Clerk's times.
func milli(t time.Time) clerk.UnixMilli { return clerk.UnixMilli(t.UnixMilli()) }
