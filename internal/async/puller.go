package async

import (
	"context"
	"iter"
	"time"
)

// A Puller takes the values of an iterator one by one, in a goroutine, so that an
// iterator that blocks does not hold up the caller.
type Puller[T any] struct {
	next    func() (T, bool)
	stop    func()
	pending <-chan Result[pulled[T]] // nil if nothing is asked for
	ended   bool
}

// A pulled is what the iterator has yielded.
type pulled[T any] struct {
	value T
	ok    bool // false at the end
}

// NewPuller returns a puller of an iterator, which does not start before Next.
func NewPuller[T any](values iter.Seq[T]) *Puller[T] {
	next, stop := iter.Pull(values)
	return &Puller[T]{next: next, stop: stop}
}

// Next returns the next value, or false if there is none within d, or before ctx ends, or
// at the end of the iterator. Then another call waits for the same value. The error says
// that the iterator called runtime.Goexit; if it panicked, so does Next.
func (p *Puller[T]) Next(ctx context.Context, d time.Duration) (value T, ok bool, err error) {
	if p.pending == nil {
		p.pending = Go(func() (got pulled[T], err error) {
			got.value, got.ok = p.next()
			return got, nil
		})
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return value, false, nil
	case <-timer.C:
		return value, false, nil
	case done := <-p.pending:
		p.pending = nil
		got, err := done.Get()
		p.ended = !got.ok
		return got.value, got.ok, err
	}
}

// Ended reports whether the iterator has no more values.
func (p *Puller[T]) Ended() bool { return p.ended }

// Close stops the iterator: at once or, if it blocks, as soon as it unblocks.
func (p *Puller[T]) Close() {
	if p.pending == nil {
		p.stop()
		return
	}
	select {
	case <-p.pending:
		p.stop()
	default:
		go func() {
			defer func() { _ = recover() }() // there is nobody to tell
			<-p.pending
			p.stop()
		}()
	}
}
