// Package timing says how long the attempts of a call may take, and how long to wait between
// attempts and between lookups of what a write did. It does not wait itself.
package timing

import (
	"cmp"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

const (
	attemptTimeout = 15 * time.Second
	writeTimeout   = 10500 * time.Millisecond // of a write that is looked up afterwards
	lookupTimeout  = 3 * time.Second          // of a lookup: another one may follow

	longestWrite      = 4 * time.Second // the longest time that a retry of a write is expected to take
	longestLookupWait = 8 * time.Second // the longest interval between lookups that failed
)

// A Timing is the timing of a call.
type Timing struct {
	// Retries says whether requests are retried, and writes are looked up.
	Retries bool
	// Timeout limits an attempt; 0 means the default.
	Timeout time.Duration
	// Longest limits an attempt as well; 0 means no limit.
	Longest time.Duration
	// Backoff grows from attempt to attempt.
	Backoff clock.Backoff
	// Random returns numbers from 0 to 1.
	Random func() float64
	// IsLookup means that the call's requests look up what a write did. Their waits continue
	// to grow from one request to the next.
	IsLookup bool
	// FailedLookups counts the lookups that failed.
	FailedLookups *int
}

// AttemptLimit returns the time limit of an attempt.
func (t Timing) AttemptLimit(isWrite bool) time.Duration {
	limit := cmp.Or(t.Timeout, attemptTimeout)
	if t.Timeout == 0 && isWrite && t.Retries {
		limit = writeTimeout
	}
	if t.IsLookup {
		limit = min(limit, lookupTimeout)
	}
	if t.Longest > 0 {
		limit = min(limit, t.Longest)
	}
	return limit
}

// Policy returns the part of a request's policy that is about time. A write that is looked up
// afterwards uses at most two thirds of the time until the caller's deadline and, unless
// Timeout is given, of the call's time.
func (t Timing) Policy(isWrite bool) transport.Policy {
	isLookedUp := t.Retries && isWrite
	return transport.Policy{
		Retry: t.Retries, AttemptTimeout: t.AttemptLimit(isWrite),
		LeaveTime: isLookedUp, LeaveCallTime: isLookedUp && t.Timeout == 0,
	}
}

// Wait returns how long to wait after an attempt of a request, counted from 1. asked is
// the wait that the server asked for; 0 if it did not ask.
func (t Timing) Wait(attempt int, asked time.Duration) time.Duration {
	if t.IsLookup {
		return t.lookupBackoff(asked, t.Random())
	}
	return t.Backoff.Wait(attempt, asked, t.Random())
}

// lookupBackoff returns how long to wait after a failed lookup. random is from 0 to 1.
func (t Timing) lookupBackoff(asked time.Duration, random float64) time.Duration {
	*t.FailedLookups++
	b := t.Backoff
	b.Max = min(b.Max, longestLookupWait)
	return b.Wait(*t.FailedLookups, asked, random)
}

// A Lookup is the last lookup of what a write did.
type Lookup struct {
	Pass   int // counted from 1
	Failed bool
	Early  bool          // it began before lists must show the write's work
	Asked  time.Duration // by its Retry-After; 0 for none
}

// Waits returns how long to wait before another lookup, and before a retry of the write.
// asked is the Retry-After of the write's last response; 0 for none.
func (t Timing) Waits(h *decide.History, asked time.Duration, last Lookup) (untilLookup, untilWrite time.Duration) {
	since := time.Since(h.FailedAt)
	untilWrite = max(0, t.Wait(h.Writes, asked)-since)
	switch {
	case last.Failed:
		untilLookup = t.lookupBackoff(last.Asked, 1) // a shorter wait did not fit
	case !last.Early || !h.IsSettled(): // otherwise, another lookup decides
		untilLookup = t.Wait(last.Pass, 0)
	}
	untilLookup = BeforeDecisive(untilLookup, last.Asked, h.Grace()-since)
	if asked > 0 {
		untilLookup = max(untilLookup, t.Wait(1, asked)-since)
	}
	return untilLookup, untilWrite
}

// BeforeDecisive shortens the wait for a lookup to the rest of the grace time, so that the
// lookup that decides is not delayed. It does not if the server asked for a wait.
func BeforeDecisive(wait, asked, rest time.Duration) time.Duration {
	if rest > 0 && asked == 0 {
		return min(wait, rest)
	}
	return wait
}

// ForWrite returns the time that a retry of a write needs. A retry that is cut off would leave
// the outcome unknown again. longest is the time of the write's longest attempt so far.
func ForWrite(longest time.Duration) time.Duration { return 2 * min(longest, longestWrite) }
