package clerkriver

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// Work sends what is due, until Clerk's limits say wait, for two minutes at most, and
// returns when to call it again; the zero time means when a campaign is enqueued or
// resumed. Jobs of River call it; without River, call it from whatever runs jobs. Several
// calls at once do no harm: all but one return at once.
//
// When ctx ends, the request under way is finished and its results are kept. The client
// must send through [Campaigns.Transport]. A refused key, or another refusal of the whole
// instance, pauses its campaigns and is no error. An error means that the run ended early
// for another reason; what it did not send stays to be sent.
func (c *Campaigns) Work(ctx context.Context, client *clerk.Client) (time.Time, error) {
	if err := c.checkClient(ctx, client); err != nil {
		return time.Time{}, err
	}
	r, err := c.begin(ctx, client)
	if err == nil && r != nil {
		err = r.work(ctx)
	}
	wait, ok, waitErr := c.wait(context.WithoutCancel(ctx))
	if !ok {
		return time.Time{}, errors.Join(err, waitErr)
	}
	return time.Now().Add(wait), err
}

// A run is one stretch of sending, by the runner that holds the lease.
type run struct {
	c       *Campaigns
	client  *clerk.Client
	id      int64 // the fencing token
	group   group
	resumed []item // taken over from a run that was lost

	ctx  context.Context //nolint:containedctx // of the run, which stop ends
	stop context.CancelCauseFunc

	mu      sync.Mutex
	items   []item // that CreateAll was given, by index
	pulled  []item // that it is yet to be given
	pullErr error

	unknowns []unknown // rows that may have been sent, but have no result
	cause    error     // of the wait that CreateAll began
}

// A group is the campaigns that one run of CreateAll can send: all that skip whoever has
// an invitation, or a single one that does not.
type group struct {
	campaign int64 // 0 for all
	since    time.Time
}

// An unknown is a row that may have been sent, and why its outcome was not kept.
type unknown struct {
	item

	problem string
}

// Why a run ends before its rows do.
var (
	errWait      = errors.New("clerkriver: the run would wait for long")
	errEnough    = errors.New("clerkriver: the run lasted long enough")
	errCancelled = errors.New("clerkriver: a campaign was cancelled")
	errPaused    = errors.New("clerkriver: the campaigns were paused")
	errLeaseLost = errors.New("clerkriver: the lease was lost; another runner may have taken over")
)

// work sends the rows of the group, and gives the lease back.
func (r *run) work(ctx context.Context) error {
	// CreateAll does not begin a wait that would outlast a deadline, and then does not say
	// until when it would have waited. So the run's context ends with ctx, but has none.
	sending, stop := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), runKey{}, r))
	r.ctx, r.stop = sending, stop
	defer r.stop(nil)
	detach := context.AfterFunc(ctx, func() { r.stop(context.Cause(ctx)) })
	defer detach()
	enough := time.AfterFunc(r.c.timing.longest, func() { r.stop(errEnough) })
	defer enough.Stop()
	beating, endBeats := context.WithCancel(context.WithoutCancel(ctx))
	defer endBeats() // also if OnResult panics
	var beats sync.WaitGroup
	beats.Go(func() { r.heartbeat(beating) })
	err := r.settleCancelled(sending)
	var failure error
	if err == nil {
		failure = r.send(sending)
	}
	endBeats()
	beats.Wait()
	pause, problem := r.classify(failure)
	if err = errors.Join(err, problem); err == nil && len(r.unknowns) > 0 {
		err = errors.New(r.unknowns[len(r.unknowns)-1].problem)
	}
	return errors.Join(err, r.end(ctx, pause, err, errors.Is(failure, clerk.ErrOutcomeUnknown)))
}

// send runs CreateAll over the rows.
func (r *run) send(ctx context.Context) error {
	if found, err := r.choose(ctx); err != nil || !found {
		return err
	}
	opts := []clerk.CreateAllOption{
		clerk.WithBudget(r.c.config.Budget), clerk.WithProgress(r.observe), clerk.WithSourceError(r.sourceError),
	}
	if r.group.campaign != 0 {
		opts = append(opts, clerk.WithSkipSince(r.group.since))
	}
	for made, err := range r.client.Invitations.CreateAll(ctx, r.requests, opts...) {
		if err != nil {
			return err
		}
		r.mu.Lock()
		it := r.items[made.Index]
		r.mu.Unlock()
		r.settle(ctx, it, made)
	}
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
	r.pulled, r.items = r.pulled[1:], append(r.items, it)
	return it, true
}

func (r *run) sourceError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pullErr
}

// observe ends the run where CreateAll begins to wait for long.
func (r *run) observe(p clerk.Progress) {
	if time.Until(p.WaitUntil) > r.c.timing.patience {
		r.cause = p.Cause
		r.stop(errWait)
	}
}

// classify says what the failure of CreateAll means: a reason to pause all campaigns, or a
// problem to report.
func (r *run) classify(failure error) (pause string, problem error) {
	sdk, isSDK := errors.AsType[*clerk.SDKError](failure)
	cause := context.Cause(r.ctx)
	problem = failure
	switch {
	case failure == nil:
	case errors.Is(failure, clerk.ErrUnauthorized):
		pause, problem = "Clerk does not accept the secret key: "+failure.Error(), nil
	case isSDK && isRefusal(sdk.StatusCode):
		pause, problem = "Clerk refuses all requests: "+failure.Error(), nil
	case r.cause != nil:
		problem = r.cause
	case errors.Is(cause, errLeaseLost):
		problem = cause
	case cause != nil: // the rows go on in the next run
		problem = nil
	}
	return pause, problem
}

// isRefusal reports whether the same request would meet the same status again. CreateAll
// ends with one only if it is about all requests.
func isRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// heartbeat extends the lease, and ends the run when it cannot, or is to.
func (r *run) heartbeat(ctx context.Context) {
	lease := r.c.timing.lease
	ticker := time.NewTicker(lease / 3)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		begun := time.Now()
		err := r.extend(ctx)
		switch {
		case err == nil:
			last = begun
		case errors.Is(err, errLeaseLost), errors.Is(err, errPaused), errors.Is(err, errCancelled):
			r.stop(err)
		case time.Since(last) > lease/2:
			r.stop(errLeaseLost)
		}
	}
}
