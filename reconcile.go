package clerk

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
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
	send sender[T]
	// find looks up what the call's requests have done.
	find func(context.Context, *lookup) (T, finding, error)
	// ownRefusal is the refusal whose reason may be an earlier request of the same call.
	ownRefusal error
	// duplicates says that Clerk would carry out a retry a second time.
	duplicates bool
	// inParts says that a refused request may have been carried out in part. It is looked
	// up once, or if duplicates is set, until its work would show.
	inParts bool
	// mayRetry is asked before a retry; nil means always.
	mayRetry func() bool
}

type sender[T any] func(context.Context, *call) (T, callMeta, error)

// A finding is the result of a lookup. Of two findings the greater one decides.
type finding uint8

const (
	foundNothing finding = iota // of this call's work
	foundPart                   // of this call's work
	foundOlder                  // an accepted or expired one, which may explain a refusal
	foundOther                  // a pending invitation of others, which explains a refusal
	foundUnclear                // this call's work or that of others: the clocks differ
	foundAll                    // of this call's work
	lookupFailed
	lookupRefused // and would be again: a bad key, or responses without a date
)

// A situation is what decide depends on.
type situation struct {
	class      class   // of the write's last attempt
	ownRefusal bool    // it was refused, and an earlier request may be the reason
	definite   bool    // it was refused for a reason that no earlier request can be
	ambiguous  bool    // an earlier request may have been carried out
	inParts    bool    // a refused request may have been carried out in part
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
		if s.inParts && s.duplicates && !s.settled {
			return again // the part would be duplicated, and may show later
		}
		return returnFailure
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

// A reconciliation finds out what a write did, and retries it.
type reconciliation[T any] struct {
	call      *call
	write     write[T]
	ambiguity *ambiguity

	failure error    // of the last request
	meta    callMeta // of the last request
	lookups int      // since the last request
}

// reconcile carries out a write until its outcome is known, or time is up. If a is not
// nil, it continues from there, and records there how far it got.
func reconcile[T any](ctx context.Context, c *call, w write[T], a *ambiguity) (T, callMeta, error) {
	if a != nil && a.failure != nil {
		r := &reconciliation[T]{call: c, write: w, ambiguity: a, failure: a.failure}
		return r.run(ctx)
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
	r.record(meta, err)
	isPartial := w.inParts && classOf(err) == classRefused
	if c.retry.Strategy == RetryNone || a.failure == nil && !isPartial {
		return result, meta, err
	}
	return r.run(ctx)
}

// record notes that the write failed.
func (r *reconciliation[T]) record(meta callMeta, failure error) {
	r.meta, r.failure, r.lookups = meta, failure, 0
	a := r.ambiguity
	a.writes, a.failedAt = a.writes+1, time.Now()
	if errors.Is(failure, ErrOutcomeUnknown) {
		a.failure = failure
	}
}

// run looks up what the requests have done, and retries the write, until that is known.
func (r *reconciliation[T]) run(ctx context.Context) (T, callMeta, error) {
	if !r.call.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.call.deadline)
		defer cancel()
	}
	for ctxErr(ctx) == nil {
		l := r.newLookup()
		result, found, err := r.lookUp(ctx, l)
		untilLookup, untilWrite := r.waits(err)
		switch decide(r.situation(ctx, l, found, untilLookup, untilWrite)) {
		case returnResult:
			return result, l.meta, nil
		case returnFailure:
			return *new(T), r.meta, r.failure
		case reportUnknown:
			return *new(T), r.meta, r.unknown(ctx, err)
		case lookUpAgain:
			_ = sleep(ctx, untilLookup) // an end of ctx ends the loop
		case retryWrite:
			if sleep(ctx, untilWrite) != nil {
				continue
			}
			result, meta, err := r.write.send(ctx, r.call)
			if err == nil {
				return result, meta, nil
			}
			r.record(meta, err)
		}
	}
	return *new(T), r.meta, r.unknown(ctx, nil)
}

func (r *reconciliation[T]) newLookup() *lookup {
	a := r.ambiguity
	l := &lookup{call: r.call, since: a.firstSent, failure: r.failure, meta: r.meta, ambiguous: a.failure != nil}
	l.settled = time.Since(a.failedAt) >= a.grace()
	l.decisive = l.settled || !r.write.duplicates
	return l
}

