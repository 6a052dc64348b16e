package clerk

import (
	"context"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
	"github.com/clerk-invitations/clerk-go/internal/queue"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

type (
	queued = queue.Item[item] // an item in the queue
	batch  = queue.Batch[item]
)

// A dispatcher sends batches, each as one write whose requests are counted.
type dispatcher struct {
	call *call
	pace *pace
}

// send sends a batch until its outcome is known, or there is no more time for now. It
// returns what was created, by index in the batch, and the state of the requests.
func (d *dispatcher) send(ctx context.Context, b batch, mayRetry func() bool) (map[int]Invitation, history, error) {
	c, created := d.call.anew(), map[int]Invitation{}
	defer d.call.count(c)
	sendOne, sendAll := reconcile[*Invitation], reconcile[[]Invitation]
	if b.Items[0].IsAmbiguous() {
		c.sent = b.Items[0].Value.last
		sendOne, sendAll = resume[*Invitation], resume[[]Invitation]
	}
	if b.Single {
		it, count := &b.Items[0].Value, counter{pace: d.pace, limiter: d.pace.creates}
		inv, err := sendOne(ctx, c, counted(creation(&it.request, it.body), &count, mayRetry))
		if err == nil {
			created[0] = *inv
		}
		count.done(err)
		return created, c.sent, err
	}
	parts, count := &bulk{created: created}, counter{pace: d.pace, limiter: d.pace.bulks}
	for _, it := range b.Items {
		parts.reqs, parts.bodies = append(parts.reqs, it.Value.request), append(parts.bodies, it.Value.body)
	}
	invs, err := sendAll(ctx, c, counted(parts.creation(), &count, mayRetry))
	count.done(err)
	invs, err = parts.inspected(ctx, c, invs, err)
	if err == nil {
		created = parts.matched(invs)
	}
	d.call.last = c.last
	return created, c.sent, err
}

// A counter counts the requests of a batch.
type counter struct {
	pace     *pace
	limiter  *limiter.Limiter
	requests int
	last     transport.Class
}

// counted is a write whose requests are counted. It sends one, as the run decides what to
// send after a failure, and only while the limiter permits.
func counted[T any](w write[T], count *counter, mayRetry func() bool) write[T] {
	send := w.send
	w.mayRetry = func() bool {
		return count.requests == 0 && mayRetry() && count.limiter.Wait(time.Now()) == 0
	}
	w.send = func(ctx context.Context, c *call) (T, error) {
		result, err := send(ctx, c)
		count.request(&c.last)
		return result, err
	}
	return w
}

func (k *counter) request(m *callMeta) {
	k.requests, k.last = k.requests+1, m.class
	switch now := time.Now(); m.class {
	case transport.RateLimited:
		k.limiter.Penalize(now, m.RetryAfter)
	case transport.NotSent:
	case transport.Ambiguous:
		k.pace.countFailure(k.limiter, now)
	default:
		k.limiter.Count(now)
	}
}

// done is called when the outcome of the batch is known, or err says that it is not. What a
// lookup has found was most likely forgiven, but Clerk has counted it.
func (k *counter) done(err error) {
	if err == nil && k.last != transport.Succeeded {
		k.limiter.Count(time.Now())
	}
}
