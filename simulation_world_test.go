package clerk_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// simGrace is the longest time after a failed request that its work may be missing from
// lists, and simGraceAfterTimeout is the same after one that timed out.
const (
	simGrace             = 5 * time.Second
	simGraceAfterTimeout = 10 * time.Second
)

// A simWorld is a model of Clerk in virtual time: what exists, and what lists show of it. It
// is independent of clerktest. While calls are under way, mu guards it.
type simWorld struct {
	simNature

	mu      sync.Mutex
	random  *rand.Rand
	began   time.Time
	records []*simRecord
	users   map[string]bool // addresses that belong to users
	poison  string          // an address whose requests all fail
	later   []simEvent      // in order of time
	jumped  time.Duration   // how far Clerk's clock has jumped ahead
	limits  map[clerk.Operation]*simLimit
	trace   *strings.Builder // nil for none
}

// A simNature holds the properties in which worlds differ. The zero value is a Clerk without
// peculiarities.
type simNature struct {
	clock   time.Duration // Clerk's Date ahead of our clock
	ahead   time.Duration // created_at ahead of Date
	lag     time.Duration // the longest time that lists miss what was done, less than simGrace
	latency time.Duration // the longest time that a request takes
	noIDs   bool          // query matches addresses only
	parts   float64       // share of bulks that are refused when a part is created
	glitch  float64       // share of lists' later pages that are empty
	shifts  float64       // share of lists' pages after which somebody revokes an old invitation
	suspend float64       // share of writes after which Clerk's clock is 8 hours later, as if the machine had been suspended
}

// A simRecord is an invitation.
type simRecord struct {
	id, address, metadata string
	creator, revoker      *simActor // nil for somebody else
	deleter               *simActor
	made, unmade          time.Time // by our clock; unmade is when it ceased to be pending
	created, updated      int64     // by Clerk's, in milliseconds

	isOld                                            bool // created before the life, for an address that no call uses
	accepted, revoked, deleted                       bool
	shown, shownRevoked, shownDeleted, shownAccepted time.Time // from then on, lists show it
}

// A simActor is one call of the library, or one run of CreateAll.
type simActor struct {
	requests int
	faults   int                             // that its requests met
	sent     []simSent                       // its writes that create
	counted  map[clerk.Operation][]time.Time // its writes that Clerk may have counted
}

// A simSent is a request that may have created something.
type simSent struct {
	request      *simIncoming
	sent, failed time.Time // failed is zero after a success
}

// A simEvent is work that is done later, or by somebody else.
type simEvent struct {
	at time.Time
	do func(at time.Time)
}

func newSimWorld(random *rand.Rand, nature simNature) *simWorld {
	return &simWorld{simNature: nature, random: random, began: time.Now(), users: map[string]bool{}, limits: map[clerk.Operation]*simLimit{}}
}

// schedule calls do at a time, before anything that happens later.
func (w *simWorld) schedule(at time.Time, do func(at time.Time)) {
	i, _ := slices.BinarySearchFunc(w.later, at, func(e simEvent, at time.Time) int { return cmp.Or(e.at.Compare(at), -1) })
	w.later = slices.Insert(w.later, i, simEvent{at, do})
}

// advance does what is due.
func (w *simWorld) advance(now time.Time) {
	for len(w.later) > 0 && !w.later[0].at.After(now) {
		next := w.later[0]
		w.later = w.later[1:]
		next.do(next.at)
	}
}

// finish does all that is left.
func (w *simWorld) finish() {
	for len(w.later) > 0 {
		w.advance(w.later[0].at)
	}
}

// upTo returns a random duration that is less than limit, and positive.
func (w *simWorld) upTo(limit time.Duration) time.Duration {
	if limit <= 1 {
		return 1
	}
	return 1 + time.Duration(w.random.Int64N(int64(limit)-1))
}

// float returns a random number for clients.
func (w *simWorld) float() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Float64()
}

func (w *simWorld) chance(share float64) bool { return share > 0 && w.random.Float64() < share }

// date returns what Clerk's Date header says at a time of our clock.
func (w *simWorld) date(at time.Time) time.Time { return at.Add(w.clock + w.jumped) }

// stamp returns the time that Clerk's objects have, in milliseconds.
func (w *simWorld) stamp(at time.Time) int64 { return w.date(at).Add(w.ahead).UnixMilli() }

