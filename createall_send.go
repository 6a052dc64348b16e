package clerk

import (
	"context"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
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
		it := &b.Items[0].Value
		inv, err := sendOne(ctx, c, counted(creation(&it.request, it.body), d.pace.creates, mayRetry))
		if err == nil {
			created[0] = *inv
		}
		return created, c.sent, err
	}
	parts := &bulk{created: created}
	for _, it := range b.Items {
		parts.reqs, parts.bodies = append(parts.reqs, it.Value.request), append(parts.bodies, it.Value.body)
	}
	invs, err := sendAll(ctx, c, counted(parts.creation(), d.pace.bulks, mayRetry))
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
