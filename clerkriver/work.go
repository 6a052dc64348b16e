package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// Work sends what is due, until Clerk's limits are used up or two minutes have passed. It
// returns the time at which to call it again; the zero time means when a campaign is enqueued
// or resumed. River's jobs do the same. Without River, call it from whatever runs your jobs.
// Concurrent calls are harmless: all but one return at once.
//
// When ctx ends, the request under way is finished and its results are kept. The client must
// be created by [Campaigns.NewClient].
//
// An error means that the run ended early. The unsent rows stay queued, so call Work again at
// the returned time. The error wraps the cause, such as [clerk.ErrUnauthorized],
// [ErrNotMigrated] or [clerk.ErrNotSent]. If Clerk refuses the key, all creates or all
// requests, Work tries again more and more rarely, and pauses the campaigns if that lasts for
// three [Config].Wake. While they are paused, Work sends nothing and returns no error, and
// [Status].Paused says why. Such a refusal does not fail a wake job.
func (c *Campaigns) Work(ctx context.Context, client *clerk.Client) (time.Time, error) {
	if err := c.checkClient(client); err != nil {
		return time.Time{}, err
	}
	failure := c.work(ctx, client, false, nil)
	last, cancel := c.closing(ctx)
	defer cancel()
	next, err := c.due(last, true)
	if failure != nil {
		err = failure
	}
	if !next.ok {
		return time.Time{}, err
	}
	return time.Now().Add(next.wait), err
}

// work makes a run if one is due. It calls begun, if not nil, when the run has begun.
func (c *Campaigns) work(ctx context.Context, client *clerk.Client, paced bool, begun func()) error {
	_ = c.limit.ready(ctx) // limits may be higher than before; if it fails, so does what follows
	c.reportPaused(ctx)
	next, err := c.due(ctx, paced)
	if err != nil || !next.ok || next.wait > 0 {
		return err
	}
	r, err := c.begin(ctx, client, paced)
	if err != nil || r == nil {
		return err
	}
	r.reportBegun(ctx)
	r.reportResumed(ctx, false)
	return r.work(ctx, begun)
}

// The reasons for which a run ends although nothing is wrong.
var (
	errWait   = errors.New("clerkriver: the run would wait too long")
	errEnough = errors.New("clerkriver: the run lasted long enough")
)

// work sends the rows of the group, and gives the lease back.
func (r *run) work(ctx context.Context, begun func()) error {
	// CreateAll does not start a wait that would outlast a deadline, and does not report until
	// when it would have waited. So the run's context ends with ctx, but has no deadline.
	sending, stop := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), leaseKey{}, &r.lease))
	r.ctx, r.stop = sending, stop
	defer r.stop(nil)
	detach := context.AfterFunc(ctx, func() { r.stop(context.Cause(ctx)) })
	defer detach()
	enough := time.AfterFunc(r.c.timing.longest, func() { r.stop(errEnough) })
	defer enough.Stop()
	beating, endBeats := context.WithCancel(context.WithoutCancel(ctx))
	defer endBeats() // even if the caller's transport panics
	var beats sync.WaitGroup
	beats.Go(func() { r.heartbeat(beating, r.c.timing.lease, 2*r.c.timing.longest) })
	if begun != nil {
		begun()
	}
	v := r.classify(r.steps(sending))
	if r.group.reminds {
		_ = r.revokeReplaced(ctx) // the next run retries failures
	}
	endBeats()
	beats.Wait()
	r.c.reportUntold(ctx, r.run, r.untold, r.firstUntold)
	if v.problem == nil && len(r.unknowns) > 0 {
		v.problem = errors.New(r.unknowns[len(r.unknowns)-1].problem)
	}
	if v.problem == nil {
		v.problem = r.unrevoked
	}
	if err := r.end(ctx, v); err != nil {
		err = withDatabase(v.problem, err)
		r.c.report(ctx, Event{Kind: EventRunEnded, Run: r.run, Reason: oneLine(err.Error())})
		return err
	}
	r.c.reportPaused(ctx)
	if v.refused {
		return refusalError{v.problem}
	}
	return v.problem
}

// A refusalError is the error of a run if Clerk refuses all of its requests. The rows wait,
// Status shows why, and no job fails because of it.
type refusalError struct{ error }

// Unwrap returns Clerk's refusal.
func (e refusalError) Unwrap() error { return e.error }

