package clerk

import (
	"context"
	"errors"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// report yields the result of an item.
func (r *run) report(it *item, result CreateResult) error {
	result.Index, result.Request = it.index, it.request
	*r.progress.counter(result.Outcome)++
	known := addresses.Entry{State: uint8(result.Outcome)}
	switch {
	case result.Invitation != nil:
		known = addresses.Entry{State: uint8(OutcomeRepeated), ID: result.Invitation.ID, Status: string(InvitationStatusPending)}
	case result.Existing != nil:
		known.ID, known.Status = result.Existing.ID, string(result.Existing.Status)
	}
	if result.Outcome == OutcomeRejected { // the address may be accepted with other parameters
		r.known.Remove(it.key)
	} else {
		r.known.Set(it.key, known)
	}
	r.reportProgress(time.Time{}, "", nil)
	if !r.yield(result, nil) {
		return errStopped
	}
	return nil
}

// beginWait reports a wait, unless it has been reported. It fails if the wait would outlast
// the deadline.
func (r *run) beginWait(ctx context.Context, until time.Time, limit Operation, cause error) error {
	wait := time.Until(until)
	if deadline, ok := ctx.Deadline(); ok && !until.Before(deadline) {
		return &SDKError{
			ResponseMeta: ResponseMeta{RetryAfter: wait},
			Message:      "no request can be sent before the deadline", Err: context.DeadlineExceeded,
		}
	}
	if wait > 0 && !until.Equal(r.progress.WaitUntil) {
		r.reportProgress(until, limit, cause)
	}
	return nil
}

// reportProgress reports the progress, and the wait that has begun.
func (r *run) reportProgress(waitUntil time.Time, waitFor Operation, cause error) {
	r.progress.WaitUntil, r.progress.WaitFor, r.progress.Cause = waitUntil, waitFor, cause
	if len(r.config.progress) == 0 {
		return
	}
	now, p := time.Now(), r.progress
	p.at = now
	p.available = r.bulks.Left(now)*MaxBulkInvitations + r.creates.Left(now)
	p.renewed = now.Add(min(r.creates.Renewal(now), r.bulks.Renewal(now)))
	for _, report := range r.config.progress {
		report(p)
	}
}

// sourceError is the read error of the requests that have ended.
func (r *run) sourceError() error {
	if r.config.sourceError == nil {
		return nil
	}
	err := r.config.sourceError()
	if err == nil {
		return nil
	}
	return &SDKError{Message: "reading the requests failed: " + redact.Line(err.Error()), Err: err}
}

// ended is the error of a run that ended early. It says whether the outcome of a request
// is unknown.
func (r *run) ended(err error) error {
	e := wrapping(err)
	if e.Message == "" { // the error is not of this package
		e.Message = "the run was stopped: " + redact.Line(err.Error())
	}
	if lookup := lookupEnds(err); lookup != nil {
		e.Err = errors.Join(err, lookup)
	}
	if r.queue.HasAmbiguous() || errors.Is(err, ErrOutcomeUnknown) {
		e.class = classAmbiguous
	}
	return e
}
