package clerk

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// After an ambiguous failure of a write, or any refusal of a bulk, the library looks up
// what the write did, and then returns the call's own work, retries the write or the
// missing part of it, or reports that the outcome is unknown. No ambiguous write is
// retried without a lookup.

const (
	// graceTime is how long after an ambiguous failure the write's work may still be
	// missing from lists. A write that Clerk would not refuse as a duplicate is retried
	// only after a lookup that began later did not find it.
	graceTime = 5 * time.Second
	// graceAfterTimeout is the same after an attempt that timed out, as Clerk may still
	// be carrying it out.
	graceAfterTimeout = 2 * graceTime
)

// A write is an operation whose outcome can be looked up.
type write[T any] struct {
	send            sender[T]                                                 // of what is still missing
	find            func(context.Context, *lookup) (T, decide.Finding, error) // what the call's requests have done
	ownRefusal      error                                                     // whose reason may be an earlier request of the call
	retryDuplicates bool                                                      // Clerk would carry out a retry a second time
	inParts         bool                                                      // a refused request may have been carried out in part
	mayRetry        func() bool                                               // is asked before a retry; nil means always
}

type sender[T any] func(context.Context, *call) (T, callMeta, error)

// A history is what is known of a write's requests so far.
type history struct {
	firstSent time.Time
	failedAt  time.Time // when the last request failed
	open      error     // the last failure that left the outcome open; nil before
	writes    int       // requests so far
}

// grace is how long after the failure the write's work may still be missing from lists.
func (h *history) grace() time.Duration {
	if errors.Is(h.open, context.DeadlineExceeded) {
		return graceAfterTimeout
	}
	return graceTime
}

// A reconciliation finds out what a write did, and retries it.
type reconciliation[T any] struct {
	call    *call
	write   write[T]
	history *history

	failure error    // of the last request
	meta    callMeta // of the last request
	lookups int      // since the last request
}

// reconcile carries out a write until its outcome is known, or time is up. If h is not
// nil, it continues from there, and records there how far it got.
func reconcile[T any](ctx context.Context, c *call, w write[T], h *history) (T, callMeta, error) {
	if h != nil && h.open != nil {
		r := &reconciliation[T]{call: c, write: w, history: h, failure: h.open}
		return r.run(ctx)
	}
	started := time.Now()
	result, meta, err := w.send(ctx, c)
	if err == nil {
		return result, meta, nil
	}
	if h == nil {
		h = new(history)
	}
	h.firstSent = started
	r := &reconciliation[T]{call: c, write: w, history: h}
	r.record(meta, err)
	isPartial := w.inParts && classOf(err) == transport.Refused
	if c.retry.Strategy == RetryNone || h.open == nil && !isPartial {
		return result, meta, err
	}
	return r.run(ctx)
}

// record notes that a request of the write failed.
func (r *reconciliation[T]) record(meta callMeta, failure error) {
	r.meta, r.failure, r.lookups = meta, failure, 0
	h := r.history
	h.writes, h.failedAt = h.writes+1, time.Now()
	if errors.Is(failure, ErrOutcomeUnknown) {
		h.open = failure
	}
}

