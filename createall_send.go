package clerk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/queue"
)

// write sends a batch until its outcome is known, or there is no more time for now. It
// returns what was created, by index in the batch, and the state of the requests.
func (r *run) write(ctx context.Context, b queue.Batch[item], mayRetry func() bool) (map[int]Invitation, ambiguity, error) {
	c := r.newCall()
	defer func() { r.call.reached = c.reached }()
	var last ambiguity
	first := b.Items[0]
	if first.IsAmbiguous() {
		last = first.Value.last
	}
	if b.Single {
		w := encodedCreation(&first.Value.request, first.Value.body, nil, "")
		inv, _, err := reconcile(ctx, c, counted(w, r.creates, mayRetry), &last)
		if err != nil {
			return nil, last, err
		}
		return map[int]Invitation{0: *inv}, last, nil
	}
	many := &bulk{created: map[int]Invitation{}}
	for _, it := range b.Items {
		many.reqs, many.bodies = append(many.reqs, it.Value.request), append(many.bodies, it.Value.body)
	}
	invs, _, err := reconcile(ctx, c, counted(many.creation(), r.bulks, mayRetry), &last)
	if err != nil {
		return many.created, last, err
	}
	return matchItems(b.Items, invs), last, nil
}

// counted is a write whose requests a limiter counts. It is retried only while the limiter
// permits, too.
func counted[T any](w write[T], l *limiter.Limiter, mayRetry func() bool) write[T] {
	send := w.send
	w.mayRetry = func() bool { return mayRetry() && l.Wait(time.Now()) == 0 }
	w.send = func(ctx context.Context, c *call) (T, callMeta, error) {
		result, meta, err := send(ctx, c)
		switch meta.class {
		case classRateLimited:
			l.Penalize(time.Now(), meta.RetryAfter)
		case classNotSent:
		default:
			l.Count(time.Now())
		}
		return result, meta, err
	}
	return w
}

// matchItems finds the invitation of each item by its address or, if Clerk has changed
// the address, by its position among the remaining ones.
func matchItems(items []*queued, invs []Invitation) map[int]Invitation {
	created, left := map[int]Invitation{}, slices.Clone(invs)
	take := func(i, at int) {
		created[i] = left[at]
		left = slices.Delete(left, at, at+1)
	}
	for i, it := range items {
		at := slices.IndexFunc(left, func(inv Invitation) bool { return addresses.KeyOf(inv.EmailAddress) == it.Value.key })
		if at >= 0 {
			take(i, at)
		}
	}
	for i := range items {
		if _, ok := created[i]; !ok {
			take(i, 0)
		}
	}
	return created
}

// handleFailure records the failure of a batch, of which the rest was not created.
func (r *run) handleFailure(ctx context.Context, b queue.Batch[item], rest []*queued, last ambiguity, failure error) error {
	reason := map[class]queue.Reason{classNotSent: queue.NotSent, classRateLimited: queue.RateLimited}[classOf(failure)]
	if reason != queue.OtherReason { // it cannot have created anything
		last = ambiguity{failedAt: last.failedAt}
	}
	var since time.Time
	if errors.Is(failure, ErrOutcomeUnknown) {
		since = last.firstSent
	}
	for _, it := range rest {
		v := &it.Value
		v.firstSent = cmp.Or(v.firstSent, v.last.firstSent)
		v.last, it.AmbiguousSince = last, since
	}
	effect, outcome := effectOf(failure)
	switch effect {
	case endsRun:
		return failure
	case rejectsItems:
		return r.reject(ctx, b, rest, outcome, failure)
	}
	givenUp := r.queue.Failed(b, rest, reason, time.Now())
	if !r.call.reached || effect == unexplained && r.queue.IsStuck(rest) {
		return failure
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
func (r *run) reject(ctx context.Context, b queue.Batch[item], rest []*queued, outcome Outcome, refusal error) error {
	about := named(refusal)
	if len(b.Items) == 1 {
		about = map[addresses.Key]Outcome{b.Items[0].Value.key: outcome}
	}
	var blamed, unnamed []*queued
	for _, it := range rest {
		if _, ok := about[it.Value.key]; ok {
			blamed = append(blamed, it)
		} else {
			unnamed = append(unnamed, it)
		}
	}
	r.queue.Refused(b, unnamed, len(blamed) > 0)
	for _, it := range blamed {
		result := CreateResult{Outcome: about[it.Value.key]}
		switch result.Outcome {
		case OutcomeAlreadyInvited:
			result = r.findInvitation(ctx, &it.Value, refusal)
		case OutcomeRejected:
			result.Err = refusal
		}
		if err := r.report(&it.Value, result); err != nil {
			return err
		}
	}
	return nil
}

// backOff has the run wait after a failure. After a rate limit, the limiter does.
func (r *run) backOff(failure error, failedAt time.Time) {
	meta, _ := MetaFromError(failure)
	if meta.StatusCode == http.StatusTooManyRequests {
		return
	}
	asked := min(meta.RetryAfter, 2*r.config.budget.Window) - time.Since(failedAt)
	wait := max(asked, r.call.retry.Backoff.wait(r.queue.Streak()))
	r.pause, r.cause = time.Now().Add(wait), failure
}
