package async

import (
	"context"
	"iter"
	"time"
)

// A Puller is like iter.Pull, but runs the iterator in another goroutine, so that the
// caller can stop waiting for one that blocks. It is not safe for concurrent use.
type Puller[T any] struct {
	next    func() (T, bool)
	stop    func()
	pending <-chan Result[pulled[T]] // the value being pulled; nil if there is none
	ended   bool
}

// A pulled is what iter.Pull's next returns.
type pulled[T any] struct {
	value T
	ok    bool // false at the end
}

// NewPuller returns a Puller. The iterator starts with the first Next.
func NewPuller[T any](values iter.Seq[T]) *Puller[T] {
	next, stop := iter.Pull(values)
	return &Puller[T]{next: next, stop: stop}
}

// Next returns the next value. ok is false at the end of the iterator, or if there is no
// value within d or before ctx ends; another call waits for the same value then. If the
// iterator panics, so does Next; if it calls runtime.Goexit, Next returns an error.
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
			defer func() { _ = recover() }() // nobody is left to handle it
			<-p.pending
			p.stop()
		}()
	}
}
