package clerk

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/outage"
	"github.com/clerk-invitations/clerk-go/internal/timing"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// After an ambiguous failure of a write, the library looks up what the write did, and then
// returns the call's own work, retries the write or the missing part of it, or reports that
// the outcome is unknown. No ambiguous write is retried without a lookup.

// A write describes an operation whose outcome can be looked up.
type write[T any] struct {
	send            sender[T]                                                 // of what is still missing
	find            func(context.Context, *lookup) (T, decide.Finding, error) // what the call's requests have done
	ownRefusal      error                                                     // whose reason may be an earlier request of the call
	retryDuplicates bool                                                      // Clerk would carry out a retry a second time
	idempotent      bool                                                      // a retry does no harm, and its response decides
	mayRetry        func() bool                                               // is asked before a retry; nil means always
}

type sender[T any] func(context.Context, *call) (T, error)

// reconcile carries out a write until its outcome is known, or time is up.
func reconcile[T any](ctx context.Context, c *call, w write[T]) (T, error) {
	result, err := w.send(ctx, c)
	if err == nil {
		return result, nil
	}
	c.sent = decide.History{FirstSent: c.last.sent} // it may have been held back before that
	c.sent.Failed(err, classOf(err))
	if c.retry.Strategy == RetryNone || c.sent.Ambiguous == nil {
		return result, err
	}
	return (&reconciliation[T]{call: c, write: w, failure: err}).run(ctx)
}

// resume continues a write whose outcome is unknown. c.sent holds what is known about it.
func resume[T any](ctx context.Context, c *call, w write[T]) (T, error) {
	return (&reconciliation[T]{call: c, write: w, failure: c.sent.Ambiguous}).run(ctx)
}

// A reconciliation looks up what an ambiguous write did, and retries it if needed.
type reconciliation[T any] struct {
	call    *call
	write   write[T]
	failure error // of the last request
}

// run looks up what the requests have done, and retries the write, until that is known.
func (r *reconciliation[T]) run(ctx context.Context) (T, error) {
	ctx, cancel := r.call.withDeadline(ctx)
	defer cancel()
	defer func() { r.call.pass = 0 }()
	for clock.Err(ctx) == nil {
		result, s, err := r.lookUp(ctx)
		untilLookup, untilWrite := r.waits(s, err)
		left := clock.Left(ctx)
		s.LookupFits = untilLookup < left && !errors.Is(r.failure, errOtherAddress)
		if !r.write.idempotent {
			left -= timing.ForWrite(r.call.last.longest) // adding to untilWrite may overflow
		}
		s.WriteFits = untilWrite < left
		switch decide.Next(s) {
		case decide.ReturnResult:
			return result, nil
		case decide.ReturnFailure:
			return *new(T), r.failure
		case decide.ReportUnknown:
			return *new(T), r.unknown(ctx, err)
		case decide.LookUpAgain:
			_ = r.call.pause(ctx, "lookup", untilLookup) // an end of ctx ends the loop
		case decide.RetryWrite:
			if r.call.pause(ctx, "retry", untilWrite) != nil {
				continue
			}
			if result, err = r.write.send(ctx, r.call); err == nil {
				return result, nil
			}
			if at := r.call.last.sent; s.Settled && !at.IsZero() { // nothing that was sent before had an effect
				r.call.sent.FirstSent = at
			}
			r.call.sent.Failed(err, classOf(err))
			r.failure = err
		}
	}
	return *new(T), r.unknown(ctx, nil)
}

// lookUp looks up what the requests have done. It returns the situation, except for the time
// that is left, and the lookup's error.
func (r *reconciliation[T]) lookUp(ctx context.Context) (T, decide.Situation, error) {
	w := &r.write
	r.call.pass++
	l := r.call.newLookup(r.failure, w.ownRefusal, w.retryDuplicates)
	result, found, err := w.find(ctx, l)
	r.call.count(l.call)
	switch {
	case isFinal(err):
		found = decide.LookupRefused
	case err != nil:
		found = decide.LookupFailed
	case found == decide.FoundOwn && l.call.attempts > 0:
		r.call.last = l.call.last // the response with the result
	}
	mayRetry := (w.mayRetry == nil || w.mayRetry()) &&
		(r.call.last.StatusCode != 0 || *r.call.retry.RetryConnectionErrors) &&
		!errors.Is(r.failure, errMismatch) // a retry would get the same response
	return result, decide.Situation{
		Last: l.last, RetryDuplicates: w.retryDuplicates, Found: found, Settled: l.settled, MayRetry: mayRetry,
	}, err
}

// waits returns how long to wait before another lookup, and before a retry of the write, in
// the situation after a lookup with an error.
func (r *reconciliation[T]) waits(s decide.Situation, lookupErr error) (untilLookup, untilWrite time.Duration) {
	c := r.call
	var asked time.Duration // by Retry-After; a rate limit's is about other requests
	if c.last.class != transport.RateLimited {
		asked = c.last.RetryAfter
	}
	return c.timing().Waits(&c.sent, asked, timing.Lookup{
		Pass: c.pass, Failed: lookupErr != nil, Early: !s.Settled, Asked: askedBy(lookupErr),
	})
}

// unknown returns the error of a call that could not determine what its write did, after a
// lookup's error or at the end of ctx.
func (r *reconciliation[T]) unknown(ctx context.Context, lookupErr error) error {
	failure, ambiguous := r.failure, r.call.sent.Ambiguous
	if failureOf(failure, r.write.ownRefusal) == decide.RefusedAsDone || classOf(failure) == transport.NotSent {
		failure = ambiguous // only the retry was refused or not sent
	}
	unknown := unknownOutcome(failure, lookupErr, clock.Err(ctx))
	if held, ok := errors.AsType[*outage.Error](r.failure); ok {
		e := wrap(unknown, "", nil)
		e.class, e.lookupErr = transport.Ambiguous, lookupErr
		e.Message += "; its retry was " + held.Error()
		return e
	}
	return unknown
}

// unknownOutcome returns the error of a call that could not determine what its write did. It
// includes the lookup's error only as text, so that errors.Is does not match it.
func unknownOutcome(failure, lookup, ended error) error {
	if lookup == nil && ended == nil && classOf(failure) == transport.Ambiguous {
		return failure
	}
	e := wrap(failure, "", ended)
	e.class, e.lookupErr = transport.Ambiguous, lookup
	if lookup != nil {
		if sdk, ok := errors.AsType[*SDKError](lookup); ok { // e includes its attempts
			uncounted := *sdk
			uncounted.Attempts, lookup = 0, &uncounted
		}
		e.Message += "; looking it up: " + strings.TrimPrefix(lookup.Error(), "clerk: ")
	}
	return e
}
