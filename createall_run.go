package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/queue"
	"github.com/clerk-invitations/clerk-go/internal/redact"
	"github.com/clerk-invitations/clerk-go/internal/transport"
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

	byAddress      addresses.Map // State is the Outcome of another request; 0 while one is queued
	queue          *queue.Queue[item]
	creates, bulks *limiter.Limiter

	listedAt time.Time // when the existing invitations were listed; zero before
	relisted bool      // once more, for requests with IgnoreExisting
	pause    time.Time // no request before
	cause    error     // the last failure
	progress Progress
}

// An item is a request that has no result yet.
type item struct {
	index         int
	request       CreateInvitationRequest
	body          []byte // its JSON
	key           addresses.Key
	last          history   // of its last request
	mayExistSince time.Time // when the first failed request before that was sent; zero if none
}

type (
	queued = queue.Item[item] // an item in the queue
	batch  = queue.Batch[item]
)

// errStopped ends a run whose loop was left.
var errStopped = errors.New("clerk: the loop was left")

func newRun(
	c *call, cfg createAllConfig, requests iter.Seq[CreateInvitationRequest], yield func(CreateResult, error) bool,
) *run {
	b := cfg.budget
	return &run{
		call: c, config: cfg, puller: async.NewPuller(requests), yield: yield,
		queue:    queue.New[item](MaxBulkInvitations),
		creates:  limiter.New(b.Creates, b.Window),
		bulks:    limiter.New(b.BulkCreates, b.Window),
		progress: Progress{budget: b},
	}
}

// loop gathers and sends until all requests have a result.
func (r *run) loop(ctx context.Context) error {
	defer r.puller.Close()
	for {
		if err := r.gather(ctx); err != nil {
			return err
		}
		if r.queue.IsEmpty() {
			return nil
		}
		if err := r.sendNext(ctx); err != nil {
			return err
		}
	}
}

// gather pulls requests until there is a batch to send, or the iterator has no more, or
// none for a while, and a limiter permits sending. If the queue is empty then, the run
// has ended.
func (r *run) gather(ctx context.Context) error {
	var linger time.Time // until when it waits for the iterator to fill a bulk
	for {
		now := time.Now()
		wait, limit, cause := r.wait(now)
		enough, isEmpty := r.puller.Ended() || r.queue.HasBatch(now), r.queue.IsEmpty()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case enough && (isEmpty || wait == 0):
			return nil
		case isEmpty: // wait is the longest Duration: only the iterator can help
		case wait > 0:
			if err := r.announceWait(ctx, now.Add(wait), limit, cause); err != nil {
				return err
			}
		case linger.IsZero():
			linger, wait = now.Add(batchLinger), batchLinger
		default:
			if wait = linger.Sub(now); wait <= 0 {
				return nil
			}
		}
		if enough {
			_ = clock.Sleep(ctx, wait) // an end of ctx ends the loop
		} else if err := r.pull(ctx, wait); err != nil {
			return err
		}
	}
}

// wait returns how long it is until something can be sent, and for what the run waits: the
// limit of an operation, or the failure of requests that are sent again.
func (r *run) wait(now time.Time) (wait time.Duration, limit Operation, cause error) {
	wait, limit = r.bulks.Wait(now), OperationBulkCreate
	if creates := r.creates.Wait(now); creates < wait {
		wait, limit = creates, OperationCreate
	}
	if again := max(r.pause.Sub(now), r.queue.Wait(now)); again >= wait {
		return again, "", r.cause
	}
	return wait, limit, nil
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
	return body, cmp.Or(err, inputError("email_address", check.LikelyAddress(req.EmailAddress)),
		inputError("expires_in_days", check.Between(req.ExpiresInDays, 1, 365)))
}

// enqueue queues an item, or reports it if its address is known.
func (r *run) enqueue(next item) error {
	known, ok := r.byAddress.Get(next.key)
	result := CreateResult{Outcome: Outcome(known.State)}
	switch {
	case !ok:
		r.byAddress.Set(next.key, addresses.Entry{})
		r.queue.Add(next)
		return nil
	case result.Outcome == 0:
		r.queue.Hold(next)
		return nil
	case result.Outcome == OutcomeUnknown:
		result.Err = &SDKError{
			ResponseMeta: ResponseMeta{Operation: OperationCreate}, class: transport.Ambiguous,
			Message: "an earlier request has the address, and its outcome is unknown",
		}
	}
	if known.ID != "" {
		result.Existing = &ExistingInvitation{known.ID, InvitationStatus(known.Status)}
	}
	return r.report(&next, result)
}

// report yields the result of an item.
func (r *run) report(it *item, result CreateResult) error {
	result.Index, result.Request = it.index, it.request
	known := addresses.Entry{State: uint8(result.Outcome)}
	if inv := result.existing(); inv != nil {
		known.ID, known.Status = inv.ID, string(inv.Status)
	}
	if result.Outcome == OutcomeCreated {
		known.State = uint8(OutcomeRepeated)
	}
	if result.Outcome == OutcomeRejected { // the address may be accepted with other parameters
		r.byAddress.Remove(it.key)
	} else {
		r.byAddress.Set(it.key, known)
	}
	*r.progress.counter(result.Outcome)++
	r.reportProgress(time.Time{}, "", nil)
	if !r.yield(result, nil) {
		return errStopped
	}
	return nil
}

// announceWait reports a wait, unless it has been reported. It fails if the wait would outlast
// the deadline.
func (r *run) announceWait(ctx context.Context, until time.Time, limit Operation, cause error) error {
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

// ended is the error of a run that ended early. It says whether the outcome of a request
// is unknown.
func (r *run) ended(err error) error {
	e := wrap(err, "", lookupEnds(err))
	if e.Message == "" { // the error is not of this package
		e.Message = "the run was stopped: " + redact.Line(err.Error())
	}
	if r.queue.HasAmbiguous() || errors.Is(err, ErrOutcomeUnknown) {
		e.class = transport.Ambiguous
	}
	return e
}
