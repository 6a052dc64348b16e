package clerk

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// After an ambiguous failure of a write, the library looks up what the write did, and
// then returns the call's own work, retries the write or the missing part of it, or
// reports that the outcome is unknown. No write is retried without a lookup.

const (
	// graceTime is how long after an ambiguous failure the write's work may still be
	// missing from lists. A write that Clerk would not refuse as a duplicate is retried
	// only if a lookup that began later found nothing.
	graceTime = 5 * time.Second
	// graceAfterTimeout is the same after an attempt that timed out, as Clerk may still
	// be carrying it out.
	graceAfterTimeout = 2 * graceTime
	// lookupTimeout limits one attempt of a lookup: another one may follow.
	lookupTimeout = 3 * time.Second
)

// A write is an operation whose outcome can be looked up.
type write[T any] struct {
	// send makes the request, or the part of it that is still missing.
	send func(context.Context, *call) (T, callMeta, error)
	// lookup finds what the call's requests have done, after the last one failed.
	lookup func(ctx context.Context, l *lookups, failure error) (T, finding, error)
	// isOwnRefusal reports whether an earlier request of the same call may be the reason
	// for a refusal.
	isOwnRefusal func(error) bool
	// duplicates says that Clerk would carry out a retry a second time.
	duplicates bool
	// inParts says that a refused request may have been carried out in part. It is looked
	// up once, or if thorough is set, until its work would show.
	inParts, thorough bool
	// mayRetry is asked before a retry; nil means always.
	mayRetry func() bool
}

// A finding is the result of a lookup.
type finding uint8

const (
	foundNothing finding = iota // of this call's work
	foundPart                   // of this call's work
	foundAll                    // of this call's work
	foundOther                  // a pending invitation of others, which explains a refusal
	foundOlder                  // an accepted or expired one, which may explain it
	foundUnclear                // this call's work or that of others: the clocks differ
	lookupFailed
	lookupRefused // and would be again: a bad key, or responses without a date
)

// A situation is what decide depends on.
type situation struct {
	class      class   // of the write's last attempt
	ownRefusal bool    // it was refused, and an earlier request may be the reason
	definite   bool    // it was refused for a reason that no earlier request can be
	ambiguous  bool    // an earlier request may have been carried out
	thorough   bool    // also without one, the write's work is looked for until settled
	duplicates bool    // Clerk would carry out a retry a second time
	found      finding // by the last lookup
	settled    bool    // the write's work would have been found
	mayRetry   bool    // the configuration and the limits permit it
	writeFits  bool    // there is time for another attempt of the write
	lookupFits bool    // there is time for another lookup
}

// A decision is what to do after a lookup.
type decision uint8

const (
	reportUnknown decision = iota
	returnResult
	returnFailure
	retryWrite
	lookUpAgain
)

// decide returns what to do after a lookup.
func decide(s situation) decision {
	again := reportUnknown
	if s.lookupFits {
		again = lookUpAgain
	}
	refused := s.class == classRefused
	switch {
	case s.found == foundAll:
		return returnResult
	case s.found == lookupFailed:
		return again
	case s.found == lookupRefused:
		return reportUnknown
	case refused && (!s.ambiguous || s.definite):
		if s.settled || !s.thorough {
			return returnFailure
		}
		return again // a bulk, perhaps created in part
	case s.ownRefusal && (s.found == foundOther || s.found == foundOlder && s.settled):
		return returnFailure
	case s.found == foundUnclear:
		return reportUnknown
	case s.ownRefusal && s.found != foundPart:
		return again // the reason for the refusal may show later
	case !refused && s.class != classAmbiguous, !s.mayRetry:
		return reportUnknown
	case (s.settled || !s.duplicates) && s.writeFits:
		return retryWrite
	}
	return again
}

// An ambiguity is the state of a write whose outcome is unknown.
type ambiguity struct {
	firstSent time.Time
	failedAt  time.Time // when the last request failed
	failure   error     // the last one that left the outcome open; nil before
	writes    int       // requests so far
}

// grace is how long after the failure the write's work may still be missing from lists.
func (a *ambiguity) grace() time.Duration {
	if errors.Is(a.failure, context.DeadlineExceeded) {
		return graceAfterTimeout
	}
	return graceTime
}

