// Package clock waits, and compares the clocks of a server.
package clock

import (
	"context"
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

// MaxSkew is how far the clocks of a server may normally differ.
const MaxSkew = time.Second

// A Skew is how far the clock that stamps objects is off the one that stamps responses,
// beyond what is normal, as last measured. It is safe for concurrent use.
type Skew struct{ nanoseconds atomic.Int64 }

// Get returns the skew; 0 if it is normal, or not measured.
func (s *Skew) Get() time.Duration { return time.Duration(s.nanoseconds.Load()) }

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
	behind := time.Second - ahead - took // a Date has whole seconds
	skew := max(ahead, behind)
	if skew <= MaxSkew {
		skew = 0
	}
	s.nanoseconds.Store(int64(skew))
}
