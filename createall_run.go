package clerk

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/limiter"
)

const (
	// batchLinger is how long a run waits for the iterator to fill a bulk.
	batchLinger = time.Second
	// listAhead is how many pages of existing invitations it requests at a time.
	listAhead = 8
)

// A run is one loop over CreateAll. It works in the loop's goroutine: it pulls requests
// into a queue, sends what the limiters allow, and reports the results.
type run struct {
	call    *call
	config  createAllConfig
	puller  *puller
	yield   func(CreateResult, error) bool
	stopped bool // by a break of the loop

	known          addresses
	queue          queue
	creates, bulks *limiter.Limiter

	listedAt time.Time // when the existing invitations were listed; zero before
	date     UnixMilli // the same by Clerk's clock
	relisted bool      // once more, for requests with IgnoreExisting
	reached  bool      // Clerk has answered
	limited  bool      // the last request was refused for its limit
	failures int       // in a row
	lastSent time.Time
	pause    time.Time // no request before
	progress Progress
}

// errStopped ends a run whose loop was left.
var errStopped = errors.New("clerk: the loop was left")

func newRun(c *call, cfg createAllConfig, yield func(CreateResult, error) bool) *run {
	b := cfg.budget
	return &run{
		call: c, config: cfg, yield: yield,
		creates:  limiter.New(b.Creates, b.Window),
		bulks:    limiter.New(b.BulkCreates, b.Window),
		progress: Progress{budget: b},
	}
}

func (r *run) start(ctx context.Context, requests iter.Seq[CreateInvitationRequest]) error {
	r.puller = newPuller(requests)
	defer r.puller.close()
	for {
		err := r.gather(ctx)
		if err == nil && r.queue.isEmpty() {
			return r.sourceError()
		}
		if err == nil {
			err = r.send(ctx)
		}
		if err != nil {
			return r.ended(err)
		}
	}
}

// gather pulls requests until there is a batch to send, or the iterator has no more, or
// none for a while, and a limiter permits sending. If the queue is empty then, the run
// has ended.
func (r *run) gather(ctx context.Context) error {
	var linger time.Time // until when it waits for the iterator to fill a bulk
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := time.Now()
		q, wait := &r.queue, r.wait(now)
		enough := r.puller.ended || q.isFull() || q.isDue(now) && (q.turn || len(q.ready) == 0)
		if enough && (wait == 0 || q.isEmpty()) {
			return nil
		}
		var timer <-chan time.Time
		if !q.isEmpty() {
			if deadline, ok := ctx.Deadline(); ok && !now.Add(wait).Before(deadline) {
				return outOfTime(wait)
			}
			r.reportWait(now, wait)
			if wait == 0 && linger.IsZero() {
				linger = now.Add(batchLinger)
			}
			timer = time.After(cmp.Or(wait, linger.Sub(now)))
		}
		var source <-chan async.Result[pulled]
		if !enough {
			source = r.puller.ask()
		}
		select {
		case <-ctx.Done():
		case done := <-source:
			if err := r.admit(ctx, done); err != nil {
				return err
			}
		case <-timer:
			if wait == 0 {
				return nil
			}
		}
	}
}

// wait returns how long it is until something can be sent.
func (r *run) wait(now time.Time) time.Duration {
	return max(r.pause.Sub(now), min(r.creates.Wait(now), r.bulks.Wait(now)), r.queue.wait(now))
}

// admit reports the pulled request if that needs no request to Clerk, and queues it
// otherwise.
func (r *run) admit(ctx context.Context, done async.Result[pulled]) error {
	req, ok, err := r.puller.take(done)
	if err != nil || !ok {
		return err
	}
	if err := r.loadExisting(ctx, req.IgnoreExisting); err != nil {
		return err
	}
	next := item{index: r.progress.Taken, request: req}
	r.progress.Taken++
	if next.body, err = encodeItem(req); err != nil {
		return r.report(next, OutcomeRejected, nil, nil, invalid(OperationCreate, err))
	}
	next.key = keyOf(req.EmailAddress)
	return r.enqueue(next)
}

