// Package queue decides what to send next, of items that can be sent singly or in batches.
// When a batch is refused for one of its items, and nobody says which, it is bisected.
// When it fails for a reason that may pass, its items are sent again. If that fails, too,
// they are parked and sent in smaller batches and in the end alone, with longer and longer
// waits, in turn with the others, which they do not hold up.
package queue

import (
	"math"
	"slices"
	"time"
)

const (
	// maxHeld is how many values are held back before no more are to be added.
	maxHeld = 100
	// maxParked is how many parked items there are before no more are to be added.
	maxParked = 100
	// failuresTogether is how often items fail together before they are bisected: one of
	// them may be the reason.
	failuresTogether = 2
	// failuresAlone is how often an item fails alone, with longer and longer waits, while
	// others succeed, before it is given up.
	failuresAlone = 5
	// longPatience is when an item that fails alone is given up although nothing else
	// succeeds.
	longPatience = 24 * time.Hour
	// outageFailures is how many failures in a row are taken for an outage, after whose
	// end parked items are sent in full batches again.
	outageFailures = 10
	// stuckFailures is how many failures in a row, of items that never failed while others
	// succeeded, mean that most likely every request fails.
	stuckFailures = 5
)

// An Item is a value to be sent.
type Item[T any] struct {
	Value T
	// AmbiguousSince is set by the caller: when the request was sent that may have carried
	// out the item, or not; zero if there is none. Only items with the same time are sent
	// in one batch, as they were part of the same request.
	AmbiguousSince time.Time

	failures      int // those not sent do not count
	alone         int // as the only item of a batch
	firstFailed   time.Time
	settledBefore int // items that were settled when it first failed
	settledAtLast int // and when it last failed
}

// IsAmbiguous reports whether a request may have carried out the item.
func (it *Item[T]) IsAmbiguous() bool { return !it.AmbiguousSince.IsZero() }

