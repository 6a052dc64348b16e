package clerk

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// report yields a result.
func (r *run) report(it item, outcome Outcome, inv *Invitation, existing *ExistingInvitation, err error) error {
	*r.progress.counter(outcome)++
	switch outcome {
	case OutcomeRejected: // the address may be accepted with other parameters
		r.known.remove(it.key)
	case OutcomeCreated:
		err = nil
		r.known.set(it.key, outcome, &ExistingInvitation{inv.ID, InvitationStatusPending})
	case OutcomeUnknown:
		r.known.set(it.key, outcome, nil)
	case OutcomeRepeated:
		err = nil
	default:
		err = nil
		r.known.set(it.key, outcome, existing)
	}
	r.progress.WaitUntil, r.progress.WaitFor, r.progress.Cause = time.Time{}, "", nil
	r.reportProgress()
	result := CreateResult{Index: it.index, Request: it.request, Outcome: outcome, Invitation: inv, Existing: existing, Err: err}
	if !r.yield(result, nil) {
		r.stopped = true
		return errStopped
	}
	return nil
}

// reportWait reports a wait that has not been reported.
func (r *run) reportWait(now time.Time, wait time.Duration) {
	until, limit := now.Add(wait), OperationBulkCreate
	if r.creates.Wait(now) < r.bulks.Wait(now) {
		limit = OperationCreate
	}
	switch {
	case !r.pause.Before(until):
		limit = ""
	case r.queue.wait(now) >= wait: // for a parked item
		limit = ""
	default:
		r.progress.Cause = nil
	}
	if wait > 0 && !until.Equal(r.progress.WaitUntil) {
		r.progress.WaitUntil, r.progress.WaitFor = until, limit
		r.reportProgress()
	}
}

func (r *run) reportProgress() {
	if r.config.progress == nil {
		return
	}
	now, p := time.Now(), r.progress
	p.at = now
	p.available = r.bulks.Left(now)*MaxBulkInvitations + r.creates.Left(now)
	p.renewed = now.Add(min(r.creates.Renewal(now), r.bulks.Renewal(now)))
	r.config.progress(p)
}

// outOfTime is the error of a run whose next wait would outlast its deadline.
func outOfTime(wait time.Duration) error {
	return &SDKError{
		ResponseMeta: ResponseMeta{RetryAfter: wait},
		Message:      "no request can be sent before the deadline", Err: context.DeadlineExceeded,
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
	if r.stopped {
		return err
	}
	e := wrap(err, "", lookupEnds(err))
	if e.Message == "" { // the error is not of this package
		e.Message = "the run was stopped: " + redact.Line(err.Error())
	}
	if slices.ContainsFunc(r.queue.all(), func(it item) bool { return it.ambiguity.failure != nil }) || errors.Is(err, ErrOutcomeUnknown) {
		e.class = classAmbiguous
	}
	return e
}