// A reconciliation is the state of the loop that finds out what a write did.
type reconciliation[T any] struct {
	*call
	write[T]
	*ambiguity

	failure     error    // of the last request
	meta        callMeta // of the last request
	lookupsDone int      // since the last request

	untilLookup, untilWrite time.Duration
}

// reconcile carries out a write until its outcome is known, or time is up. If a is not
// nil, it continues from there, and records there how far it got.
func reconcile[T any](ctx context.Context, c *call, w write[T], a *ambiguity) (T, callMeta, error) {
	if a != nil && a.failure != nil {
		return reconcileLoop(ctx, &reconciliation[T]{call: c, write: w, ambiguity: a, failure: a.failure})
	}
	started := time.Now()
	result, meta, err := w.send(ctx, c)
	if err == nil {
		return result, meta, nil
	}
	if a == nil {
		a = new(ambiguity)
	}
	a.firstSent = started
	r := &reconciliation[T]{call: c, write: w, ambiguity: a}
	if r.record(meta, err); !r.isOpen() {
		return result, meta, err
	}
	return reconcileLoop(ctx, r)
}

// reconcileLoop looks up what a write did, and retries it, until that is known.
func reconcileLoop[T any](ctx context.Context, r *reconciliation[T]) (T, callMeta, error) {
	if !r.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.deadline)
		defer cancel()
	}
	l := &lookups{call: r.call, since: r.firstSent}
	for {
		began := time.Now()
		if err := ctxErr(ctx); err != nil {
			return *new(T), r.meta, unknownOutcome(r.failure, nil, err)
		}
		result, found, lookupErr := r.runLookup(ctx, l)
		switch decide(r.situation(ctx, found, lookupErr, began)) {
		case returnResult:
			return result, l.meta, nil
		case returnFailure:
			return *new(T), r.meta, r.failure
		case reportUnknown:
			failure := r.failure
			if a := r.ambiguity.failure; a != nil && (r.isOwnRefusal(failure) || classOf(failure) == classNotSent) {
				failure = a // what was refused or not sent is only the retry
			}
			unknown := unknownOutcome(failure, lookupErr, ctxErr(ctx))
			if r.ambiguity.failure == nil { // a refused bulk, perhaps created in part
				r.ambiguity.failure = unknown
			}
			return *new(T), r.meta, unknown
		case lookUpAgain:
			_ = sleep(ctx, r.untilLookup) // an end of ctx ends the next lookup
		case retryWrite:
			if sleep(ctx, r.untilWrite) != nil {
				continue
			}
			result, meta, err := r.send(ctx, r.call)
			if err == nil {
				return result, meta, nil
			}
			r.record(meta, err)
		}
	}
}

// record notes that the write failed.
func (r *reconciliation[T]) record(meta callMeta, failure error) {
	r.meta, r.failure = meta, failure
	r.writes, r.lookupsDone, r.failedAt = r.writes+1, 0, time.Now()
	if errors.Is(failure, ErrOutcomeUnknown) {
		r.ambiguity.failure = failure
	}
}

// isOpen reports whether the first failure of the write is to be looked up.
func (r *reconciliation[T]) isOpen() bool {
	isRefusedBulk := r.inParts && classOf(r.failure) == classRefused
	return r.retry.Strategy != RetryNone && (isRefusedBulk || errors.Is(r.failure, ErrOutcomeUnknown))
}

// runLookup looks up what the requests have done.
func (r *reconciliation[T]) runLookup(ctx context.Context, l *lookups) (T, finding, error) {
	r.call.lookup, r.lookupsDone = true, r.lookupsDone+1
	l.meta, l.ambiguous = r.meta, r.ambiguity.failure != nil
	l.decisive = !r.duplicates || time.Since(r.failedAt) >= r.grace()
	defer func() { r.call.lookup = false }()
	result, found, err := r.write.lookup(ctx, l, r.failure)
	switch {
	case errors.Is(err, ErrUnauthorized), errors.Is(err, errNoDate):
		found = lookupRefused
	case err != nil:
		found = lookupFailed
	}
	return result, found, err
}