// A Batch is the items of one request. The caller sends it and then calls Succeeded,
// Refused or Failed.
type Batch[T any] struct {
	Items []*Item[T]
	// Single says to send the only item by a request for a single one.
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

// A Reason is why a batch failed, as far as the queue tells reasons apart.
type Reason uint8

const (
	// OtherReason may be about an item.
	OtherReason Reason = iota
	// NotSent is not about the items.
	NotSent
	// RateLimited is about an item only if others get through.
	RateLimited
)

// A Queue has the items that are not carried out yet. One batch is sent at a time.
type Queue[T any] struct {
	max       int        // items in a batch
	ready     []*Item[T] // to be sent in order
	bisecting []*Item[T] // to be sent first: one of them is the reason for a refusal
	parked    []group[T] // to be sent in turn with ready
	held      []T        // until the next result
	settled   int        // items in batches that got an answer
	streak    int        // failures in a row
	turn      bool       // of the parked groups
}

// A group is items that failed together, to be sent after a time.
type group[T any] struct {
	items []*Item[T]
	after time.Time
}

// New returns a queue for batches of at most that many items.
func New[T any](maxBatch int) *Queue[T] { return &Queue[T]{max: maxBatch} }

// Add adds an item.
func (q *Queue[T]) Add(value T) { q.ready = append(q.ready, &Item[T]{Value: value}) }

// Hold keeps a value that is not to be sent before others have a result, until Release.
func (q *Queue[T]) Hold(value T) { q.held = append(q.held, value) }

// Release returns the values that are held.
func (q *Queue[T]) Release() []T {
	held := q.held
	q.held = nil
	return held
}

// IsEmpty reports whether there is nothing to send, now or later.
func (q *Queue[T]) IsEmpty() bool { return len(q.ready)+len(q.bisecting)+len(q.parked) == 0 }

// IsFull reports whether there is enough to send before more items are added.
func (q *Queue[T]) IsFull(now time.Time) bool {
	parked := 0
	for _, group := range q.parked {
		parked += len(group.items)
	}
	isMuch := len(q.ready) >= q.max || len(q.held) >= maxHeld || parked >= maxParked
	return isMuch || len(q.bisecting) > 0 || q.nextParked(now) >= 0
}

// nextParked returns the index of the parked group that is to be sent next; -1 if it is
// not the turn of one.
func (q *Queue[T]) nextParked(now time.Time) int {
	if len(q.ready) > 0 && !q.turn {
		return -1
	}
	return slices.IndexFunc(q.parked, func(g group[T]) bool { return !g.after.After(now) })
}

// Wait returns how long it is until something is to be sent; the longest duration if the
// queue is empty.
func (q *Queue[T]) Wait(now time.Time) time.Duration {
	if len(q.ready)+len(q.bisecting) > 0 {
		return 0
	}
	wait := time.Duration(math.MaxInt64)
	for _, group := range q.parked {
		wait = min(wait, max(0, group.after.Sub(now)))
	}
	return wait
}

// Next takes the next batch from the queue, given how many requests for a single item and
// for a batch may be made. Batches come first, as they carry more. Of items under
// bisection it takes one, or half of them, by whichever has more left.
func (q *Queue[T]) Next(now time.Time, singles, batches int) Batch[T] {
	b, items := Batch[T]{}, &q.ready
	parked := q.nextParked(now)
	switch {
	case len(q.bisecting) > 0:
		b.from, items = fromBisecting, &q.bisecting
	case parked >= 0:
		b.from, items = fromParked, &q.parked[parked].items
	}
	var n int
	if b.from == fromBisecting {
		n = (len(*items) + 1) / 2
		b.Single = batches == 0 || singles > 0 && (n == 1 || singles >= batches)
	} else {
		n = q.together(*items)
		b.Single = batches == 0 || singles > 0 && n == 1
		q.turn = b.from == fromReady
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

// together returns how many items at the front fit into one batch: all of them new, or all
// ambiguous since the same request.
func (q *Queue[T]) together(items []*Item[T]) int {
	n := 0
	for n < len(items) && n < q.max && items[n].AmbiguousSince.Equal(items[0].AmbiguousSince) {
		n++
	}
	return n
}

// Succeeded records that a batch was carried out.
func (q *Queue[T]) Succeeded(b Batch[T]) {
	if q.streak >= outageFailures { // it is over, and most parked items did nothing wrong
		q.unpark()
	}
	q.settle(b)
}

func (q *Queue[T]) settle(b Batch[T]) {
	q.streak = 0
	q.settled += len(b.Items)
}

// unpark makes the items ready that have failed only since the last success.
func (q *Queue[T]) unpark() {
	var back []*Item[T]
	q.parked = slices.DeleteFunc(q.parked, func(g group[T]) bool {
		if g.items[0].settledBefore < q.settled {
			return false
		}
		for _, it := range g.items {
			it.failures, it.alone = 0, 0
		}
		back = append(back, g.items...)
		return true
	})
	q.ready = slices.Concat(back, q.ready)
}

// Refused records that a batch was refused for a reason in its items. The only item of a
// batch is the reason. Otherwise, rest are the items without a result, which are sent
// again. If no item was blamed, one of rest is the reason, and they are bisected.
func (q *Queue[T]) Refused(b Batch[T], rest []*Item[T], blamed bool) {
	q.settle(b)
	switch {
	case len(b.Items) == 1: // it was the reason
		q.endBisecting()
	case blamed || len(rest) == 0:
		q.putBack(b, rest, true)
	default:
		q.endBisecting()
		q.bisecting = rest
	}
}

// endBisecting has the items under bisection sent like others.
func (q *Queue[T]) endBisecting() {
	q.ready, q.bisecting = slices.Concat(q.bisecting, q.ready), nil
}

// putBack has items sent again where they came from: first or, among the ready ones,
// last. If they are ambiguous, they stay together.
func (q *Queue[T]) putBack(b Batch[T], items []*Item[T], first bool) {
	switch {
	case b.from == fromBisecting && !slices.ContainsFunc(items, (*Item[T]).IsAmbiguous):
		q.bisecting = slices.Concat(items, q.bisecting)
	case b.from == fromParked:
		q.park(items, time.Time{})
	default:
		q.endBisecting()
		if first {
			q.ready = slices.Concat(items, q.ready)
		} else {
			q.ready = slices.Concat(q.ready, items)
		}
	}
}

func (q *Queue[T]) park(items []*Item[T], after time.Time) {
	if len(items) > 0 {
		q.parked = append(q.parked, group[T]{items, after})
	}
}

// Failed records that a batch failed for a reason that may pass. rest are the items
// without a result, which are sent again, except those that it returns: they are given up.
func (q *Queue[T]) Failed(b Batch[T], rest []*Item[T], why Reason, now time.Time) (givenUp []*Item[T]) {
	q.streak++
	if why != NotSent {
		for _, it := range rest {
			it.fail(q.settled, why == RateLimited && q.streak < outageFailures, now)
		}
	}
	isAlone := len(b.Items) == 1 && len(q.bisecting) == 0 || len(rest) == 1 && b.from == fromParked
	switch {
	case len(rest) == 0:
		q.endBisecting()
	case why == NotSent:
		q.putBack(b, rest, true)
	case isAlone:
		return q.failedAlone(rest[0], now)
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

// fail counts a failure. One for the rate limit counts only if others got through since
// the last one.
func (it *Item[T]) fail(settled int, rateLimited bool, now time.Time) {
	if it.firstFailed.IsZero() {
		it.firstFailed, it.settledBefore = now, settled
	}
	if !rateLimited || it.settledAtLast < settled {
		it.failures++
	}
	it.settledAtLast = settled
}

// failedAlone records that an item failed as the only one of its batch.
func (q *Queue[T]) failedAlone(it *Item[T], now time.Time) (givenUp []*Item[T]) {
	it.alone++
	othersSucceed := q.settled > it.settledBefore
	switch {
	case it.alone >= failuresAlone && (othersSucceed || now.Sub(it.firstFailed) >= longPatience):
		return []*Item[T]{it}
	case it.failures < failuresTogether:
		q.ready = append(q.ready, it)
	default:
		q.park([]*Item[T]{it}, now.Add(min(time.Minute<<min(it.alone, 4), 15*time.Minute)))
	}
	return nil
}

// Streak returns how many batches in a row have failed.
func (q *Queue[T]) Streak() int { return q.streak }

// IsStuck reports whether everything fails, most likely, and not these items alone: several
// batches in a row, and nothing got an answer since the items first failed.
func (q *Queue[T]) IsStuck(failed []*Item[T]) bool {
	return q.streak >= stuckFailures && len(failed) > 0 && failed[0].settledBefore == q.settled
}

// HasAmbiguous reports whether a request may have carried out an item of the queue.
func (q *Queue[T]) HasAmbiguous() bool {
	hasAmbiguous := func(items []*Item[T]) bool { return slices.ContainsFunc(items, (*Item[T]).IsAmbiguous) }
	return hasAmbiguous(q.ready) || hasAmbiguous(q.bisecting) ||
		slices.ContainsFunc(q.parked, func(g group[T]) bool { return hasAmbiguous(g.items) })
}