// steps does the work of a run.
func (r *run) steps(ctx context.Context) error {
	if err := r.tell(ctx); err != nil {
		return err
	}
	if err := r.tellChanges(ctx); err != nil {
		return err
	}
	if err := r.eraseEnded(ctx); err != nil {
		return err
	}
	if r.held {
		r.idle = true
		return r.sync(ctx)
	}
	if err := r.settleCancelled(ctx); err != nil {
		return err
	}
	if err := r.revokeReplaced(ctx); !r.isStopped() { // otherwise it failed because the run ends
		r.unrevoked = err // it does not keep rows from being sent
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	found, err := r.choose(ctx)
	if err != nil || !found {
		return err
	}
	if err := r.mayWrite(ctx); err != nil {
		return err
	}
	if r.group.reminds {
		if err := r.prepareReminders(ctx); err != nil {
			return err
		}
	}
	err = r.send(ctx)
	r.keepSkipped(ctx)
	return err
}

// send runs CreateAll over the rows.
func (r *run) send(ctx context.Context) error {
	opts := []clerk.CreateAllOption{
		clerk.WithBudget(r.c.config.Budget), clerk.WithProgress(r.observe), clerk.WithSourceError(r.sourceError),
	}
	switch {
	case r.group.reminds: // rows that an earlier run sent were looked up
		opts = append(opts, clerk.WithSkipNone())
	case r.group.campaign != 0:
		opts = append(opts, clerk.WithSkipSince(r.group.since))
	}
	for made, err := range r.client.Invitations.CreateAll(ctx, r.requests, opts...) {
		if err != nil {
			return err
		}
		r.mu.Lock()
		it := r.given[made.Index]
		r.mu.Unlock()
		if isAnswer(made) {
			r.answered(ctx)
		}
		r.settle(ctx, it, made)
		r.keepSkipped(ctx)
	}
	r.asked = true
	return nil
}

// requests is the source of CreateAll.
func (r *run) requests(yield func(clerk.CreateInvitationRequest) bool) {
	for {
		it, ok := r.next()
		if !ok || !yield(it.request) {
			return
		}
	}
}

// next takes the next row, from the database if none is at hand.
func (r *run) next() (item, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pulled) == 0 && r.ctx.Err() == nil {
		r.pulled, r.pullErr = r.pull(r.ctx)
	}
	if len(r.pulled) == 0 {
		return item{}, false
	}
	it := r.pulled[0]
	r.pulled, r.given = r.pulled[1:], append(r.given, it)
	return it, true
}

func (r *run) sourceError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pullErr
}

// observe ends the run when CreateAll begins a long wait, and shows why it makes a short one.
func (r *run) observe(p clerk.Progress) {
	if p.Cause != nil {
		r.cause = p.Cause
	}
	if time.Until(p.WaitUntil) > r.c.timing.patience {
		r.stop(errWait)
		return
	}
	if p.Cause == nil {
		return
	}
	if problem := oneLine(plain(p.Cause).Error()); problem != r.shown {
		_, _ = r.show(r.ctx, problem)
	}
}

// classify returns what the failure of a run means.
func (r *run) classify(failure error) verdict {
	if err := r.sourceError(); err != nil && errors.Is(failure, err) {
		failure = err // without CreateAll's words: it is the database's
	}
	v := verdict{problem: failure, mayBeKnown: errors.Is(failure, clerk.ErrOutcomeUnknown)}
	sdk, isSDK := errors.AsType[*clerk.SDKError](failure)
	_, hasEnvelope := errors.AsType[*clerk.ClerkErrors](failure)
	cause := context.Cause(r.ctx)
	switch {
	case failure == nil:
	case errors.Is(failure, clerk.ErrUnauthorized):
		v.problem = fmt.Errorf("Clerk does not accept the secret key: %w", failure) //nolint:staticcheck // Clerk is a name
		v.refused, v.enveloped = true, hasEnvelope
	case isSDK && isRefusal(sdk.StatusCode):
		what := "all requests"
		if v.creates = sdk.Operation != clerk.OperationList; v.creates {
			what = "to create invitations"
		}
		v.problem = fmt.Errorf("Clerk refuses %s: %w", what, failure) //nolint:staticcheck // Clerk is a name
		v.refused, v.enveloped = true, hasEnvelope
	case errors.Is(cause, errLeaseLost) && r.cause != nil:
		v.problem = fmt.Errorf("%w; it waited before, because of this: %w", cause, plain(r.cause))
	case errors.Is(cause, errLeaseLost):
		v.problem = cause
	case cause == nil:
		v.problem = plain(failure)
	default: // the rows wait for the next run; nil unless Clerk was down
		v.problem = plain(r.cause)
	}
	return v
}

// isRefusal reports whether the same request would get the same status again. CreateAll ends
// with such a status only if it is about all requests.
func isRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}