// encodeItem returns the request's JSON. It is stricter than Create, as an invalid
// request may cost a bulk, but leaves it to Clerk what an address is. The limits of
// expires_in_days are from Clerk's OpenAPI document.
func encodeItem(req CreateInvitationRequest) ([]byte, error) {
	body, err := req.encode()
	at := strings.LastIndex(req.EmailAddress, "@")
	isQuoted := strings.HasPrefix(req.EmailAddress, `"`)
	switch {
	case err != nil:
		return nil, err
	case at < 0:
		return nil, &InputError{"email_address", "has no @"}
	case at == 0 || at == len(req.EmailAddress)-1:
		return nil, &InputError{"email_address", "has nothing on one side of the @"}
	case !isQuoted && strings.ContainsFunc(req.EmailAddress, isSpaceOrControl):
		return nil, &InputError{"email_address", "contains white space or a control character"}
	case req.ExpiresInDays < 0 || req.ExpiresInDays > 365:
		return nil, &InputError{"expires_in_days", "is not from 1 to 365"}
	}
	return body, nil
}

// enqueue queues an item, or reports it if its address is known.
func (r *run) enqueue(next item) error {
	outcome, existing, ok := r.known.get(next.key)
	switch {
	case !ok:
		r.known.set(next.key, 0, nil)
		r.queue.ready = append(r.queue.ready, next)
		return nil
	case outcome == 0:
		r.queue.repeats = append(r.queue.repeats, next)
		return nil
	case outcome == OutcomeCreated:
		outcome = OutcomeRepeated
	case outcome == OutcomeUnknown:
		return r.report(next, outcome, nil, nil, &SDKError{
			ResponseMeta: ResponseMeta{Operation: OperationCreate}, class: classAmbiguous,
			Message: "an earlier request has the address, and its outcome is unknown",
		})
	}
	return r.report(next, outcome, nil, existing, nil)
}