// run looks up what the requests have done, and retries the write, until that is known.
func (r *reconciliation[T]) run(ctx context.Context) (T, callMeta, error) {
	if !r.call.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.call.deadline)
		defer cancel()
	}
	for clock.Err(ctx) == nil {
		result, l := r.lookUp(ctx)
		untilLookup, untilWrite := r.waits(l)
		switch decide.Next(r.situation(l, clock.Left(ctx), untilLookup, untilWrite)) {
		case decide.ReturnResult:
			return result, l.meta, nil
		case decide.ReturnFailure:
			return *new(T), r.meta, r.failure
		case decide.ReportUnknown:
			return *new(T), r.meta, r.unknown(ctx, l.err)
		case decide.LookUpAgain:
			_ = clock.Sleep(ctx, untilLookup) // an end of ctx ends the loop
		case decide.RetryWrite:
			if clock.Sleep(ctx, untilWrite) != nil {
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

// lookUp looks up what the requests have done.
func (r *reconciliation[T]) lookUp(ctx context.Context) (T, *lookup) {
	h, w := r.history, &r.write
	l := &lookup{call: r.call, since: h.firstSent, failure: r.failure, statuses: allStatuses[:1], meta: r.meta}
	l.situation = decide.Situation{
		Last: failureOf(r.failure, w.ownRefusal), Ambiguous: h.open != nil,
		InParts: w.inParts, RetryDuplicates: w.retryDuplicates, Settled: time.Since(h.failedAt) >= h.grace(),
	}
	if l.situation.Ambiguous && (l.situation.Settled || !w.retryDuplicates) { // a retry may be next
		l.statuses = allStatuses // also what somebody else has revoked already
	}
	r.call.isLookup, r.lookups = true, r.lookups+1
	defer func() { r.call.isLookup = false }()
	var result T
	result, l.situation.Found, l.err = w.find(ctx, l)
	switch {
	case errors.Is(l.err, ErrUnauthorized), errors.Is(l.err, errNoDate):
		l.situation.Found = decide.LookupRefused
	case l.err != nil:
		l.situation.Found = decide.LookupFailed
	}
	return result, l
}

// waits returns how long to wait before another lookup, and before a retry of the write.
func (r *reconciliation[T]) waits(l *lookup) (untilLookup, untilWrite time.Duration) {
	since := time.Since(r.history.failedAt)
	var asked time.Duration // by Retry-After; that of a 429 is about other requests
	if r.meta.StatusCode != http.StatusTooManyRequests {
		asked = r.meta.RetryAfter - since
	}
	untilWrite = max(0, asked, r.call.backoff(r.history.writes)-since)
	untilLookup = r.call.backoff(r.lookups)
	if rest := r.history.grace() - since; rest > 0 {
		untilLookup = min(untilLookup, rest) // the lookup that decides comes without delay
	}
	if m := metaOf(l.err); m != nil {
		untilLookup = max(untilLookup, m.RetryAfter)
	}
	return max(untilLookup, asked), untilWrite
}

// situation is what is known after a lookup, with so much time left.
func (r *reconciliation[T]) situation(l *lookup, left, untilLookup, untilWrite time.Duration) decide.Situation {
	s, mayRetry := l.situation, r.write.mayRetry
	if s.Last >= decide.Refused && !s.Ambiguous { // most likely nothing was carried out
		left = min(left, time.Until(r.history.failedAt.Add(2*graceTime)))
	}
	s.LookupFits = untilLookup < left
	s.WriteFits = untilWrite < left-2*r.meta.longest // adding to untilWrite may overflow
	s.MayRetry = (mayRetry == nil || mayRetry()) &&
		(r.meta.StatusCode != 0 || *r.call.retry.RetryConnectionErrors) &&
		!errors.Is(r.failure, errMismatch) // a retry would get the same response
	return s
}

// failureOf says what a failure means for its write, whose earlier requests may be the
// reason for a refusal that matches own.
func failureOf(failure, own error) decide.Failure {
	class := classOf(failure)
	switch {
	case class == transport.Ambiguous:
		return decide.OutcomeUnknown
	case class != transport.Refused:
		return decide.NotCarriedOut
	case errors.Is(failure, own):
		return decide.RefusedAsDone
	case isDefinite(failure):
		return decide.RefusedForGood
	}
	return decide.Refused
}

// unknown is the error of a call that could not find out what its write did, after a
// lookup's error or at the end of ctx.
func (r *reconciliation[T]) unknown(ctx context.Context, lookupErr error) error {
	failure, h := r.failure, r.history
	last := failureOf(failure, r.write.ownRefusal)
	if h.open != nil && (last == decide.RefusedAsDone || classOf(failure) == transport.NotSent) {
		failure = h.open // what was refused or not sent is only the retry
	}
	unknown := unknownOutcome(failure, lookupErr, clock.Err(ctx))
	if h.open == nil { // a refused bulk, perhaps created in part
		h.open = unknown
	}
	return unknown
}

// unknownOutcome is the error of a call that could not find out what its write did. It
// includes the lookup's error only as text, so that errors.Is does not match it.
func unknownOutcome(failure, lookup, ended error) error {
	if lookup == nil && ended == nil && classOf(failure) == transport.Ambiguous {
		return failure
	}
	e := wrap(failure, "", ended)
	e.class, e.lookupErr = transport.Ambiguous, lookup
	if lookup != nil {
		e.Message += "; looking it up: " + strings.TrimPrefix(lookup.Error(), "clerk: ")
	}
	return e
}
