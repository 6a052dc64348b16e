package clerk

import (
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
)

const (
	// maxRepeats is how many requests with an address that is in the queue it holds.
	maxRepeats = 100
	// maxParked is how many parked items there are before no more requests are read.
	maxParked = 100
	// failuresTogether is how often items fail together before they are bisected: one of
	// them may be the reason.
	failuresTogether = 2
	// failuresAlone is how often an item fails alone, with longer and longer waits, while
	// others succeed, before it gets an outcome of its own.
	failuresAlone = 5
	// longPatience is when an item that fails alone gets an outcome of its own although
	// nothing else succeeds.
	longPatience = 24 * time.Hour
	// outageFailures is how many failures in a row are taken for an outage, after whose
	// end parked items are sent in full batches again.
	outageFailures = 10
)

// An item is a request that has no result yet.
type item struct {
	index   int
	request CreateInvitationRequest
	body    []byte // its JSON
	key     addresses.Key

	firstSent     time.Time // in a request that was refused or failed; zero before
	ambiguity     ambiguity // of its last write, if its outcome is unknown
	failures      int       // without an explanation
	alone         int       // of these, as the only item of a batch
	firstFailed   time.Time
	settledBefore int // items that were settled when it first failed
	settledAtLast int // and when it last failed
}

// A batch is the items of one request to Clerk.
type batch struct {
	items  []item
	others []item // the items under bisection that are not in it
	from   origin
}

// An origin is the part of the queue that a batch is from.
type origin uint8

const (
	fromReady origin = iota
	fromBisecting
	fromParked
)

// A parkedGroup is items that failed together, to be sent after a time.
type parkedGroup struct {
	items []item
	after time.Time
}

// A queue decides what to send next. It does no I/O.
type queue struct {
	ready     []item        // to be sent in order
	bisecting []item        // to be sent first: one of them is the reason for a refusal
	parked    []parkedGroup // to be sent in turn with ready
	repeats   []item        // whose address is in the queue
	settled   int           // items in batches that Clerk has answered
	streak    int           // unexplained failures in a row
	turn      bool          // of the parked groups
}

// isEmpty reports whether there is nothing to send, now or later.
func (q *queue) isEmpty() bool { return len(q.ready)+len(q.bisecting)+len(q.parked) == 0 }

// isFull reports whether no more requests should be read.
func (q *queue) isFull() bool {
	return len(q.bisecting) > 0 || len(q.ready) >= MaxBulkInvitations || len(q.repeats) >= maxRepeats || q.countParked() >= maxParked
}

func (q *queue) countParked() (n int) {
	for _, group := range q.parked {
		n += len(group.items)
	}
	return n
}

// wait returns how long it is until something is due.
func (q *queue) wait(now time.Time) time.Duration {
	if len(q.ready)+len(q.bisecting) > 0 {
		return 0
	}
	wait := time.Duration(limiter.Never)
	for _, group := range q.parked {
		wait = min(wait, max(0, group.after.Sub(now)))
	}
	return wait
}

// due returns the index of the first parked group that is due; -1 if there is none.
func (q *queue) due(now time.Time) int {
	return slices.IndexFunc(q.parked, func(group parkedGroup) bool { return !group.after.After(now) })
}

// isDue reports whether a parked group is due.
func (q *queue) isDue(now time.Time) bool { return q.due(now) >= 0 }

// all returns every item that has been sent, or is to be.
func (q *queue) all() []item {
	all := slices.Concat(q.bisecting, q.ready)
	for _, group := range q.parked {
		all = append(all, group.items...)
	}
	return all
}

// next takes the items of the next request, which is a single create or a bulk, from the
// queue. It says which, given how many of each are left. Bulks come first, as they carry
// more. Of items under bisection it takes one, or half of them, by whichever has more left.
func (q *queue) next(now time.Time, creates, bulks int) (b batch, single bool) {
	due := q.due(now)
	var n int
	switch {
	case len(q.bisecting) > 0:
		b = batch{items: q.bisecting, from: fromBisecting}
		n = (len(b.items) + 1) / 2
		single = bulks == 0 || creates > 0 && (n == 1 || creates >= bulks)
	case due >= 0 && (q.turn || len(q.ready) == 0):
		b = batch{items: q.parked[due].items, from: fromParked}
		n = sameAmbiguity(b.items)
		single = bulks == 0 || creates > 0 && n == 1
	default:
		b = batch{items: q.ready}
		n = sameAmbiguity(q.ready)
		single = bulks == 0 || creates > 0 && n == 1
	}
	if single {
		n = 1
	}
	rest := slices.Clone(b.items[n:])
	b.items = slices.Clone(b.items[:n])
	switch b.from {
	case fromBisecting:
		q.bisecting, b.others = nil, rest
	case fromParked:
		q.turn = false
		if q.parked = slices.Delete(q.parked, due, due+1); len(rest) > 0 {
			q.park(rest, now)
		}
	case fromReady:
		q.turn, q.ready = true, rest
	}
	return b, single
}

