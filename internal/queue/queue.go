// Package queue decides what to send next when items can be sent singly or in batches.
//
// A batch that is refused because of one of its items is bisected, unless the refusal
// names the item. After a failure that may be temporary, the items are sent again. If
// they fail again, they are parked: they are sent in smaller batches and finally alone,
// with growing waits, and alternate with the ready items so as not to hold those up.
package queue

import (
	"math"
	"slices"
	"time"
)

const (
	// maxHeld is the number of held values that make the queue full.
	maxHeld = 100
	// maxParked is the number of parked items that make the queue full.
	maxParked = 100
	// failuresTogether is the number of failures after which items are parked, in two halves,
	// as one of them may be the reason.
	failuresTogether = 2
	// failuresAlone is the number of failures alone, while others succeed, after which an item
	// is given up. Rate limits do not count.
	failuresAlone = 5
	// outagePatience is the time after which an item that fails alone is given up, if no
	// others have succeeded since it first failed. A success between two outages counts.
	outagePatience = 24 * time.Hour
	// outageFailures is the number of failures in a row that mean an outage. After its end,
	// parked items are sent in full batches again.
	outageFailures = 10
	// stuckFailures is a number of failures in a row. If it is reached by items that never
	// failed while others succeeded, most likely every request fails.
	stuckFailures = 5
)

// An Item is a value to be sent.
type Item[T any] struct {
	Value T
	// AmbiguousSince is set by the caller. It is the time of a request that may or may not
	// have carried out the item; zero if there is none. All items of a batch have the same
	// time, as they were sent in the same request.
	AmbiguousSince time.Time

	failures      int  // without requests that were not sent
	alone         int  // failures as the only item of a batch
	limited       int  // of these, by a rate limit
	batchNext     bool // it is sent as a batch next, as single requests are limited
	firstFailed   time.Time
	settledBefore int // Queue.settled when it first failed
	settledAtLast int // Queue.settled when it last failed
}

// IsAmbiguous reports whether a request may have carried out the item.
func (it *Item[T]) IsAmbiguous() bool { return !it.AmbiguousSince.IsZero() }

// A Batch holds the items of one request. The caller sends it, and then calls Succeeded,
// Refused or Failed.
type Batch[T any] struct {
	Items []*Item[T]
	// Single means to send the only item with a request for a single item.
	Single bool

	from origin
}

// An origin is the part of the queue that a batch is from.
type origin uint8

const (
	fromReady origin = iota
	fromBisecting
	fromParked
)

// A Reason says why a batch failed.
type Reason uint8

const (
	// OtherReason means that an item may be the reason.
	OtherReason Reason = iota
	// NotSent means that no item is the reason.
	NotSent
	// RateLimited means that no item is the reason. But an item is sent less often if others
	// succeed meanwhile. An item is never given up because of rate limits, however many there
	// are.
	RateLimited
)

// A Queue holds the items without a result. At most one batch is taken from it at a time.
// It is not safe for concurrent use.
type Queue[T any] struct {
	max        int        // items in a batch
	ready      []*Item[T] // to be sent in order
	bisecting  []*Item[T] // to be sent first: one of them is the reason for a refusal
	parked     []group[T] // to be sent alternately with ready
	singly     []*Item[T] // also ready; see SendSingly
	held       []T        // see Hold
	settled    int        // items in batches that succeeded or were refused
	streak     int        // failures in a row
	parkedNext bool       // parked goes before ready, if a group is due

	isSingle func(T) bool // of SendSingly; nil for none
}

// A group holds items that are parked together. It is sent no earlier than after.
type group[T any] struct {
	items []*Item[T]
	after time.Time
}

// New returns a Queue whose batches have at most maxBatch items.
func New[T any](maxBatch int) *Queue[T] { return &Queue[T]{max: maxBatch} }

// Add adds an item with a value.
func (q *Queue[T]) Add(value T) { q.makeReady([]*Item[T]{{Value: value}}, false) }

// SendSingly makes the queue send values for which isSingle is true with requests for a
// single item, from now on. Parked items are not affected.
func (q *Queue[T]) SendSingly(isSingle func(T) bool) {
	q.endBisecting()
	ready := q.ready
	q.ready, q.isSingle = nil, isSingle
	q.makeReady(ready, false)
}

// makeReady adds items to the ready ones, at the front or at the back.
func (q *Queue[T]) makeReady(items []*Item[T], first bool) {
	var ready, singly []*Item[T]
	for _, it := range items {
		if q.isSentSingly(it) && !it.IsAmbiguous() {
			singly = append(singly, it)
		} else {
			ready = append(ready, it)
		}
	}
	if first {
		q.ready, q.singly = slices.Concat(ready, q.ready), slices.Concat(singly, q.singly)
	} else {
		q.ready, q.singly = append(q.ready, ready...), append(q.singly, singly...)
	}
}

