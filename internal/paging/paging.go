// Package paging iterates over a list that a server returns in pages. It can request
// pages concurrently before the loop reaches them.
package paging

import (
	"context"
	"iter"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/clock"
)

// A Page is a part of a list, as returned by one request.
type Page interface {
	// Size returns the number of elements on the page, and in the whole list; total is -1
	// if it is unknown.
	Size() (n, total int)
}

// A List is a list on a server.
type List[P Page] struct {
	// Get requests the page that begins at offset. It must be safe for concurrent use,
	// unless Ahead is 0.
	Get func(ctx context.Context, offset int) (P, error)
	// Ahead is the number of pages that are requested before the loop reaches them, after the
	// first page. 0 means that each page is requested when the loop reaches it.
	Ahead int
	// Wait returns how long to delay the next request ahead. last is the latest page. It
	// is called in the loop's goroutine, and may be nil if Ahead is 0.
	Wait func(last P) time.Duration
}

// Pages returns an iterator over the pages starting at offset, in order. It ends at the total,
// after an empty page, or with an error, which is yielded with the page that Get returned.
// When the loop ends, requests made ahead are canceled. If a request panics, so does the loop.
//
// size is the number of elements that a page is expected to have. If a page has more or fewer,
// the next page begins where it ends, and the pages requested ahead are discarded.
func (l List[P]) Pages(ctx context.Context, offset, size int) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // also stops the requests ahead

		var ahead []func() (P, error) // the next pages, in order
		for next, size, end := offset, size, offset+1; next < end; {
			if len(ahead) == 0 {
				ahead = append(ahead, func() (P, error) { return l.Get(ctx, next) })
			}
			page, err := ahead[0]()
			if err != nil {
				yield(page, err)
				return
			}
			ahead = ahead[1:]
			n, total := page.Size()
			if next += n; n != size { // the next page does not begin where it was expected
				size, ahead = n, nil
			}
			switch {
			case n == 0:
				end = next
			case total < 0:
				end = next + 1
			default:
				end = total
			}
			for at := next + len(ahead)*size; at < end && len(ahead) < l.Ahead; at += size {
				ahead = append(ahead, l.start(ctx, at, l.Wait(page)))
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// start requests a page after a wait, in another goroutine. The function that it returns
// waits for the page.
func (l List[P]) start(ctx context.Context, offset int, wait time.Duration) func() (P, error) {
	done := async.Go(func() (P, error) {
		_ = clock.Sleep(ctx, wait) // if ctx ends, Get returns its error
		return l.Get(ctx, offset)
	})
	return func() (P, error) { return (<-done).Get() }
}

// Elements returns an iterator over the elements on pages. It ends with the first error.
func Elements[E any](pages iter.Seq2[[]E, error]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for page, err := range pages {
			if err != nil {
				yield(*new(E), err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}
