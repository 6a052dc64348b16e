package clock

import (
	"context"
	"time"
)

// WithGrace returns a context that ends some time after ctx, for what is under way then.
// Cancel ends it at once.
func WithGrace(ctx context.Context, by time.Duration) (longer context.Context, cancel context.CancelFunc) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, end) })
	return longer, func() { stop(); end() }
}