// situation describes what is known after a lookup, and sets the waits that may follow.
func (r *reconciliation[T]) situation(ctx context.Context, found finding, lookupErr error, began time.Time) situation {
	now, class, ownRefusal := time.Now(), classOf(r.failure), r.isOwnRefusal(r.failure)
	s := situation{
		class: class, ownRefusal: ownRefusal, found: found, thorough: r.thorough, duplicates: r.duplicates,
		definite:  class == classRefused && !ownRefusal && isDefinite(r.failure),
		ambiguous: r.ambiguity.failure != nil,
		settled:   began.Sub(r.failedAt) >= r.grace(),
		mayRetry: (r.mayRetry == nil || r.mayRetry()) && (r.meta.StatusCode != 0 || *r.retry.RetryConnectionErrors) &&
			!errors.Is(r.failure, errMismatch), // a retry would get the same response
	}
	var asked time.Duration // by Retry-After; that of a 429 is about other requests
	if r.meta.StatusCode != http.StatusTooManyRequests {
		asked = r.meta.RetryAfter - now.Sub(r.failedAt)
	}
	r.untilWrite = max(0, asked, r.retry.Backoff.wait(r.writes)-now.Sub(r.failedAt))
	r.untilLookup = r.retry.Backoff.wait(r.lookupsDone)
	if rest := r.failedAt.Add(r.grace()).Sub(now); rest > 0 {
		r.untilLookup = min(r.untilLookup, rest) // the lookup that decides comes without delay
	}
	r.untilLookup = max(r.untilLookup, asked)
	if m := metaOf(lookupErr); m != nil {
		r.untilLookup = max(r.untilLookup, m.RetryAfter)
	}
	left := time.Duration(math.MaxInt64)
	if deadline, ok := ctx.Deadline(); ok {
		left = deadline.Sub(now)
	}
	if class == classRefused && !s.ambiguous { // most likely nothing was carried out
		left = min(left, r.failedAt.Add(2*graceTime).Sub(now))
	}
	s.lookupFits = ctx.Err() == nil && r.untilLookup < left
	s.writeFits = ctx.Err() == nil && r.untilWrite+2*r.meta.longest < left
	return s
}

// isDefinite reports whether a refusal is final for the request: it is documented, or
// its code says so.
func isDefinite(failure error) bool {
	_, isSDK := errors.AsType[*SDKError](failure)
	return !isSDK || hasCode(failure, CodeNotAllowedAccess)
}

// unknownOutcome is the error of a call that could not find out what its write did. It
// includes the lookup's error only as text, so that errors.Is does not match it.
func unknownOutcome(failure, lookup, ended error) error {
	if lookup == nil && ended == nil && classOf(failure) == classAmbiguous {
		return failure
	}
	e := wrapping(failure)
	e.class, e.lookup = classAmbiguous, lookup
	if ended != nil {
		e.Err = errors.Join(failure, ended)
	}
	if lookup != nil {
		e.Message += "; looking it up: " + strings.TrimPrefix(lookup.Error(), "clerk: ")
	}
	return e
}

// wrapping returns an error around another one of this package, which says the same. It
// has no class.
func wrapping(err error) *SDKError {
	e := &SDKError{Err: err}
	if sdk, ok := errors.AsType[*SDKError](err); ok {
		e.ResponseMeta, e.Message, e.Body = sdk.ResponseMeta, sdk.Message, sdk.Body
	} else if refused, ok := errors.AsType[*ClerkErrors](err); ok {
		e.ResponseMeta, e.Message, e.Body = refused.ResponseMeta, refused.summary(), refused.Body
	}
	return e
}

// ctxErr is ctx.Err, and no later than the deadline.
func ctxErr(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// sleep waits for d, or until ctx ends, and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// maxClockSkew is how far the clocks of Clerk's servers may normally differ.
const maxClockSkew = time.Second

// A clockSkew is how far the clock that stamps invitations is off the one that stamps
// responses, beyond what is normal, as last seen in the response to a create.
type clockSkew struct{ nanoseconds atomic.Int64 }

// measure compares the two stamps of a create that took so long.
func (s *clockSkew) measure(meta callMeta, created UnixMilli) {
	stamp := meta.Header.Get("Date")
	if stamp == "" || created == 0 {
		return
	}
	date, err := http.ParseTime(stamp)
	if err != nil {
		return
	}
	ahead := created.Time().Sub(date)
	behind := date.Add(time.Second).Sub(created.Time()) - meta.longest // Date has whole seconds
	skew := max(ahead, behind)
	if skew <= maxClockSkew {
		skew = 0
	}
	s.nanoseconds.Store(int64(skew))
}

func (s *clockSkew) get() time.Duration { return time.Duration(s.nanoseconds.Load()) }
