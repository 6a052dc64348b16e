package clerkriver

import (
	"context"
	"errors"
	"net"
)

// notSent returns an error that says that no connection was made.
func notSent(err error) error { return &net.OpError{Op: "dial", Net: "clerkriver", Err: err} }

// wasNotSent reports whether the request certainly was not sent.
func wasNotSent(_ context.Context, err error) bool {
	dial, isDial := errors.AsType[*net.OpError](err)
	return isDial && dial.Op == "dial"
}
