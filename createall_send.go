package clerk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/queue"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// sendNext sends the next batch, and records the result.
func (r *run) sendNext(ctx context.Context) error {
	longer, cancel := clock.WithGrace(ctx, r.call.attemptLimit(false))
	defer cancel()
	now := time.Now()
	b := r.queue.Next(now, r.creates.Left(now), r.bulks.Left(now))
	created, last, failure := r.sendBatch(longer, b, func() bool { return ctx.Err() == nil })
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

// sendBatch sends a batch until its outcome is known, or there is no more time for now. It
// returns what was created, by index in the batch, and the state of the requests.
func (r *run) sendBatch(ctx context.Context, b batch, mayRetry func() bool) (map[int]Invitation, history, error) {
	c, created := r.call.anew(), map[int]Invitation{}
	defer r.call.count(c)
	sendOne, sendAll := reconcile[*Invitation], reconcile[[]Invitation]
	if b.Items[0].IsAmbiguous() {
		c.sent = b.Items[0].Value.last
		sendOne, sendAll = resume[*Invitation], resume[[]Invitation]
	}
	if b.Single {
		it := &b.Items[0].Value
		inv, err := sendOne(ctx, c, counted(creation(&it.request, it.body), r.creates, mayRetry))
		if err == nil {
			created[0] = *inv
		}
		return created, c.sent, err
	}
	parts := &bulk{created: created}
	for _, it := range b.Items {
		parts.reqs, parts.bodies = append(parts.reqs, it.Value.request), append(parts.bodies, it.Value.body)
	}
	invs, err := sendAll(ctx, c, counted(parts.creation(), r.bulks, mayRetry))
	invs, err = parts.inspected(ctx, c, invs, err)
	if err == nil {
		created = matched(invs, b.Items)
	}
	return created, c.sent, err
}

// counted is a write whose requests a limiter counts. It is retried only while the limiter
// permits, too.
func counted[T any](w write[T], l *limiter.Limiter, mayRetry func() bool) write[T] {
	send := w.send
	w.mayRetry = func() bool { return mayRetry() && l.Wait(time.Now()) == 0 }
	w.send = func(ctx context.Context, c *call) (T, error) {
		result, err := send(ctx, c)
		switch c.last.class {
		case transport.RateLimited:
			l.Penalize(time.Now(), c.last.RetryAfter)
		case transport.NotSent:
		default:
			l.Count(time.Now())
		}
		return result, err
	}
	return w
}

// matched returns the invitation of each item: by its address or, if Clerk has changed the
// address, by its position among the remaining ones.
func matched(invs []Invitation, items []*queued) map[int]Invitation {
	of, left := map[int]Invitation{}, slices.Clone(invs)
	for i, it := range items {
		at := slices.IndexFunc(left, func(inv Invitation) bool { return addresses.KeyOf(inv.EmailAddress) == it.Value.key })
		if at >= 0 {
			of[i] = left[at]
			left = slices.Delete(left, at, at+1)
		}
	}
	for i := range items {
		if _, ok := of[i]; !ok {
			of[i], left = left[0], left[1:]
		}
	}
	return of
}

// handleFailure records the failure of a batch, of which the rest was not created.
func (r *run) handleFailure(ctx context.Context, b batch, rest []*queued, last history, failure error) error {
	reason := queue.OtherReason
	switch classOf(failure) {
	case transport.NotSent:
		reason = queue.NotSent
	case transport.RateLimited:
		reason = queue.RateLimited
	}
	if reason != queue.OtherReason { // it cannot have created anything
		last = history{failedAt: last.failedAt}
	}
	var ambiguousSince time.Time
	if errors.Is(failure, ErrOutcomeUnknown) {
		ambiguousSince = last.firstSent
	}
	for _, it := range rest {
		v := &it.Value
		v.mayExistSince = cmp.Or(v.mayExistSince, v.last.firstSent)
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
	if !r.call.answered || effect == unexplained && r.queue.IsStuck(rest) {
		return failure // an outage from the start, or every request is refused
	}
	r.backOff(failure, last.failedAt)
	for _, it := range givenUp {
		result := CreateResult{Outcome: OutcomeRejected, Err: failure}
		if it.IsAmbiguous() {
			result.Outcome = OutcomeUnknown
		}
		if err := r.report(&it.Value, result); err != nil {
			return err
		}
	}
	return nil
}

// reject reports the items that a refusal names, or the only one, and has the rest sent
// again.
func (r *run) reject(ctx context.Context, b batch, rest []*queued, ofOnly Outcome, refusal error) error {
	about := named(refusal)
	if len(b.Items) == 1 {
		about = map[addresses.Key]Outcome{b.Items[0].Value.key: ofOnly}
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
			result = r.findInvitation(ctx, &it.Value, refusal)
		case outcome == OutcomeRejected:
			result.Err = refusal
		}
		if err := r.report(&it.Value, result); err != nil {
			return err
		}
	}
	r.queue.Refused(b, unnamed, len(unnamed) < len(rest))
	return nil
}

// backOff has the run wait after a failure. After a rate limit, the limiter does.
func (r *run) backOff(failure error, failedAt time.Time) {
	r.cause = failure
	meta, _ := MetaFromError(failure)
	if meta.StatusCode == http.StatusTooManyRequests {
		return
	}
	asked := min(meta.RetryAfter, 2*r.config.budget.Window) - time.Since(failedAt)
	wait := max(asked, r.call.backoff(r.queue.Streak()))
	r.pause = time.Now().Add(wait)
}
