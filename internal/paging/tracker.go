package paging

import (
	"math"
	"slices"
)

// A Tracker tracks which elements of a list were read while they move between pages: an
// element that leaves the list shifts later ones forward, and a new one may shift them back.
type Tracker[E any] struct {
	id       func(E) string
	previous map[string]bool // the IDs on the previous page
	total    int             // as stated by the previous page
	seen     int
	smallest int // total
}

// NewTracker returns a Tracker of a list that is read starting at offset. id returns the ID of
// an element.
func NewTracker[E any](offset int, id func(E) string) *Tracker[E] {
	return &Tracker[E]{id: id, total: -1, seen: offset, smallest: math.MaxInt}
}

// Add returns the elements of the next page, without duplicates and without those on the
// previous page. It modifies page. more is false if there are none and the total has not
// grown: with a server that repeats its last page, the loop would never end.
func (t *Tracker[E]) Add(page []E, total int) (fresh []E, more bool) {
	current := map[string]bool{}
	fresh = slices.DeleteFunc(page, func(e E) bool {
		id := t.id(e)
		known := t.previous[id] || current[id]
		if current[id] = true; !t.previous[id] {
			t.seen++
		}
		return known
	})
	more = len(fresh) > 0 || total > t.total
	t.previous, t.total, t.smallest = current, total, min(t.smallest, total)
	return fresh, more
}

// Counts returns how many elements were read or skipped, and the smallest total that a page
// has stated, or -1 if a page has stated none.
func (t *Tracker[E]) Counts() (seen, total int) { return t.seen, t.smallest }