func (q *Queue[T]) isSentSingly(it *Item[T]) bool { return q.isSingle != nil && q.isSingle(it.Value) }

// Hold keeps a value that must wait for the results of others. Release returns it.
func (q *Queue[T]) Hold(value T) { q.held = append(q.held, value) }

// Release returns the held values and no longer holds them.
func (q *Queue[T]) Release() []T {
	held := q.held
	q.held = nil
	return held
}

// IsEmpty reports whether the queue has no items. Held values do not count.
func (q *Queue[T]) IsEmpty() bool {
	return len(q.ready)+len(q.singly)+len(q.bisecting)+len(q.parked) == 0
}

// HasBatch reports whether the caller should send a batch, or wait to send one, before it adds
// more items.
func (q *Queue[T]) HasBatch(now time.Time) bool {
	parked := 0
	for _, group := range q.parked {
		parked += len(group.items)
	}
	isLong := len(q.ready) >= q.max || len(q.singly) >= maxHeld || len(q.held) >= maxHeld || parked >= maxParked
	return isLong || len(q.bisecting) > 0 || q.nextParked(now) >= 0
}

// nextParked returns the index of the parked group to send next, or -1 if none is due or it is
// the turn of the ready items.
func (q *Queue[T]) nextParked(now time.Time) int {
	if len(q.ready) > 0 && !q.parkedNext {
		return -1
	}
	return slices.IndexFunc(q.parked, func(g group[T]) bool { return !g.after.After(now) })
}

// Wait returns how long to wait before the next batch, and before the next item that must be
// sent singly. It returns the longest Duration if there is none.
func (q *Queue[T]) Wait(now time.Time) (untilBatch, untilSingle time.Duration) {
	untilBatch, untilSingle = math.MaxInt64, math.MaxInt64
	if len(q.singly) > 0 {
		untilSingle = 0
	}
	if len(q.ready)+len(q.bisecting) > 0 {
		return 0, untilSingle
	}
	for _, group := range q.parked {
		untilBatch = min(untilBatch, max(0, group.after.Sub(now)))
	}
	return untilBatch, untilSingle
}

// Next takes the next batch from the queue, which must not be empty. singles and batches are
// the numbers of requests for a single item and for a batch that may be made now. It prefers
// batches, as they carry more, except for the rest of an ambiguous batch. If items are under
// bisection, it takes one of them if there are at least as many singles as batches, and
// otherwise half of them.
func (q *Queue[T]) Next(now time.Time, singles, batches int) Batch[T] {
	b, items := Batch[T]{}, &q.ready
	parked := q.nextParked(now)
	switch {
	case len(q.bisecting) > 0:
		b.from, items = fromBisecting, &q.bisecting
	case parked >= 0:
		b.from, items = fromParked, &q.parked[parked].items
	case len(q.singly) > 0 && singles > 0:
		items, batches = &q.singly, 0
	}
	var n int
	if b.from == fromBisecting {
		n = (len(*items) + 1) / 2
		b.Single = batches == 0 || singles > 0 && (n == 1 || singles >= batches)
	} else {
		n = q.together(*items)
		// The rest of an earlier batch, which cannot be filled up, wastes no batch.
		isRest := b.from == fromReady && (*items)[0].IsAmbiguous() && n < min(q.max, len(*items)) && singles >= n
		isAlone := n == 1 && (!(*items)[0].batchNext || q.isSentSingly((*items)[0]))
		b.Single = batches == 0 || singles > 0 && (isAlone || isRest)
		q.parkedNext = b.from == fromReady
	}
	if b.Single {
		n = 1
	}
	b.Items, *items = (*items)[:n:n], (*items)[n:]
	if b.from == fromParked && len(*items) == 0 {
		q.parked = slices.Delete(q.parked, parked, parked+1)
	}
	return b
}

// together returns how many of the first items fit into one batch: all new, or all
// ambiguous since the same request.
func (q *Queue[T]) together(items []*Item[T]) int {
	n := 0
	for n < len(items) && n < q.max && items[n].AmbiguousSince.Equal(items[0].AmbiguousSince) {
		n++
	}
	return n
}

// Succeeded records that all items of a batch were carried out.
func (q *Queue[T]) Succeeded(b Batch[T]) { q.settle(b) }

// settle records that the server answered a batch.
func (q *Queue[T]) settle(b Batch[T]) {
	if q.streak >= outageFailures { // the outage is over; most items were parked because of it
		q.unpark()
	}
	q.streak = 0
	q.settled += len(b.Items)
}

// unpark makes those parked items ready that have failed only since the last answer.
func (q *Queue[T]) unpark() {
	var back []*Item[T]
	q.parked = slices.DeleteFunc(q.parked, func(g group[T]) bool {
		if g.items[0].settledBefore < q.settled {
			return false
		}
		for _, it := range g.items {
			it.failures, it.alone, it.limited = 0, 0, 0
		}
		back = append(back, g.items...)
		return true
	})
	q.makeReady(back, true)
}

