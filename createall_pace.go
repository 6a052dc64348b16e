package clerk

import (
	"context"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// newPace returns the pace of the run that the call belongs to.
func newPace(c *call, b Budget) *pace.Pace {
	return pace.New(pace.Budget{Singles: b.Creates, Bulks: b.BulkCreates, BulkSize: MaxBulkInvitations, Window: b.Window}, c)
}

// limited is the operation of each limit.
var limited = map[pace.Limit]Operation{pace.Singles: OperationCreate, pace.Bulks: OperationBulkCreate}

// backOff pauses after a number of failures in a row, the last of which is failure.
func backOff(p *pace.Pace, failure error, failedAt time.Time, failures int) {
	p.BackOff(pace.Failure{
		Err: failure, RateLimited: classOf(failure) == transport.RateLimited, RetryAfter: askedBy(failure),
		At: failedAt, InARow: failures,
	})
}

// counted returns a write whose requests are counted. It sends one only while the limit
// permits. The run decides what to send after a failure.
func counted[T any](w write[T], count *pace.Count, mayRetry func() bool) write[T] {
	send := w.send
	w.mayRetry = func() bool { return count.MayRetry() && mayRetry() }
	w.send = func(ctx context.Context, c *call) (T, error) {
		result, err := send(ctx, c)
		count.Request(c.last.class, c.last.RetryAfter)
		return result, err
	}
	return w
}
