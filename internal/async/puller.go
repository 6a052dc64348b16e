package async

import (
	"context"
	"iter"
	"runtime"
	"time"
)

// cleanupTime limits Close's wait for the iterator to return.
const cleanupTime = 100 * time.Millisecond

// A Puller is like iter.Pull, but runs the iterator in its own goroutine. So the caller can
// stop waiting if the iterator blocks, and may be locked to its thread. It is not safe for
// concurrent use.
type Puller[T any] struct {
	values iter.Seq[T]
	pulled chan T            // unbuffered
	done   chan Result[none] // has room for the result of the iterator
	wanted chan struct{}     // has room for one: Next wants another value
	closed chan struct{}

	started, waiting, ended bool // waiting for a value
}

type none struct{}

// NewPuller returns a Puller. The iterator starts with the first Next.
func NewPuller[T any](values iter.Seq[T]) *Puller[T] {
	return &Puller[T]{
		values: values, pulled: make(chan T), done: make(chan Result[none], 1),
		wanted: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Next returns the next value. ok is false at the end of the iterator, or if there is no value
// within d or before ctx ends. In the latter cases, the next call waits for the same value. If
// the iterator panics, so does Next; if it calls runtime.Goexit, Next returns an error.
func (p *Puller[T]) Next(ctx context.Context, d time.Duration) (value T, ok bool, err error) {
	switch {
	case p.ended:
		return value, false, nil
	case !p.started:
		p.started = true
		go p.run()
	case !p.waiting:
		p.wanted <- struct{}{}
	}
	p.waiting = true
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return value, false, nil
	case <-timer.C:
		return value, false, nil
	case value = <-p.pulled:
		p.waiting = false
		return value, true, nil
	case end := <-p.done:
		p.ended = true
		_, err = end.Get()
		return value, false, err
	}
}

// run runs the iterator to its end.
func (p *Puller[T]) run() {
	var end Result[none]
	defer func() {
		end.panicked = recover()
		p.done <- end
	}()
	isOver := false
	p.values(func(value T) bool {
		if isOver { // the iterator ignores that it is over
			runtime.Goexit()
		}
		isOver = !p.yield(value)
		return !isOver
	})
	end.returned = true
}

// yield passes a value to Next, and waits until Next wants another one. It returns false if
// the Puller is closed.
func (p *Puller[T]) yield(value T) bool {
	select {
	case p.pulled <- value:
	case <-p.closed:
		return false
	}
	select {
	case <-p.wanted:
		return true
	case <-p.closed:
		return false
	}
}

// Ended reports whether the iterator has no more values.
func (p *Puller[T]) Ended() bool { return p.ended }

// Close stops the iterator, and waits a moment for its cleanup. An iterator or a cleanup
// that blocks stops later, when it unblocks. If the iterator panics while Close waits, so
// does Close. After Close, the Puller must not be used.
func (p *Puller[T]) Close() {
	if p.waiting {
		select {
		case <-p.pulled:
			p.waiting = false
		default: // it blocks
		}
	}
	close(p.closed)
	if !p.started || p.ended || p.waiting {
		return
	}
	select {
	case end := <-p.done:
		_, _ = end.Get()
	case <-time.After(cleanupTime):
	}
}
