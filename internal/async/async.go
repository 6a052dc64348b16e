// Package async runs functions and iterators in other goroutines, so that the caller can stop
// waiting if they block. A panic reaches the goroutine that takes the result.
package async

import (
	"context"
	"errors"
)

var errGoexit = errors.New("a function called runtime.Goexit")

// A Result says how a call ended: with values, a panic or runtime.Goexit.
type Result[T any] struct {
	value    T
	err      error
	returned bool // false if it panicked or called runtime.Goexit
	panicked any
}

// Go calls f in a new goroutine and returns a channel that gets the Result. The channel
// is buffered, so the Result need not be received.
func Go[T any](f func() (T, error)) <-chan Result[T] {
	done := make(chan Result[T], 1)
	go func() {
		var r Result[T]
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.value, r.err = f()
		r.returned = true
	}()
	return done
}

// Get returns the values that the function returned. If the function panicked, so does
// Get; if it called runtime.Goexit, Get returns an error.
func (r Result[T]) Get() (T, error) {
	if r.panicked != nil {
		panic(r.panicked)
	}
	if !r.returned {
		return r.value, errGoexit
	}
	return r.value, r.err
}

// Wait calls f in a new goroutine and returns the same as Get. If ctx ends first, it returns
// ctx's error and discards the result of f.
func Wait[T any](ctx context.Context, f func() (T, error)) (T, error) {
	select {
	case done := <-Go(f):
		return done.Get()
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}
