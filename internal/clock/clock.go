// Package clock waits, measures the time left until a deadline, and converts times to the
// clock of a server.
package clock

import (
	"context"
	"math"
	"time"
)

// Sleep waits for d or until ctx ends, and returns ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return ctx.Err()
}

// Err returns ctx's error. It does not wait for the timer that ends ctx at the deadline,
// which may be late.
func Err(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Left returns the time left until ctx's deadline: 0 if ctx has ended, and the longest
// Duration if it has no deadline.
func Left(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	switch {
	case ctx.Err() != nil:
		return 0
	case !ok:
		return math.MaxInt64
	}
	return max(0, time.Until(deadline))
}
