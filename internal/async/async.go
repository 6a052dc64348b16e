// Package async calls functions and iterators of the caller in other goroutines. Their
// panics reach the goroutine that takes the result.
package async

import "errors"

var errGoexit = errors.New("it called runtime.Goexit")

// A Result says how a function ended.
type Result[T any] struct {
	value    T
	returned bool // false if it panicked or called runtime.Goexit
	panicked any
}

// Go calls f in a goroutine. The channel gets its result.
func Go[T any](f func() T) <-chan Result[T] {
	done := make(chan Result[T], 1)
	go func() {
		var r Result[T]
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.value = f()
		r.returned = true
	}()
	return done
}

// Get returns the value, or panics as the function did. The error says that it called
// runtime.Goexit.
func (r Result[T]) Get() (T, error) {
	if r.panicked != nil {
		panic(r.panicked)
	}
	if !r.returned {
		return r.value, errGoexit
	}
	return r.value, nil
}
