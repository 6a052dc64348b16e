package clerk

import (
	"context"
	"errors"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/pace"
)

// errStopped ends a run when the caller leaves the loop.
var errStopped = errors.New("clerk: the loop was left")

// An item is a request that has no result yet.
type item struct {
	index   int
	request CreateInvitationRequest
	body    []byte // its JSON
	key     addresses.Key
	last    decide.History   // of its last request
	earlier []decide.History // of earlier requests that may have created it
}

// A reporter yields the results of a run, and calls the caller's progress functions.
type reporter struct {
	yield    func(CreateResult, error) bool
	reports  []func(Progress)
	pace     *pace.Pace
	progress Progress
}

// take counts a request that was read, and returns its item.
func (r *reporter) take(req CreateInvitationRequest) item {
	r.progress.Taken++
	return item{index: r.progress.Taken - 1, request: req}
}

// result yields the result of an item.
func (r *reporter) result(it *item, result CreateResult) error {
	result.Index, result.Request = it.index, it.request
	*r.progress.counter(result.Outcome)++
	r.report(time.Time{}, pace.None, nil)
	if !r.yield(result, nil) {
		return errStopped
	}
	return nil
}

// announce reports a wait, unless it has been reported. It fails if the wait would outlast
// ctx's deadline.
func (r *reporter) announce(ctx context.Context, until time.Time, limit pace.Limit, cause error) error {
	wait := time.Until(until)
	if deadline, ok := ctx.Deadline(); ok && !until.Before(deadline) {
		return &SDKError{
			ResponseMeta: ResponseMeta{RetryAfter: wait},
			Message:      "no request can be sent before the deadline", Err: context.DeadlineExceeded,
		}
	}
	if wait > 0 && !until.Equal(r.progress.WaitUntil) {
		r.report(until, limit, cause)
	}
	return nil
}

// report reports the progress, and the wait that has begun.
func (r *reporter) report(waitUntil time.Time, limit pace.Limit, cause error) {
	r.progress.WaitUntil, r.progress.WaitFor, r.progress.Cause = waitUntil, limited[limit], cause
	if len(r.reports) == 0 {
		return
	}
	p := r.progress
	p.forecast = r.pace.Forecast(time.Now())
	for _, report := range r.reports {
		report(p)
	}
}
