package clerkriver

import (
	"errors"
	"fmt"
)

// errGoexit means that a function of the caller ended its goroutine.
var errGoexit = errors.New("it called runtime.Goexit")

// guarded calls a function of the caller in its own goroutine, so that a panic or
// runtime.Goexit ends only that call.
func guarded(call func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if reason := recover(); reason != nil {
				err = fmt.Errorf("panic: %v", reason)
			}
			result <- err
		}()
		err = call()
	}()
	return <-result
}