// visible returns the time from which lists show what is done at a time.
func (w *simWorld) visible(at time.Time) time.Time { return at.Add(w.upTo(w.lag)) }

// pending returns the pending invitation of an address.
func (w *simWorld) pending(address string) *simRecord {
	for _, r := range w.records {
		if r.address == address && r.isPending() {
			return r
		}
	}
	return nil
}

func (r *simRecord) isPending() bool { return !r.accepted && !r.revoked && !r.deleted }

// byID returns the invitation that has or had an id; nil if there is none.
func (w *simWorld) byID(id string) *simRecord {
	for _, r := range w.records {
		if r.id == id {
			return r
		}
	}
	return nil
}

// create creates an invitation.
func (w *simWorld) create(at time.Time, by *simActor, address, metadata string) *simRecord {
	r := &simRecord{
		id: fmt.Sprintf("inv_%06d", len(w.records)), address: address, metadata: cmp.Or(metadata, "{}"),
		creator: by, made: at, created: w.stamp(at), updated: w.stamp(at), shown: w.visible(at),
	}
	w.records = append(w.records, r)
	w.note(at, "%s is created", r.id)
	return r
}

func (w *simWorld) revoke(at time.Time, by *simActor, r *simRecord) {
	r.revoked, r.revoker, r.unmade, r.updated, r.shownRevoked = true, by, at, w.stamp(at), w.visible(at)
	w.note(at, "%s is revoked", r.id)
}

func (w *simWorld) accept(at time.Time, r *simRecord) {
	w.users[r.address] = true
	r.accepted, r.unmade, r.updated, r.shownAccepted = true, at, w.stamp(at), w.visible(at)
	w.note(at, "%s is accepted", r.id)
}

// shift revokes the oldest of the old invitations that are pending.
func (w *simWorld) shift(at time.Time) {
	for _, r := range w.records {
		if r.isOld && r.isPending() {
			w.revoke(at, nil, r)
			return
		}
	}
}

func (w *simWorld) delete(at time.Time, by *simActor, r *simRecord) {
	r.deleted, r.deleter, r.unmade, r.shownDeleted = true, by, at, w.visible(at)
	w.note(at, "%s is deleted", r.id)
}

// status returns the status of an invitation in a list; empty if the list does not show it.
func (r *simRecord) status(now time.Time) clerk.InvitationStatus {
	switch {
	case now.Before(r.shown), r.deleted && !now.Before(r.shownDeleted):
		return ""
	case r.revoked && !now.Before(r.shownRevoked):
		return clerk.InvitationStatusRevoked
	case r.accepted && !now.Before(r.shownAccepted):
		return clerk.InvitationStatusAccepted
	}
	return clerk.InvitationStatusPending
}

// list returns what a list shows, oldest first.
func (w *simWorld) list(now time.Time, query string, status clerk.InvitationStatus) []*simRecord {
	var found []*simRecord
	for _, r := range w.records {
		is := r.status(now)
		switch {
		case is == "", status == "" && is == clerk.InvitationStatusRevoked, status != "" && status != is:
		case query == "", strings.Contains(r.address, query), !w.noIDs && strings.Contains(r.id, query):
			found = append(found, r)
		}
	}
	return found
}

// A simLimit is one of Clerk's hourly limits.
type simLimit struct {
	most     int
	sliding  bool
	failures bool // requests that fail count
	times    []time.Time
}

// wait returns how long a request has to wait, or 0 if it is permitted.
func (l *simLimit) wait(now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	since := now.Add(-time.Hour)
	if !l.sliding {
		since = now.Truncate(time.Hour).Add(-1)
	}
	l.times = slices.DeleteFunc(l.times, func(at time.Time) bool { return !at.After(since) })
	switch {
	case len(l.times) < l.most:
		return 0
	case l.sliding:
		return l.times[0].Sub(since)
	}
	return now.Truncate(time.Hour).Add(time.Hour).Sub(now)
}

func (l *simLimit) count(now time.Time, failed bool) {
	if l != nil && (!failed || l.failures) {
		l.times = append(l.times, now)
	}
}

// note adds a line to the trace.
func (w *simWorld) note(at time.Time, format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%12.6f  ", at.Sub(w.began).Seconds())
		fmt.Fprintf(w.trace, format+"\n", args...)
	}
}
