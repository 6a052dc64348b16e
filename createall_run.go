package clerk

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/gather"
	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/queue"
	"github.com/clerk-invitations/clerk-go/internal/redact"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A run is one loop over CreateAll. It works in the loop's goroutine: it pulls requests
// into a queue, sends what the pace allows, and reports the results.
type run struct {
	gatherer   gather.Gatherer[CreateInvitationRequest, item]
	queue      *queue.Queue[item]
	pace       *pace.Pace
	reporter   *reporter
	roster     *roster
	dispatcher *dispatcher
}

func newRun(
	c *call, cfg createAllConfig, requests iter.Seq[CreateInvitationRequest], yield func(CreateResult, error) bool,
) *run {
	p := newPace(c, cfg.budget)
	reports := &reporter{yield: yield, reports: cfg.progress, pace: p}
	r := &run{
		queue:      queue.New[item](MaxBulkInvitations),
		pace:       p,
		reporter:   reports,
		roster:     &roster{call: c, config: &cfg, reporter: reports},
		dispatcher: &dispatcher{call: c, pace: p},
	}
	r.gatherer = gather.Gatherer[CreateInvitationRequest, item]{
		Values: async.NewPuller(requests), Queue: r.queue, Pace: p, Take: r.take, Announce: reports.announce,
	}
	return r
}

// loop gathers and sends until all requests have a result.
func (r *run) loop(ctx context.Context) error {
	defer r.gatherer.Values.Close()
	for {
		if err := r.gatherer.Gather(ctx); err != nil {
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

// take queues a request, or reports it if it need not be sent.
func (r *run) take(ctx context.Context, req CreateInvitationRequest) error {
	err := r.roster.load(ctx, req.IgnoreExisting)
	if err != nil {
		return err
	}
	next := r.reporter.take(req)
	if next.body, err = encodeItem(req); err != nil {
		return r.report(&next, CreateResult{Outcome: OutcomeRejected, Err: invalid(OperationCreate, err)})
	}
	next.key = addresses.KeyOf(req.EmailAddress)
	return r.enqueue(next)
}

// encodeItem returns the request's JSON. It is stricter than Create, as an invalid request may
// cost a bulk, but it leaves it to Clerk what an address is. The limits of expires_in_days are
// from Clerk's OpenAPI document.
func encodeItem(req CreateInvitationRequest) ([]byte, error) {
	body, err := req.encode()
	return body, cmp.Or(err, inputError("email_address", check.LikelyAddress(req.EmailAddress)),
		inputError("expires_in_days", check.Between(req.ExpiresInDays, 1, 365)))
}

// enqueue queues an item, or reports it if its address is known.
func (r *run) enqueue(next item) error {
	result, isKnown := r.roster.add(&next)
	switch {
	case !isKnown:
		r.queue.Add(next)
	case result.Outcome == 0:
		r.queue.Hold(next)
	default:
		return r.report(&next, result)
	}
	return nil
}

// report records and yields the result of an item.
func (r *run) report(it *item, result CreateResult) error {
	r.roster.record(it, result)
	return r.reporter.result(it, result)
}

// sendNext sends the next batch, and records the result.
func (r *run) sendNext(ctx context.Context) error {
	longer, cancel := clock.WithGrace(ctx, r.dispatcher.call.timing().AttemptLimit(false))
	defer cancel()
	now := time.Now()
	creates, bulks := r.pace.Left(now)
	b := r.queue.Next(now, creates, bulks)
	created, last, failure := r.dispatcher.send(longer, b, func() bool { return ctx.Err() == nil })
	if failure == nil || classOf(failure) == transport.Refused {
		r.pace.Answered()
	}
	var rest []*queued
	for i, it := range b.Items {
		inv, ok := created[i]
		if !ok {
			rest = append(rest, it)
			continue
		}
		result := CreateResult{Outcome: OutcomeCreated, Invitation: &inv}
		if !b.Single && hasLostMetadata(&it.Value.request, it.Value.body, &inv) {
			result.Err = errLostMetadata(&r.dispatcher.call.last.ResponseMeta, 1)
			r.sendSingly()
		}
		if err := r.report(&it.Value, result); err != nil {
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

// sendSingly makes the run send all further requests with metadata singly, unless the budget
// has no creates.
func (r *run) sendSingly() {
	if r.roster.config.budget.Creates > 0 {
		r.queue.SendSingly(func(it item) bool { return len(it.request.PublicMetadata) > 0 })
	}
}

// handleFailure records the failure of a batch. Its items in rest were not created.
func (r *run) handleFailure(ctx context.Context, b batch, rest []*queued, last decide.History, failure error) error {
	reason := queue.OtherReason
	switch classOf(failure) {
	case transport.NotSent:
		reason = queue.NotSent
	case transport.RateLimited:
		reason = queue.RateLimited
	}
	if reason != queue.OtherReason { // the batch cannot have created anything
		last = decide.History{FailedAt: last.FailedAt}
	}
	var ambiguousSince time.Time
	if errors.Is(failure, ErrOutcomeUnknown) {
		ambiguousSince = last.FirstSent
	}
	for _, it := range rest {
		v := &it.Value
		if !v.last.FirstSent.IsZero() {
			v.earlier = append(v.earlier, v.last)
		}
		v.last, it.AmbiguousSince = last, ambiguousSince
	}
	effect, outcome := effectOf(failure)
	switch effect {
	case endsRun:
		return failure
	case rejectsItems:
		return r.reject(ctx, b, rest, outcome, failure)
	}
	givenUp := r.queue.Failed(b, rest, reason, time.Now())
	if !r.dispatcher.call.answered || effect == unexplained && r.queue.IsStuck(rest) {
		return failure // an outage from the start, or every request is refused
	}
	backOff(r.pace, failure, last.FailedAt, r.queue.Streak())
	if givenUp == nil {
		return nil
	}
	result := CreateResult{Outcome: OutcomeRejected, Err: failure}
	if givenUp.IsAmbiguous() {
		result.Outcome = OutcomeUnknown
	}
	return r.report(&givenUp.Value, result)
}

// reject reports the items that a refusal names, or the only item, and queues the others
// again.
func (r *run) reject(ctx context.Context, b batch, rest []*queued, ofOnly Outcome, refusal error) error {
	about := named(refusal)
	if len(b.Items) == 1 || ofOnly == OutcomeUnknown {
		about = map[addresses.Key]Outcome{}
		for _, it := range rest {
			about[it.Value.key] = ofOnly
		}
	}
	var unnamed []*queued
	for _, it := range rest {
		outcome, ok := about[it.Value.key]
		result := CreateResult{Outcome: outcome}
		switch {
		case !ok:
			unnamed = append(unnamed, it)
			continue
		case outcome == OutcomeAlreadyInvited:
			result = r.roster.explain(ctx, &it.Value, refusal)
		case outcome == OutcomeRejected, outcome == OutcomeUnknown:
			result.Err = refusal
		}
		if err := r.report(&it.Value, result); err != nil {
			return err
		}
	}
	r.queue.Refused(b, unnamed, len(unnamed) < len(rest))
	return nil
}

// ended returns the error of a run that ended early. It says whether the outcome of a request
// is unknown.
func (r *run) ended(err error) error {
	e := wrap(err, "", lookupEnds(err))
	if e.Message == "" { // the error is not from this package
		e.Message = "the run was stopped: " + redact.Line(err.Error())
	}
	if r.queue.HasAmbiguous() {
		e.class = transport.Ambiguous
	}
	return e
}
