// Package gather waits until there is something to send: it pulls values from an iterator
// into a queue while it waits for a batch, and for the limits to permit one.
package gather

import (
	"context"
	"fmt"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/async"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/queue"
)

// linger limits the wait for the iterator to fill a bulk.
const linger = time.Second

// A Gatherer gathers items of type T for a queue from an iterator over values of type V.
type Gatherer[V, T any] struct {
	Values *async.Puller[V]
	Queue  *queue.Queue[T]
	Pace   *pace.Pace
	// Take is called with each value, and may add an item to Queue.
	Take func(ctx context.Context, value V) error
	// Announce is called before a wait for a limit, or after a failure, which is the cause.
	Announce func(ctx context.Context, until time.Time, limit pace.Limit, cause error) error
}

// Gather pulls values until there is a batch to send and the pace permits sending it. A
// smaller batch will do if the iterator has no more values, or none for a while. If the queue
// is empty when Gather returns, everything has been sent. It returns an error of the iterator,
// Take, Announce or ctx.
func (g *Gatherer[V, T]) Gather(ctx context.Context) error {
	var lingers time.Time // until when it waits for the iterator to fill a bulk
	for {
		now := time.Now()
		untilItems, untilSingle := g.Queue.Wait(now)
		wait, limit, cause := g.Pace.Wait(now, untilItems, untilSingle)
		enough, isEmpty := g.Values.Ended() || g.Queue.HasBatch(now), g.Queue.IsEmpty()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case enough && (isEmpty || wait == 0):
			return nil
		case isEmpty: // wait is the longest Duration: only the iterator can help
		case wait > 0:
			if err := g.Announce(ctx, now.Add(wait), limit, cause); err != nil {
				return err
			}
		case lingers.IsZero():
			lingers, wait = now.Add(linger), linger
		default:
			if wait = lingers.Sub(now); wait <= 0 {
				return nil
			}
		}
		if enough {
			_ = clock.Sleep(ctx, wait) // an end of ctx ends the loop
		} else if err := g.pull(ctx, wait); err != nil {
			return err
		}
	}
}

// pull waits up to wait for the next value.
func (g *Gatherer[V, T]) pull(ctx context.Context, wait time.Duration) error {
	value, ok, err := g.Values.Next(ctx, wait)
	if err != nil {
		return fmt.Errorf("the iterator of the requests: %w", err)
	}
	if !ok {
		return nil
	}
	return g.Take(ctx, value)
}
