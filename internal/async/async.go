// Package async calls functions and iterators of the caller in other goroutines. Their
// panics reach the goroutine that takes the result.
package async

import (
	"context"
	"errors"
)

var errGoexit = errors.New("a function called runtime.Goexit")

// A Result says how a function ended.
type Result[T any] struct {
	value    T
	err      error
	returned bool // false if it panicked or called runtime.Goexit
	panicked any
}

// Go calls f in a goroutine. The channel gets its result.
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

// Get returns what the function did, or panics as it did. If it called runtime.Goexit, there
// is an error.
func (r Result[T]) Get() (T, error) {
	if r.panicked != nil {
		panic(r.panicked)
	}
	if !r.returned {
		return r.value, errGoexit
	}
	return r.value, r.err
}

// Wait calls f in a goroutine and returns what it returns, or ctx's error if ctx ends
// before.
func Wait[T any](ctx context.Context, f func() (T, error)) (T, error) {
	select {
	case done := <-Go(f):
		return done.Get()
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}
