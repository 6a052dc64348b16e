package clerk

import (
	"cmp"
	"math"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

// A RetryConfig says how a call is retried. The zero RetryConfig is the default.
//
// With RetryBackoff, requests that were rate limited (see [ErrRateLimited]) or not sent are
// retried for every operation. Reads are retried after failed connections and 5xx as well. Any
// other failure of a write, except a refusal, is ambiguous: the library looks up what the
// write did, and retries it only if it was not carried out.
//
// If Clerk asks for a wait with a Retry-After header, the wait is that long plus a random
// part: up to half of it, and at most twice InitialInterval. So calls that were asked at the
// same time do not return at the same time. Otherwise the wait is random, between zero and an
// interval that grows with each attempt. A wait that would outlast the caller's deadline or
// MaxElapsedTime is not started: the call fails at once, and its error's RetryAfter says how
// long Clerk asked to wait.
type RetryConfig struct {
	// Strategy is RetryBackoff, which is the default, or RetryNone.
	Strategy RetryStrategy
	// Backoff says how long to wait. RetryNone ignores it.
	Backoff BackoffStrategy
	// RetryConnectionErrors says whether to retry after a failed connection and an attempt
	// that timed out; nil means true. To turn it off, use new(false). An ambiguous write is
	// still looked up.
	RetryConnectionErrors *bool
}

// A RetryStrategy says whether calls are retried.
type RetryStrategy string

const (
	// RetryBackoff retries, with growing intervals.
	RetryBackoff RetryStrategy = "backoff"
	// RetryNone makes each request once, without lookups. Only the attempt timeout and the
	// caller's context limit the call.
	RetryNone RetryStrategy = "none"
)

// A BackoffStrategy says how long to wait. A zero field means its default.
type BackoffStrategy struct {
	// InitialInterval is the longest wait after the first attempt; 500 ms by default.
	InitialInterval time.Duration
	// MaxInterval is the longest wait after any attempt, unless Clerk asks for more; 60 s
	// by default.
	MaxInterval time.Duration
	// Exponent multiplies the interval with each further attempt, at least 1; 1.5 by default.
	Exponent float64
	// MaxElapsedTime limits a call, with all its requests, waits and lookups; 1 minute by
	// default. An attempt under way at that time is cut off.
	MaxElapsedTime time.Duration
}

// withDefaults returns the configuration with defaults for zero fields.
func (retry RetryConfig) withDefaults() (RetryConfig, error) {
	b := &retry.Backoff
	switch {
	case retry.Strategy != "" && retry.Strategy != RetryBackoff && retry.Strategy != RetryNone:
		return retry, &InputError{"WithRetry", "has an unknown strategy"}
	case b.InitialInterval < 0 || b.MaxInterval < 0 || b.MaxElapsedTime < 0:
		return retry, &InputError{"WithRetry", "has a negative duration"}
	case b.Exponent != 0 && !(b.Exponent >= 1) || math.IsInf(b.Exponent, 1):
		return retry, &InputError{"WithRetry", "has an exponent that is not a number of at least 1"}
	}
	retry.Strategy = cmp.Or(retry.Strategy, RetryBackoff)
	b.InitialInterval = cmp.Or(b.InitialInterval, 500*time.Millisecond)
	b.MaxInterval = cmp.Or(b.MaxInterval, time.Minute)
	b.Exponent = cmp.Or(b.Exponent, 1.5)
	b.MaxElapsedTime = cmp.Or(b.MaxElapsedTime, time.Minute)
	// A copy, as the caller may change its own.
	retry.RetryConnectionErrors = new(retry.RetryConnectionErrors == nil || *retry.RetryConnectionErrors)
	return retry, nil
}

// waits returns b as a clock.Backoff.
func (b *BackoffStrategy) waits() clock.Backoff {
	return clock.Backoff{Initial: b.InitialInterval, Max: b.MaxInterval, Factor: b.Exponent}
}
