package clock

import (
	"context"
	"time"
)

// WithGrace returns a context that ends grace after ctx, so that work in progress can be
// finished. cancel ends it at once.
func WithGrace(ctx context.Context, grace time.Duration) (longer context.Context, cancel context.CancelFunc) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, end) })
	return longer, func() { stop(); end() }
}
