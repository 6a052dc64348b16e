// Package paging reads a list that a server returns in pages, one by one or ahead of the
// reader.
package paging

import (
	"context"
	"iter"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/clock"
)

// A Page is a part of a list.
type Page interface {
	// Size returns how many elements the page has, and how many the whole list has; -1
	// if that is unknown.
	Size() (n, total int)
}

// A List is a list on a server.
type List[P Page] struct {
	// Get requests the page that begins at an offset.
	Get func(ctx context.Context, offset int) (P, error)
	// Ahead is how many pages are requested before the loop reaches them, concurrently,
	// after the first page.
	Ahead int
	// Wait returns how long the next request ahead has to wait; last is the newest page
	// so far. It is called in the loop's goroutine, and not needed if Ahead is 0.
	Wait func(last P) time.Duration
}

// Pages returns the pages from offset on, in order. They end at the total, after an empty
// page, or with an error, which is yielded with the page that Get returned beside it.
// Requests made ahead end with the loop; their panics reach it.
//
// size is how many elements the pages are expected to have. If a page has more or fewer,
// the next one begins where it ends, and the pages requested ahead are dropped.
func (l List[P]) Pages(ctx context.Context, offset, size int) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the requests made ahead

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
			if next += n; n != size { // the next page is not where it was expected
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

// start requests a page after a wait. The function returned waits for the result.
func (l List[P]) start(ctx context.Context, offset int, wait time.Duration) func() (P, error) {
	done := async.Go(func() (P, error) {
		_ = clock.Sleep(ctx, wait) // an end of ctx ends the request, too
		return l.Get(ctx, offset)
	})
	return func() (P, error) {
		ended := <-done
		return ended.Get()
	}
}