func (r *reconciliation[T]) lookUp(ctx context.Context, l *lookup) (T, finding, error) {
	r.lookups++
	r.call.lookup = true
	defer func() { r.call.lookup = false }()
	result, found, err := r.write.find(ctx, l)
	switch {
	case errors.Is(err, ErrUnauthorized), errors.Is(err, errNoDate):
		found = lookupRefused
	case err != nil:
		found = lookupFailed
	}
	return result, found, err
}

// waits returns how long to wait before another lookup, and before a retry of the write.
func (r *reconciliation[T]) waits(lookupErr error) (lookup, write time.Duration) {
	since, backoff := time.Since(r.ambiguity.failedAt), r.call.retry.Backoff
	var asked time.Duration // by Retry-After; that of a 429 is about other requests
	if r.meta.StatusCode != http.StatusTooManyRequests {
		asked = r.meta.RetryAfter - since
	}
	write = max(0, asked, backoff.wait(r.ambiguity.writes)-since)
	lookup = backoff.wait(r.lookups)
	if rest := r.ambiguity.grace() - since; rest > 0 {
		lookup = min(lookup, rest) // the lookup that decides comes without delay
	}
	lookup = max(lookup, asked)
	if m := metaOf(lookupErr); m != nil {
		lookup = max(lookup, m.RetryAfter)
	}
	return lookup, write
}

// situation describes what is known after a lookup.
func (r *reconciliation[T]) situation(ctx context.Context, l *lookup, found finding, untilLookup, untilWrite time.Duration) situation {
	w, class, ownRefusal := &r.write, classOf(r.failure), isRefusedAs(r.failure, r.write.ownRefusal)
	left := time.Duration(math.MaxInt64)
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	if class == classRefused && !l.ambiguous { // most likely nothing was carried out
		left = min(left, time.Until(r.ambiguity.failedAt.Add(2*graceTime)))
	}
	return situation{
		class: class, ownRefusal: ownRefusal, definite: class == classRefused && !ownRefusal && isDefinite(r.failure),
		ambiguous: l.ambiguous, inParts: w.inParts, duplicates: w.duplicates, found: found, settled: l.settled,
		mayRetry: (w.mayRetry == nil || w.mayRetry()) && (r.meta.StatusCode != 0 || *r.call.retry.RetryConnectionErrors) &&
			!errors.Is(r.failure, errMismatch), // a retry would get the same response
		writeFits:  ctx.Err() == nil && untilWrite+2*r.meta.longest < left,
		lookupFits: ctx.Err() == nil && untilLookup < left,
	}
}

// unknown is the error of a call that could not find out what its write did, after a
// lookup's error or at the end of ctx.
func (r *reconciliation[T]) unknown(ctx context.Context, lookupErr error) error {
	failure, a := r.failure, r.ambiguity
	if a.failure != nil && (isRefusedAs(failure, r.write.ownRefusal) || classOf(failure) == classNotSent) {
		failure = a.failure // what was refused or not sent is only the retry
	}
	unknown := unknownOutcome(failure, lookupErr, ctxErr(ctx))
	if a.failure == nil { // a refused bulk, perhaps created in part
		a.failure = unknown
	}
	return unknown
}

// isRefusedAs reports whether a failure is a refusal that matches a sentinel.
func isRefusedAs(failure, sentinel error) bool {
	return classOf(failure) == classRefused && errors.Is(failure, sentinel)
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
	e := wrap(failure, "", ended)
	e.class, e.lookup = classAmbiguous, lookup
	if lookup != nil {
		e.Message += "; looking it up: " + strings.TrimPrefix(lookup.Error(), "clerk: ")
	}
	return e
}

// wrap returns an error around another one of this package, which says the same after a
// prefix, and also matches what is not nil of also. It has no class.
func wrap(err error, prefix string, also error) *SDKError {
	e := &SDKError{Err: err}
	if also != nil {
		e.Err = errors.Join(err, also)
	}
	if sdk, ok := errors.AsType[*SDKError](err); ok {
		e.ResponseMeta, e.Message, e.Body = sdk.ResponseMeta, sdk.Message, sdk.Body
	} else if refused, ok := errors.AsType[*ClerkErrors](err); ok {
		e.ResponseMeta, e.Message, e.Body = refused.ResponseMeta, refused.summary(), refused.Body
	}
	e.Message = prefix + e.Message
	return e
}

// ctxErr is ctx.Err, and no later than the deadline.
func ctxErr(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// sleep waits for d, or until ctx ends, and returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return ctx.Err()
}