// sameAmbiguity returns how many items at the front fit into one bulk: all of them new, or
// all ambiguous since the same request.
func sameAmbiguity(items []item) int {
	n := 0
	for n < len(items) && n < MaxBulkInvitations && items[n].ambiguity.firstSent.Equal(items[0].ambiguity.firstSent) {
		n++
	}
	return n
}

func (q *queue) park(items []item, after time.Time) {
	q.parked = append(q.parked, parkedGroup{items, after})
}

// succeeded records that a batch was created.
func (q *queue) succeeded(b batch) {
	if q.streak >= outageFailures { // it is over, and most parked items did nothing wrong
		q.unpark()
	}
	q.streak = 0
	q.settled += len(b.items)
	q.bisecting = b.others
}

// unpark makes the items ready that have failed only since the last success.
func (q *queue) unpark() {
	var stay []parkedGroup
	var back []item
	for _, group := range q.parked {
		if group.items[0].settledBefore < q.settled {
			stay = append(stay, group)
			continue
		}
		for _, it := range group.items {
			it.failures, it.alone = 0, 0
			back = append(back, it)
		}
	}
	q.parked, q.ready = stay, slices.Concat(back, q.ready)
}

// refused records that a batch was refused for a reason in its requests. rest are the
// items without a result, which are sent again. If no item was blamed, one of rest is the
// reason, and they are bisected.
func (q *queue) refused(b batch, rest []item, blamed bool) {
	q.streak = 0
	q.settled += len(b.items)
	if len(b.items) == 1 {
		q.ready = slices.Concat(rest, b.others, q.ready)
		return
	}
	if blamed || len(rest) == 0 {
		rest = slices.Concat(rest, b.others)
		if b.from == fromBisecting {
			q.bisecting = rest
		} else {
			q.ready = slices.Concat(rest, q.ready)
		}
		return
	}
	q.ready = slices.Concat(b.others, q.ready)
	q.bisecting = rest
}

// failed records that a batch failed for a reason that may pass, and has the items sent
// again that were not created. It returns those that get an outcome of their own.
func (q *queue) failed(b batch, rest []item, failure error, now time.Time) (ended []item) {
	if q.streak++; len(rest) == 0 {
		q.ready = slices.Concat(b.others, q.ready)
		return nil
	}
	class := classOf(failure)
	if class == classNotSent {
		q.putBack(b, rest, true)
		return nil
	}
	for i := range rest {
		rest[i].fail(q.settled, class == classRateLimited && q.streak < outageFailures, now)
	}
	if len(b.items) == 1 && len(b.others) == 0 || len(rest) == 1 && b.from == fromParked {
		return q.failedAlone(rest[0], now)
	}
	if rest[0].failures < failuresTogether {
		q.putBack(b, rest, class != classRateLimited)
		return nil
	}
	q.ready = slices.Concat(b.others, q.ready)
	half := (len(rest) + 1) / 2
	for _, items := range [][]item{rest[:half], rest[half:]} {
		if len(items) > 0 {
			q.park(items, now)
		}
	}
	return nil
}

// fail counts a failure. One for the rate limit counts only if others got through since
// the last one.
func (it *item) fail(settled int, rateLimited bool, now time.Time) {
	if it.firstFailed.IsZero() {
		it.firstFailed, it.settledBefore = now, settled
	}
	if !rateLimited || it.settledAtLast < settled {
		it.failures++
	}
	it.settledAtLast = settled
}

// failedAlone records that an item failed as the only one of its batch.
func (q *queue) failedAlone(it item, now time.Time) (ended []item) {
	it.alone++
	othersSucceed := q.settled > it.settledBefore
	switch {
	case it.alone >= failuresAlone && (othersSucceed || now.Sub(it.firstFailed) >= longPatience):
		return []item{it}
	case it.failures < failuresTogether:
		q.ready = append(q.ready, it)
	default:
		q.park([]item{it}, now.Add(min(time.Minute<<min(it.alone, 4), 15*time.Minute)))
	}
	return nil
}

// putBack has items sent again where they came from: first or, among the ready ones,
// last.
func (q *queue) putBack(b batch, items []item, first bool) {
	ambiguous := items[0].ambiguity.failure != nil
	switch {
	case b.from == fromBisecting && !ambiguous:
		q.bisecting = slices.Concat(items, b.others)
	case b.from == fromParked:
		q.park(items, time.Time{})
	case first:
		q.ready = slices.Concat(items, b.others, q.ready)
	default:
		q.ready = slices.Concat(b.others, q.ready, items)
	}
}
