package paging

import (
	"errors"
	"iter"
)

// ErrChanging means that a list changes faster than it can be read.
var ErrChanging = errors.New("the list changes faster than it can be read")

// maxShifts limits the times that a page is read again because the list has changed.
const maxShifts = 100

// Overlapping returns an iterator over the pages of a list. Each page begins with the last
// element of the previous one. If it does not, elements have left the list meanwhile, and an
// earlier page is read again. list returns the page of a size that begins at an offset, and
// the total of the list. id returns the ID of an element.
func Overlapping[E any](size int, id func(E) string, list func(offset int) (page []E, total int, err error)) iter.Seq2[[]E, error] {
	return func(yield func([]E, error) bool) {
		var previous map[string]bool // the IDs on the previous page
		for offset, shifts := 0, 0; shifts <= maxShifts; {
			page, total, err := list(offset)
			if err != nil {
				yield(nil, err)
				return
			}
			n := len(page)
			isShifted := n == 0 && total > 0 ||
				n > 0 && offset > 0 && (!previous[id(page[0])] || n > 1 && previous[id(page[n-1])])
			if isShifted {
				offset = max(0, offset-size)
				shifts++
				continue
			}
			if !yield(page, nil) || n < 2 || n < size && offset+n >= total {
				return
			}
			previous = map[string]bool{}
			for _, e := range page {
				previous[id(e)] = true
			}
			offset += n - 1
		}
		yield(nil, ErrChanging)
	}
}
