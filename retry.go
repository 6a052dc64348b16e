package clerk

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A RetryConfig says how a call is retried. The zero RetryConfig is the default.
//
// With RetryBackoff, a response with status 429 and a request that was not sent are
// retried for every operation. A read is also retried after a failed connection, a 5xx,
// and a 4xx with a Retry-After header. Any other failure of a write, except a refusal, is
// ambiguous: the library looks up what the write did, and retries it only if it was not
// carried out.
//
// A Retry-After header is followed exactly, in whole seconds. Otherwise the wait is
// random, between zero and an interval that grows with each attempt. A wait that would
// outlast the caller's deadline or MaxElapsedTime is not started: the call fails at once,
// and RetryAfter of its error says how long Clerk asked to wait.
type RetryConfig struct {
	// Strategy is RetryBackoff, also if empty, or RetryNone.
	Strategy RetryStrategy
	// Backoff says how long to wait. RetryNone ignores it.
	Backoff BackoffStrategy
	// RetryConnectionErrors says whether to retry after a failed connection and an attempt
	// that timed out; nil means true. To turn it off, use new(false). An ambiguous write is
	// looked up all the same.
	RetryConnectionErrors *bool
}

// A RetryStrategy says whether calls are retried.
type RetryStrategy string

const (
	// RetryBackoff retries, with growing intervals.
	RetryBackoff RetryStrategy = "backoff"
	// RetryNone makes one request and no lookup. Only the attempt timeout and the caller's
	// context limit the call.
	RetryNone RetryStrategy = "none"
)

// A BackoffStrategy says how long to wait. A zero field has its default.
type BackoffStrategy struct {
	// InitialInterval is the longest wait after the first attempt; 500 ms by default.
	InitialInterval time.Duration
	// MaxInterval is the longest wait after any attempt, unless Clerk asks for more; 60 s
	// by default.
	MaxInterval time.Duration
	// Exponent multiplies the interval with each further attempt, at least 1; 1.5 by
	// default.
	Exponent float64
	// MaxElapsedTime limits a call, with all its requests, waits and lookups; 1 minute by
	// default. An attempt that is under way then is cut off.
	MaxElapsedTime time.Duration
}

// withDefaults sets zero fields, and rejects invalid ones.
func (c RetryConfig) withDefaults() (RetryConfig, error) {
	b := &c.Backoff
	switch {
	case c.Strategy != "" && c.Strategy != RetryBackoff && c.Strategy != RetryNone:
		return c, &InputError{"WithRetry", "has an unknown strategy"}
	case b.InitialInterval < 0 || b.MaxInterval < 0 || b.MaxElapsedTime < 0:
		return c, &InputError{"WithRetry", "has a negative duration"}
	case b.Exponent != 0 && !(b.Exponent >= 1) || math.IsInf(b.Exponent, 1):
		return c, &InputError{"WithRetry", "has an exponent that is not a number of at least 1"}
	}
	setDefault(&c.Strategy, RetryBackoff)
	setDefault(&b.InitialInterval, 500*time.Millisecond)
	setDefault(&b.MaxInterval, time.Minute)
	setDefault(&b.Exponent, 1.5)
	setDefault(&b.MaxElapsedTime, time.Minute)
	// A copy, for the caller may change its own.
	c.RetryConnectionErrors = new(c.RetryConnectionErrors == nil || *c.RetryConnectionErrors)
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// interval returns the longest wait after an attempt, counted from 1.
func (b BackoffStrategy) interval(attempt int) time.Duration {
	grown := float64(b.InitialInterval) * math.Pow(b.Exponent, float64(attempt-1))
	if grown < float64(b.MaxInterval) {
		return time.Duration(grown)
	}
	return b.MaxInterval
}

// wait returns how long to wait after an attempt, with full jitter.
func (b BackoffStrategy) wait(attempt int) time.Duration {
	return 1 + rand.N(max(1, b.interval(attempt))) //nolint:gosec // jitter is no secret
}

// plan decides whether there is another attempt, and how long to wait before it.
func (l *requestLoop) plan(ctx context.Context) bool {
	l.again, l.wait = false, 0
	if !l.retries() {
		return false
	}
	if l.stopped = l.ended(ctx); l.stopped != nil {
		if errors.Is(l.last.err, l.stopped) {
			l.stopped = nil
		}
		return false
	}
	l.wait = cmp.Or(l.last.retryAfter, l.retry.Backoff.wait(l.attempts))
	l.again = l.fits(ctx, l.wait)
	return l.again
}

// end is the call's deadline or the caller's, whichever is earlier; zero for none.
func (l *requestLoop) end(ctx context.Context) time.Time {
	callers, ok := ctx.Deadline()
	if !ok || !l.deadline.IsZero() && l.deadline.Before(callers) {
		return l.deadline
	}
	return callers
}

// fits reports whether an attempt after a wait has a chance to end in time. A write that
// does not end in time has an unknown outcome, so it needs twice as long as the longest
// attempt so far.
func (l *requestLoop) fits(ctx context.Context, wait time.Duration) bool {
	end := l.end(ctx)
	if end.IsZero() {
		return true
	}
	if l.isWrite() {
		wait = max(wait, wait+2*l.longest) // unless it overflows
	}
	return wait < time.Until(end)
}

// ended returns why there is no time left; nil if there is.
func (l *requestLoop) ended(ctx context.Context) error {
	end := l.end(ctx)
	if err := ctx.Err(); err != nil || end.IsZero() || time.Now().Before(end) {
		return err
	}
	return context.DeadlineExceeded
}

// retries reports whether the last attempt may be followed by another one, time
// permitting. A write is retried only if it was certainly not carried out; what an
// ambiguous one did is looked up instead.
func (l *requestLoop) retries() bool {
	a := &l.last
	switch {
	case l.retry.Strategy == RetryNone:
		return false
	case a.class == classRateLimited:
		return !l.isWrite() || !l.keepLimits
	case a.class == classRefused:
		return !l.isWrite() && a.header.Get("Retry-After") != ""
	case a.class == classNotSent, a.class == classFailed && a.status < 300:
		return *l.retry.RetryConnectionErrors && isTransient(a.err)
	case a.class == classFailed:
		return a.status >= 500 || a.header.Get("Retry-After") != "" && a.status >= 400
	}
	return false
}

// retryAfter returns how long the header asks to wait; 0 if it does not ask. A date is
// relative to the header's Date if it has one, as the server's clock may differ.
func retryAfter(header http.Header) time.Duration {
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return parseRetryAfter(header.Get("Retry-After"), now)
}

// parseRetryAfter reads seconds or an HTTP date (RFC 9110, 10.2.3), and rounds fractions
// of a second up. It returns 0 for anything else and for the past, and the longest
// Duration for what does not fit.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	if value == "" || strings.Trim(value, "0123456789.") != "" {
		return 0
	}
	seconds, err := strconv.ParseFloat(value, 64)
	seconds = math.Ceil(seconds)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0
	case seconds > math.MaxInt64/1e9:
		return math.MaxInt64
	}
	return time.Duration(seconds) * time.Second
}
