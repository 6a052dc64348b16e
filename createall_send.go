package clerk

import (
	"context"
	"maps"
	"slices"

	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/queue"
)

type (
	queued = queue.Item[item] // an item in the queue
	batch  = queue.Batch[item]
)

// A dispatcher sends batches, each as one write whose requests are counted.
type dispatcher struct {
	call *call
	pace *pace.Pace
}

// send sends a batch until its outcome is known, or the call's time is over. It returns what
// was created, by index in the batch, and the state of the requests.
func (d *dispatcher) send(ctx context.Context, b batch, mayRetry func() bool) (map[int]Invitation, decide.History, error) {
	c := d.call.anew()
	defer d.call.count(c)
	sendOne, sendAll := reconcile[*Invitation], reconcile[[]Invitation]
	if b.Items[0].IsAmbiguous() {
		c.sent = b.Items[0].Value.last
		sendOne, sendAll = resume[*Invitation], resume[[]Invitation]
	}
	if b.Single {
		c.operation = OperationCreate
		it, count := &b.Items[0].Value, d.pace.CountSingle()
		inv, err := sendOne(ctx, c, counted(creation(&it.request, it.body), count, mayRetry))
		count.Done(err)
		if err != nil {
			return nil, c.sent, err
		}
		return map[int]Invitation{0: *inv}, c.sent, nil
	}
	parts, count := emptyBulk(len(b.Items)), d.pace.CountBulk()
	for _, it := range b.Items {
		parts.add(it.Value.request, it.Value.body)
	}
	c.operation = OperationBulkCreate
	invs, err := sendAll(ctx, c, counted(parts.creation(), count, mayRetry))
	count.Done(err)
	invs, err = parts.inspected(ctx, c, invs, err)
	d.call.last = c.last
	if err != nil {
		return parts.Found, c.sent, err
	}
	return maps.Collect(slices.All(parts.Assign(invs))), c.sent, nil
}
