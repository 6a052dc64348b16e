// Package clock waits, and compares the clocks of a server.
package clock

import (
	"context"
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

// Sleep waits for d, or until ctx ends, and returns ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return ctx.Err()
}

// Err is ctx.Err, and no later than the deadline: the timer that ends ctx may be late.
func Err(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Left returns how long it is until ctx's deadline: 0 if ctx has ended, and the longest
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

// normalSkew is how far the clocks of a server may normally differ.
const normalSkew = time.Second

// A Skew is how far the clock that stamps objects is off the one that stamps responses,
// beyond what is normal, as last measured. It is safe for concurrent use.
type Skew struct{ nanoseconds atomic.Int64 }

// Measure compares the Date of a response with the stamp of an object that was created
// by its request, which took so long at most. A response without a Date changes nothing.
func (s *Skew) Measure(header http.Header, created time.Time, took time.Duration) {
	stamp := header.Get("Date")
	if stamp == "" {
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

// Started converts a time since by our clock to the clock that stamps objects, given the
// header of a response that has just come. What was stamped before earliest is older, and
// what was stamped at latest or later is newer. It is false if the header has no date.
func (s *Skew) Started(header http.Header, since time.Time) (earliest, latest time.Time, ok bool) {
	date, err := http.ParseTime(header.Get("Date"))
	started, skew := date.Add(-time.Since(since)-normalSkew), time.Duration(s.nanoseconds.Load())
	return started.Add(-skew), started.Add(skew), err == nil
}
