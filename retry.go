package clerk

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A RetryConfig says how a call is repeated. The zero RetryConfig is the default.
//
// What RetryBackoff repeats: any operation that got a response with status 429; List
// also after a connection error, a 5xx, or a 4xx with a Retry-After header; Create,
// BulkCreate and Revoke otherwise only after a connection error that certainly came
// before the request was sent. Any other failure of those three, but for refusals,
// leaves open whether they were carried out: that is looked up, and they are repeated
// only where it shows that they were not. With RetryNone they fail with
// [ErrOutcomeUnknown].
//
// A Retry-After header is waited for exactly, in whole seconds. Otherwise the wait is
// chosen at random between zero and an interval that grows with each attempt. A wait
// that would not end before the caller's deadline or MaxElapsedTime is not begun: the
// call fails at once, and the error's RetryAfter tells how long Clerk asked to wait,
// where it did.
type RetryConfig struct {
	// Strategy is RetryBackoff, also when empty, or RetryNone.
	Strategy RetryStrategy
	// Backoff says how long to wait. RetryNone ignores it.
	Backoff BackoffStrategy
	// RetryConnectionErrors says whether to repeat after a connection error or an
	// attempt that timed out; nil means true. To turn it off, use new(false). What a
	// write has done is looked up all the same.
	RetryConnectionErrors *bool
}

// A RetryStrategy says whether calls are repeated.
type RetryStrategy string

const (
	// RetryBackoff repeats, with growing intervals.
	RetryBackoff RetryStrategy = "backoff"
	// RetryNone makes one request, and looks nothing up. The call is then limited by
	// the attempt timeout and the caller's context only.
	RetryNone RetryStrategy = "none"
)

// A BackoffStrategy says how long to wait. Fields left at zero have their
// defaults.
type BackoffStrategy struct {
	// InitialInterval is the most to wait after the first attempt; 500 ms by
	// default.
	InitialInterval time.Duration
	// MaxInterval is the most to wait after any attempt, unless Clerk asks for
	// more; 60 s by default.
	MaxInterval time.Duration
	// Exponent is what the interval is multiplied by for each further attempt, at
	// least 1; 1.5 by default.
	Exponent float64
	// MaxElapsedTime is the most that a call may take, attempts, waits and lookups
	// together; 1 minute by default. An attempt under way then is cut off.
	MaxElapsedTime time.Duration
}

// withDefaults fills in what is zero, and refuses what can never be right.
func (c RetryConfig) withDefaults() (RetryConfig, error) {
	b := &c.Backoff
	switch {
	case c.Strategy != "" && c.Strategy != RetryBackoff && c.Strategy != RetryNone:
		return c, fieldError{"retry strategy", "is neither RetryBackoff nor RetryNone"}
	case b.InitialInterval < 0 || b.MaxInterval < 0 || b.MaxElapsedTime < 0:
		return c, fieldError{"retry backoff", "has a negative duration"}
	case b.Exponent != 0 && !(b.Exponent >= 1) || math.IsInf(b.Exponent, 1):
		return c, fieldError{"retry exponent", "is not a number of at least 1"}
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

// interval is the most to wait after the given attempt, counted from 1.
func (b BackoffStrategy) interval(attempt int) time.Duration {
	grown := float64(b.InitialInterval) * math.Pow(b.Exponent, float64(attempt-1))
	if grown < float64(b.MaxInterval) {
		return time.Duration(grown)
	}
	return b.MaxInterval
}

// wait chooses how long to wait after the given attempt, with full jitter.
func (b BackoffStrategy) wait(attempt int) time.Duration {
	return max(1, rand.N(b.interval(attempt))) //nolint:gosec // jitter is no secret
}

// checkRetry is go-retryablehttp's policy: it takes in what the attempt came to,
// and says whether there is another. Waiting is go-retryablehttp's, for as long
// as backoff says.
func (x *exchange) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	x.endAttempt(ctx, resp, err)
	x.wait, x.again = 0, false
	if x.repeatable() {
		x.planAnother(ctx)
	}
	x.log(ctx)
	return x.again, nil
}

// planAnother chooses the wait before another attempt, if there is time for it.
func (x *exchange) planAnother(ctx context.Context) {
	if ended := x.ended(ctx); ended != nil {
		if !errors.Is(x.last.err, ended) {
			x.cutShort = ended
		}
		return
	}
	wait := retryAfter(x.last.header)
	if wait == 0 {
		wait = x.retry.Backoff.wait(x.attempts)
	}
	callers, _ := ctx.Deadline()
	if end := earlier(x.deadline, callers); end.IsZero() || wait < time.Until(end) {
		x.wait, x.again = wait, true
	}
}

// ended is why the call is over; nil when it is not.
func (x *exchange) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil || x.deadline.IsZero() || time.Now().Before(x.deadline) {
		return err
	}
	return context.DeadlineExceeded
}

func (x *exchange) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	return x.wait
}

// repeatable reports whether what the last attempt came to may be followed by
// another attempt, were there time.
func (x *exchange) repeatable() bool {
	a := &x.last
	switch {
	case x.retry.Strategy == RetryNone:
		return false
	case a.status == http.StatusTooManyRequests:
		return !x.isWrite() || !x.ownLimits
	case a.err != nil:
		return *x.retry.RetryConnectionErrors && isConnectionError(a.err) && (a.unsent || !x.isWrite())
	case x.isWrite():
		return false
	}
	return a.status >= 500 || a.status >= 400 && a.header.Get("Retry-After") != ""
}

// isConnectionError reports whether err may pass. A certificate that is not
// trusted, or a response that is too large or no JSON, will not.
func isConnectionError(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !untrusted && !errors.Is(err, errTooLarge) && !errors.Is(err, errNotJSON)
}

// retryAfter is how long the header asks to wait; 0 when it does not ask. A date
// is taken relative to the header's own Date, where it has one, for the server's
// clock may differ from ours.
func retryAfter(header http.Header) time.Duration {
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return parseRetryAfter(header.Get("Retry-After"), now)
}

// parseRetryAfter reads seconds or an HTTP date (RFC 9110, 10.2.3). Fractions of a
// second, which it does not allow, are rounded up. What is neither, or not after
// now, is 0; what is too long to be a Duration is the longest one.
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