// Refused records that a batch was refused because of its items. rest are the items
// without a result, which are sent again, unless the batch has no other. If no item was
// blamed, one of rest is the reason, and they are bisected.
func (q *Queue[T]) Refused(b Batch[T], rest []*Item[T], blamed bool) {
	q.settle(b)
	switch {
	case len(b.Items) == 1: // the item is the reason
		q.endBisecting()
	case blamed || len(rest) == 0:
		q.putBack(b, rest, true)
	default:
		q.endBisecting()
		q.bisecting = rest
	}
}

// endBisecting makes the items under bisection ready, before all others.
func (q *Queue[T]) endBisecting() {
	bisecting := q.bisecting
	q.bisecting = nil
	q.makeReady(bisecting, true)
}

// putBack returns items to the part of the queue that their batch came from. Ready items go to
// the front or, if first is false, to the back. Ambiguous items leave the bisection, as they
// must stay in one batch.
func (q *Queue[T]) putBack(b Batch[T], items []*Item[T], first bool) {
	switch {
	case b.from == fromBisecting && !slices.ContainsFunc(items, (*Item[T]).IsAmbiguous):
		q.bisecting = slices.Concat(items, q.bisecting)
	case b.from == fromParked:
		q.park(items, time.Time{})
	default:
		q.endBisecting()
		q.makeReady(items, first)
	}
}

func (q *Queue[T]) park(items []*Item[T], after time.Time) {
	if len(items) > 0 {
		q.parked = append(q.parked, group[T]{items, after})
	}
}

// Failed records that a batch failed for a reason that may be temporary. rest are the
// items without a result. They are sent again, except the one that it returns as given up.
func (q *Queue[T]) Failed(b Batch[T], rest []*Item[T], why Reason, now time.Time) (givenUp *Item[T]) {
	q.streak++
	if why != NotSent {
		for _, it := range rest {
			it.fail(q.settled, why == RateLimited && q.streak < outageFailures, now)
		}
	}
	// Under bisection, the only item of a batch does not count as alone: other suspects wait
	// in the queue.
	isAlone := len(b.Items) == 1 && len(q.bisecting) == 0 || len(rest) == 1 && b.from == fromParked
	switch {
	case len(rest) == 0:
		q.endBisecting()
	case why == NotSent:
		q.putBack(b, rest, true)
	case isAlone:
		return q.failedAlone(b, rest[0], why, now)
	case rest[0].failures < failuresTogether:
		q.putBack(b, rest, why != RateLimited)
	default:
		q.endBisecting()
		half := (len(rest) + 1) / 2
		q.park(rest[:half], now)
		q.park(rest[half:], now)
	}
	return nil
}

// fail counts a failure. A rate limit counts only in an outage, or if other items were
// answered since the last failure.
func (it *Item[T]) fail(settled int, rateLimited bool, now time.Time) {
	if it.firstFailed.IsZero() {
		it.firstFailed, it.settledBefore = now, settled
	}
	if !rateLimited || it.settledAtLast < settled {
		it.failures++
	}
	it.settledAtLast = settled
}

// failedAlone records that an item failed as the only one of its batch. The item is sent
// again, parked or given up.
func (q *Queue[T]) failedAlone(b Batch[T], it *Item[T], why Reason, now time.Time) (givenUp *Item[T]) {
	it.alone++
	it.batchNext = b.Single && why == RateLimited
	if why == RateLimited {
		it.limited++
	}
	othersSucceed := q.settled > it.settledBefore
	switch {
	case why != RateLimited && it.alone-it.limited >= failuresAlone && (othersSucceed || now.Sub(it.firstFailed) >= outagePatience):
		return it
	case it.failures < failuresTogether:
		q.makeReady([]*Item[T]{it}, false)
	default:
		q.park([]*Item[T]{it}, now.Add(min(time.Minute<<min(it.alone, 4), 15*time.Minute)))
	}
	return nil
}

// Streak returns how many batches have failed in a row.
func (q *Queue[T]) Streak() int { return q.streak }

// IsStuck reports whether most likely all items fail, not only the failed ones: several
// batches failed in a row, and none was answered since the items first failed.
func (q *Queue[T]) IsStuck(failed []*Item[T]) bool {
	return q.streak >= stuckFailures && len(failed) > 0 && failed[0].settledBefore == q.settled
}

// HasAmbiguous reports whether the queue has an ambiguous item.
func (q *Queue[T]) HasAmbiguous() bool {
	hasAmbiguous := func(items []*Item[T]) bool { return slices.ContainsFunc(items, (*Item[T]).IsAmbiguous) }
	return hasAmbiguous(q.ready) || hasAmbiguous(q.bisecting) ||
		slices.ContainsFunc(q.parked, func(g group[T]) bool { return hasAmbiguous(g.items) })
}
