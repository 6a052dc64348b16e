package queue

import (
	"strings"
	"time"
)

const maxBatch = 10

var (
	now   = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	later = now.Add(time.Minute)
)

type (
	items  = []*Item[rune]
	groups = []group[rune]
	queue  = Queue[rune]
)

// newItems returns items whose values are the letters of names.
func newItems(names string) (all items) {
	for _, name := range names {
		all = append(all, &Item[rune]{Value: name})
	}
	return all
}

// sentAt marks items as ambiguous since a time.
func sentAt(at time.Time, all items) items {
	for _, it := range all {
		it.AmbiguousSince = at
	}
	return all
}

// failedBefore sets how often items have failed, in total and alone. Nothing was settled
// before.
func failedBefore(failures, alone int, all items) items {
	for _, it := range all {
		it.failures, it.alone, it.firstFailed = failures, alone, now
	}
	return all
}

// limitedBefore sets how often items have failed alone by a rate limit.
func limitedBefore(limited int, all items) items {
	for _, it := range all {
		it.limited = limited
	}
	return all
}

// nameOf returns the name of an item; none for nil.
func nameOf(it *Item[rune]) string {
	if it == nil {
		return ""
	}
	return string(it.Value)
}

func namesOf(all items) string {
	var b strings.Builder
	for _, it := range all {
		b.WriteRune(it.Value)
	}
	return b.String()
}

// A sent is a batch that was taken from a queue.
type sent struct {
	items  string
	others string // items under bisection that are left in the queue
	from   origin
}

// leave returns the batch, and sets the items that it left in the queue.
func (s sent) leave(q *queue) Batch[rune] {
	q.bisecting = newItems(s.others)
	return Batch[rune]{Items: newItems(s.items), from: s.from}
}

// describe returns the parts of a queue that are not empty. A parked group that is not
// due is followed by its wait.
func describe(q *queue) string {
	var parts []string
	if len(q.bisecting) > 0 {
		parts = append(parts, "bisecting:"+namesOf(q.bisecting))
	}
	if len(q.ready) > 0 {
		parts = append(parts, "ready:"+namesOf(q.ready))
	}
	for _, group := range q.parked {
		part := "parked:" + namesOf(group.items)
		if group.after.After(now) {
			part += "+" + group.after.Sub(now).String()
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}
