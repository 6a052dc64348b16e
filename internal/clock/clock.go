// Package clock waits, measures the time left until a deadline, and converts times to the
// clock of a server.
package clock

import (
	"context"
	"math"
	"net/http"
	"sync/atomic"
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

// normalSkew is how far a server's clocks are always assumed to differ.
const normalSkew = time.Second

// A Skew is how far two clocks of a server differ, as last measured: the one that sets
// the times of objects, and the one that sets the Date of responses. A difference of up
// to a second counts as none. A Skew is safe for concurrent use.
type Skew struct{ nanoseconds atomic.Int64 }

// Measure compares the Date in the header of a response with the time of an object that
// the request created. took is the longest time the request may have taken. Without a
// valid Date, nothing changes.
func (s *Skew) Measure(header http.Header, created time.Time, took time.Duration) {
	stamp := header.Get("Date")
	if stamp == "" { // ParseTime would allocate its error
		return
	}
	date, err := http.ParseTime(stamp)
	if err != nil {
		return
	}
	ahead := created.Sub(date)
	behind := date.Add(time.Second).Sub(created) - took // a Date has whole seconds
	skew := max(ahead, behind)
	if skew <= normalSkew {
		skew = 0
	}
	s.nanoseconds.Store(int64(skew))
}

// Started converts since from the local clock to the one that sets the times of objects,
// given the header of a response that has just arrived. An object with a time before
// earliest is older than since; one with a time of latest or later is newer. ok is false
// if the header has no valid Date.
func (s *Skew) Started(header http.Header, since time.Time) (earliest, latest time.Time, ok bool) {
	date, err := http.ParseTime(header.Get("Date"))
	started, skew := date.Add(-time.Since(since)-normalSkew), time.Duration(s.nanoseconds.Load())
	return started.Add(-skew), started.Add(skew), err == nil
}
