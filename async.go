package clerk

import "errors"

var errGoexit = errors.New("it called runtime.Goexit")

// An asyncResult says how a function of the caller ended in another goroutine.
type asyncResult[T any] struct {
	value    T
	returned bool // false if it panicked or called runtime.Goexit
	panicked any
}

// async calls f in a goroutine.
func async[T any](f func() T) <-chan asyncResult[T] {
	done := make(chan asyncResult[T], 1)
	go func() {
		var r asyncResult[T]
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.value = f()
		r.returned = true
	}()
	return done
}

// get returns the value, or panics as the function did. The error says that it called
// runtime.Goexit.
func (r asyncResult[T]) get() (T, error) {
	if r.panicked != nil {
		panic(r.panicked)
	}
	if !r.returned {
		return r.value, errGoexit
	}
	return r.value, nil
}
