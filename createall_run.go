package clerk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/queue"
)

// batchLinger is how long a run waits for the iterator to fill a bulk.
const batchLinger = time.Second

// A run is one loop over CreateAll. It works in the loop's goroutine: it pulls requests
// into a queue, sends what the limiters allow, and reports the results.
type run struct {
	call   *call
	config createAllConfig
	puller *async.Puller[CreateInvitationRequest]
	yield  func(CreateResult, error) bool

	known          addresses.Map // State is the outcome of another request; 0 while one is in the queue
	queue          *queue.Queue[item]
	creates, bulks *limiter.Limiter

	listedAt time.Time // when the existing invitations were listed; zero before
	relisted bool      // once more, for requests with IgnoreExisting
	pause    time.Time // no request before
	cause    error     // the failure that the pause is for
	progress Progress
}

// An item is a request that has no result yet.
type item struct {
	index     int
	request   CreateInvitationRequest
	body      []byte // its JSON
	key       addresses.Key
	firstSent time.Time // in a request that may have created it; zero before
	last      ambiguity // of the last request
}

// A queued is an item in the queue.
type queued = queue.Item[item]

// errStopped ends a run whose loop was left.
var errStopped = errors.New("clerk: the loop was left")

func newRun(c *call, cfg createAllConfig, yield func(CreateResult, error) bool) *run {
	b := cfg.budget
	return &run{
		call: c, config: cfg, yield: yield,
		queue:    queue.New[item](MaxBulkInvitations),
		creates:  limiter.New(b.Creates, b.Window),
		bulks:    limiter.New(b.BulkCreates, b.Window),
		progress: Progress{budget: b},
	}
}

// newCall returns a copy of the call that has all of its time.
func (r *run) newCall() *call {
	c := *r.call
	c.restart()
	return &c
}

func (r *run) start(ctx context.Context, requests iter.Seq[CreateInvitationRequest]) error {
	r.puller = async.NewPuller(requests)
	defer r.puller.Close()
	for {
		if err := r.gather(ctx); err != nil {
			return err
		}
		if r.queue.IsEmpty() {
			return r.sourceError()
		}
		if err := r.send(ctx); err != nil {
			return err
		}
	}
}

// gather pulls requests until there is a batch to send, or the iterator has no more, or
// none for a while, and a limiter permits sending. If the queue is empty then, the run
// has ended.
func (r *run) gather(ctx context.Context) error {
	var linger time.Time // until when it waits for the iterator to fill a bulk
	for ctx.Err() == nil {
		now := time.Now()
		wait, isEmpty := r.wait(now), r.queue.IsEmpty()
		enough := r.puller.Ended() || r.queue.IsFull(now)
		if enough && (isEmpty || wait == 0) {
			return nil
		}
		if !isEmpty {
			limit, cause := r.waitReason(now, wait)
			if err := r.beginWait(ctx, now.Add(wait), limit, cause); err != nil {
				return err
			}
		}
		if wait == 0 {
			if linger.IsZero() {
				linger = now.Add(batchLinger)
			}
			if wait = linger.Sub(now); wait <= 0 {
				return nil
			}
		}
		if enough {
			_ = sleep(ctx, wait) // an end of ctx ends the loop
		} else if err := r.pull(ctx, wait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wait returns how long it is until something can be sent.
func (r *run) wait(now time.Time) time.Duration {
	return max(r.pause.Sub(now), min(r.creates.Wait(now), r.bulks.Wait(now)), r.queue.Wait(now))
}

// waitReason returns the operation whose limit is waited for so long or, if it is none,
// the failure.
func (r *run) waitReason(now time.Time, wait time.Duration) (Operation, error) {
	switch {
	case r.pause.Sub(now) >= wait, r.queue.Wait(now) >= wait: // for a parked item
		return "", r.cause
	case r.creates.Wait(now) < r.bulks.Wait(now):
		return OperationCreate, nil
	}
	return OperationBulkCreate, nil
}

// pull waits at most so long for the next request. It reports the request if that needs
// none to Clerk, and queues it otherwise.
func (r *run) pull(ctx context.Context, wait time.Duration) error {
	req, ok, err := r.puller.Next(ctx, wait)
	if err != nil {
		return fmt.Errorf("the iterator of the requests: %w", err)
	}
	if !ok {
		return nil
	}
	if err := r.loadExisting(ctx, req.IgnoreExisting); err != nil {
		return err
	}
	next := item{index: r.progress.Taken, request: req}
	r.progress.Taken++
	if next.body, err = encodeItem(req); err != nil {
		return r.report(&next, CreateResult{Outcome: OutcomeRejected, Err: invalid(OperationCreate, err)})
	}
	next.key = addresses.KeyOf(req.EmailAddress)
	return r.enqueue(next)
}

// encodeItem returns the request's JSON. It is stricter than Create, as an invalid
// request may cost a bulk, but leaves it to Clerk what an address is. The limits of
// expires_in_days are from Clerk's OpenAPI document.
func encodeItem(req CreateInvitationRequest) ([]byte, error) {
	body, err := req.encode()
	if err != nil {
		return nil, err
	}
	if problem := addresses.Problem(req.EmailAddress); problem != "" {
		return nil, &InputError{"email_address", problem}
	}
	if req.ExpiresInDays < 0 || req.ExpiresInDays > 365 {
		return nil, &InputError{"expires_in_days", "is not from 1 to 365"}
	}
	return body, nil
}

// enqueue queues an item, or reports it if its address is known.
func (r *run) enqueue(next item) error {
	known, ok := r.known.Get(next.key)
	if !ok {
		r.known.Set(next.key, addresses.Entry{})
		r.queue.Add(next)
		return nil
	}
	result := CreateResult{Outcome: Outcome(known.State)}
	switch result.Outcome {
	case 0:
		r.queue.Hold(next)
		return nil
	case OutcomeUnknown:
		result.Err = &SDKError{
			ResponseMeta: ResponseMeta{Operation: OperationCreate}, class: classAmbiguous,
			Message: "an earlier request has the address, and its outcome is unknown",
		}
	}
	if known.ID != "" {
		result.Existing = &ExistingInvitation{known.ID, InvitationStatus(known.Status)}
	}
	return r.report(&next, result)
}

// send sends the next batch, and records the result.
func (r *run) send(ctx context.Context) error {
	longer, cancel := withGrace(ctx, r.call.attemptLimit(false))
	defer cancel()
	now := time.Now()
	b := r.queue.Next(now, r.creates.Left(now), r.bulks.Left(now))
	created, last, failure := r.write(longer, b, func() bool { return ctx.Err() == nil })
	var rest []*queued
	for i, it := range b.Items {
		inv, ok := created[i]
		if !ok {
			rest = append(rest, it)
			continue
		}
		if err := r.report(&it.Value, CreateResult{Outcome: OutcomeCreated, Invitation: &inv}); err != nil {
			return err
		}
	}
	if failure == nil {
		r.queue.Succeeded(b)
	} else if err := r.handleFailure(longer, b, rest, last, failure); err != nil {
		return err
	}
	for _, held := range r.queue.Release() {
		if err := r.enqueue(held); err != nil {
			return err
		}
	}
	return nil
}

// withGrace returns a context that ends some time after ctx.
func withGrace(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}
