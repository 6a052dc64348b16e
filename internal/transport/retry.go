package transport

import (
	"context"
	"errors"
	"time"
)

// plan decides whether to make another attempt, and how long to wait before it.
func (l *Loop) plan(ctx context.Context) bool {
	l.again, l.wait = false, 0
	if l.held != nil || !l.retries() {
		return false
	}
	if l.Stopped = l.ended(ctx); l.Stopped != nil {
		if errors.Is(l.Err, l.Stopped) { // the attempt's own error already says so
			l.Stopped = nil
		}
		return false
	}
	l.wait = l.request.Policy.Backoff.Backoff(l.Attempts, l.RetryAfter)
	l.again = l.fits(ctx, l.wait)
	return l.again
}

// end returns the earlier of the policy's and the context's deadlines, or zero if there is
// none.
func (l *Loop) end(ctx context.Context) time.Time {
	own := l.request.Policy.Deadline
	callers, ok := ctx.Deadline()
	if !ok || !own.IsZero() && own.Before(callers) {
		return own
	}
	return callers
}

// fits reports whether an attempt after a wait can be expected to end in time. If a write does
// not, its outcome is unknown. So a write must have twice the time of the longest attempt so
// far.
func (l *Loop) fits(ctx context.Context, wait time.Duration) bool {
	end := l.end(ctx)
	if end.IsZero() {
		return true
	}
	if l.request.IsWrite() {
		wait = max(wait, wait+2*l.Longest) // unless it overflows
	}
	return wait < time.Until(end)
}

// ended returns why there is no time left, or nil if there is. The timer that ends ctx may be
// late, so the deadline counts as well.
func (l *Loop) ended(ctx context.Context) error {
	end := l.end(ctx)
	if err := ctx.Err(); err != nil || end.IsZero() || time.Now().Before(end) {
		return err
	}
	return context.DeadlineExceeded
}

// retries reports whether the policy allows another attempt, provided that there is time. A
// write is retried only if it was certainly not carried out; the outcome of an ambiguous one
// is looked up.
func (l *Loop) retries() bool {
	p := &l.request.Policy
	asked := l.Header.Get("Retry-After") != ""
	switch {
	case !p.Retry:
		return false
	case l.Class == RateLimited:
		return !l.request.IsWrite() || p.RetryRateLimits
	case l.Class == NotSent, l.Class == Failed && l.Status < 300:
		return p.RetryConnectionErrors && !l.unusable && !IsPermanent(l.Err)
	case l.Class == Failed:
		return l.Status >= 500 || asked && l.Status >= 400
	}
	return false
}