// send sends what is due, and records the result.
func (r *run) send(ctx context.Context) error {
	longer, cancel := withGrace(ctx, r.call.attemptLimit(false))
	defer cancel()
	now := time.Now()
	b, single := r.queue.next(now, r.creates.Left(now), r.bulks.Left(now))
	l := r.bulks
	if single {
		l = r.creates
	}
	a := b.items[0].ambiguity
	created, err := r.write(longer, b.items, &a, l, func() bool { return ctx.Err() == nil && l.Wait(time.Now()) == 0 })
	r.lastSent = cmp.Or(a.failedAt, time.Now())
	var rest []item
	for i, it := range b.items {
		if inv, ok := created[i]; ok {
			if err := r.report(it, OutcomeCreated, &inv, nil, nil); err != nil {
				return err
			}
			continue
		}
		if a.failure != nil { // an earlier request of the batch may have been carried out
			it.firstSent = cmp.Or(it.firstSent, a.firstSent)
		}
		if it.ambiguity = a; !errors.Is(err, ErrOutcomeUnknown) {
			it.ambiguity = ambiguity{}
		}
		rest = append(rest, it)
	}
	sent := a.firstSent
	if err := r.handleResult(longer, b, rest, sent, err); err != nil {
		return err
	}
	repeats := r.queue.repeats
	r.queue.repeats = nil
	for _, it := range repeats {
		if err := r.enqueue(it); err != nil {
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

// write sends items until their outcome is known, or there is no more time for now. It
// returns what was created, by index in items.
func (r *run) write(ctx context.Context, items []item, a *ambiguity, l *limiter.Limiter, mayRetry func() bool) (map[int]Invitation, error) {
	c := *r.call
	c.restart()
	defer func() { r.reached = r.reached || c.reached }()
	if l == r.creates {
		w := limited(r, l, mayRetry, creation(&items[0].request, items[0].body, nil, ""))
		inv, _, err := reconcile(ctx, &c, w, a)
		if err != nil {
			return nil, err
		}
		return map[int]Invitation{0: *inv}, nil
	}
	b := &bulk{created: map[int]Invitation{}}
	for _, it := range items {
		b.reqs, b.bodies = append(b.reqs, it.request), append(b.bodies, it.body)
	}
	w := limited(r, l, mayRetry, b.creation())
	invs, _, err := reconcile(ctx, &c, w, a)
	if err == nil {
		return matchItems(items, invs), nil
	}
	return b.created, err
}

// limited is a write whose requests are counted by a limiter.
func limited[T any](r *run, l *limiter.Limiter, mayRetry func() bool, w write[T]) write[T] {
	r.limited, w.mayRetry = false, mayRetry
	send := w.send
	w.send = func(ctx context.Context, c *call) (T, callMeta, error) {
		result, meta, err := send(ctx, c)
		r.limited = meta.class == classRateLimited
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
func matchItems(items []item, invs []Invitation) map[int]Invitation {
	created := map[int]Invitation{}
	left := slices.DeleteFunc(slices.Clone(invs), func(inv Invitation) bool {
		i := slices.IndexFunc(items, func(it item) bool { return it.key == keyOf(inv.EmailAddress) })
		if i >= 0 {
			created[i] = inv
		}
		return i >= 0
	})
	for i := range items {
		_, ok := created[i]
		switch {
		case ok:
		case len(left) > 0:
			created[i], left = left[0], left[1:]
		default:
			created[i] = invs[i]
		}
	}
	return created
}

// handleResult records the result of a batch, of which the rest was not created.
func (r *run) handleResult(ctx context.Context, b batch, rest []item, sent time.Time, failure error) error {
	if failure == nil {
		r.failures = 0
		r.queue.succeeded(b)
		return nil
	}
	switch effect, outcome := effectOf(failure); effect {
	case rejectsItems:
		r.failures = 0
		return r.reject(ctx, b, rest, sent, outcome, failure)
	case endsRun:
		r.queue.ready = slices.Concat(rest, b.others, r.queue.ready)
		return failure
	default:
		if c := classOf(failure); c != classNotSent && c != classRateLimited {
			for i := range rest {
				rest[i].firstSent = cmp.Or(rest[i].firstSent, sent)
			}
		}
		ended := r.queue.failed(b, rest, failure, time.Now())
		nothingWorks := r.queue.streak >= maxUnexplained && len(rest) > 0 && rest[0].settledBefore == r.queue.settled
		if !r.reached && !r.limited || effect == unexplained && nothingWorks {
			return failure
		}
		r.backOff(failure)
		for _, it := range ended {
			outcome := OutcomeRejected
			if it.ambiguity.failure != nil {
				outcome = OutcomeUnknown
			}
			if err := r.report(it, outcome, nil, nil, failure); err != nil {
				return err
			}
		}
		return nil
	}
}

// reject reports the items that a refusal names, or the only one, and has the rest sent
// again.
func (r *run) reject(ctx context.Context, b batch, rest []item, sent time.Time, outcome Outcome, refusal error) error {
	about := named(refusal)
	if len(rest) == 1 && len(b.items) == 1 {
		about = map[addressKey]Outcome{rest[0].key: outcome}
	}
	var blamed, unnamed []item
	for _, it := range rest {
		if _, ok := about[it.key]; ok {
			blamed = append(blamed, it)
		} else {
			it.firstSent = cmp.Or(it.firstSent, sent)
			unnamed = append(unnamed, it)
		}
	}
	r.queue.refused(b, unnamed, len(blamed) > 0)
	for _, it := range blamed {
		outcome := about[it.key]
		var inv *Invitation
		var existing *ExistingInvitation
		if outcome == OutcomeAlreadyInvited {
			var err error
			if inv, existing, err = r.findInvitation(ctx, it, refusal); inv != nil {
				outcome = OutcomeCreated
			} else if err != nil {
				outcome, refusal = OutcomeUnknown, err
			}
		}
		if err := r.report(it, outcome, inv, existing, refusal); err != nil {
			return err
		}
	}
	return nil
}

// backOff has the run wait after a failure, unless a limiter does.
func (r *run) backOff(failure error) {
	if r.limited {
		return
	}
	r.failures++
	wait := r.call.retry.Backoff.wait(r.failures)
	if m := metaOf(failure); m != nil {
		wait = max(wait, min(m.RetryAfter, 2*r.config.budget.Window)-time.Since(r.lastSent))
	}
	r.pause, r.progress.Cause = time.Now().Add(wait), failure
}
