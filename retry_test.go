package clerk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// Each operation fails once and then succeeds.
func TestFailuresAreRetriedRefusedOrUnknown(t *testing.T) {
	type outcome int
	const (
		retried outcome = iota // and then a success
		refused                // an error; the operation was certainly not carried out
		unknown                // an error; it may have been
	)
	for name, test := range map[string]struct {
		failure     httpmock.Responder
		read, write outcome
	}{
		"429":                         {reply(429, ``), retried, retried},
		"429 with Retry-After":        {reply(429, ``, "Retry-After", "3"), retried, retried},
		"429 cut off":                 {cutOff(429, `{"errors":[`), retried, retried},
		"500":                         {reply(500, ``), retried, unknown},
		"501":                         {reply(501, ``), retried, unknown},
		"502":                         {reply(502, `<html>`), retried, unknown},
		"503":                         {reply(503, ``), retried, unknown},
		"503 with Retry-After":        {reply(503, ``, "Retry-After", "3"), retried, unknown},
		"504":                         {reply(504, ``), retried, unknown},
		"500 cut off":                 {cutOff(500, `{"errors":[`), retried, unknown},
		"400":                         {reply(400, ``), refused, refused},
		"401":                         {reply(401, ``), refused, refused},
		"404":                         {reply(404, ``), refused, refused},
		"409":                         {reply(409, ``), refused, refused},
		"409 with Retry-After":        {reply(409, ``, "Retry-After", "3"), retried, retried},
		"403 with Retry-After":        {reply(403, `<html>`, "Retry-After", "1"), retried, retried},
		"400 too_many_requests":       {reply(400, envelope("too_many_requests", "m", "", "null")), retried, retried},
		"422 cut off":                 {cutOff(422, `{"errors":[`), refused, refused},
		"408":                         {reply(408, ``), refused, unknown},
		"a redirect":                  {reply(307, ``, "Location", "/elsewhere"), refused, unknown},
		"200 cut off":                 {cutOff(200, `{"errors":[`), retried, unknown},
		"200 with broken JSON":        {reply(200, `{"id":`), refused, unknown},
		"a connection refused":        {failing(errDial), retried, retried},
		"a connection refused, inner": {failing(fmt.Errorf("proxy: %w", errDial)), retried, retried},
		"a connection reset":          {failing(errReset), retried, unknown},
		"a certificate not trusted":   {failing(&tls.CertificateVerificationError{Err: errors.New("expired")}), refused, unknown},
	} {
		for op, call := range calls {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					mock := answeringWrites(test.failure, reply(200, success[op]))
					want := test.write
					if op == clerk.OperationList {
						mock = answering(test.failure, reply(200, success[op]))
						want = test.read
					}
					err := call(t.Context(), newClient(t, mock))
					if op == clerk.OperationList {
						require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
					}
					if want == retried {
						require.NoError(t, err)
						require.Equal(t, 2, sent(mock, op))
						return
					}
					require.Error(t, err)
					require.Equal(t, 1, sent(mock, op))
					if op != clerk.OperationList {
						require.Equal(t, want == unknown, errors.Is(err, clerk.ErrOutcomeUnknown))
					}
				})
			})
		}
	}
}

func TestRetryConfigExtremes(t *testing.T) {
	const most = time.Duration(1<<63 - 1)
	for _, backoff := range []clerk.BackoffStrategy{
		{InitialInterval: most, MaxInterval: most, MaxElapsedTime: most},
		{MaxInterval: most, Exponent: 1e308},
		{Exponent: 1.7976931348623157e308, MaxElapsedTime: most},
		{InitialInterval: 1, MaxInterval: 1, MaxElapsedTime: 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			for _, call := range calls {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				err := call(ctx, newClient(t, answering(reply(429, ``))), clerk.WithRetry(clerk.RetryConfig{Backoff: backoff}))
				cancel()
				require.ErrorIs(t, err, clerk.ErrRateLimited)
			}
		})
	}
}

func TestRetryNoneSendsOneRequest(t *testing.T) {
	for op, call := range calls {
		for _, failure := range []httpmock.Responder{reply(429, ``, "Retry-After", "1"), reply(503, ``), failing(errDial)} {
			mock := answering(failure, reply(200, success[op]))
			client := newClient(t, mock, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
			require.Error(t, call(t.Context(), client))
			require.Equal(t, 1, mock.GetTotalCallCount())
		}
	}
}

func TestRetryNoneHasNoMaxElapsedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(req *http.Request) (*http.Response, error) {
			time.Sleep(2 * time.Minute)
			return reply(200, pendingJSON)(req)
		}
		client := newClient(t, answering(slow), clerk.WithAttemptTimeout(3*time.Minute))
		call := calls[clerk.OperationCreate]
		require.NoError(t, call(t.Context(), client, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})))
		start := time.Now()
		require.ErrorIs(t, call(t.Context(), client), clerk.ErrOutcomeUnknown)
		require.Equal(t, time.Minute, time.Since(start))
		time.Sleep(time.Minute) // lets the slow response end
	})
}

func TestRetryConnectionErrorsOffFailsAtOnce(t *testing.T) {
	off := clerk.WithRetry(clerk.RetryConfig{RetryConnectionErrors: new(false)})
	synctest.Test(t, func(t *testing.T) {
		for op, call := range calls {
			for _, err := range []error{errDial, errReset} {
				mock := answeringWrites(failing(err), reply(200, success[op]))
				if op == clerk.OperationList {
					mock = answering(failing(err), reply(200, success[op]))
				}
				require.ErrorIs(t, call(t.Context(), newClient(t, mock), off), err)
				require.Equal(t, 1, sent(mock, op))
			}
			mock := answering(reply(429, ``), reply(200, success[op]))
			require.NoError(t, call(t.Context(), newClient(t, mock), off))
		}
	})
}

// TestRetryAfterIsWaitedFor: go-retryablehttp's maximum does not shorten the wait. Jitter adds
// at most twice InitialInterval.
func TestRetryAfterIsWaitedFor(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"1":                             time.Second,
		"50":                            50 * time.Second,
		"1.5":                           2 * time.Second,
		"0.000000001":                   time.Second,      // no hot loop
		"Sat, 01 Jan 2000 00:00:20 GMT": 20 * time.Second, // a bubble's time begins in 2000
	} {
		synctest.Test(t, func(t *testing.T) {
			rec := &recorder{next: answering(reply(429, ``, "Retry-After", value), reply(200, pendingJSON))}
			retry := clerk.RetryConfig{Backoff: clerk.BackoffStrategy{InitialInterval: 1, MaxInterval: 2}}
			require.NoError(t, calls[clerk.OperationCreate](t.Context(), newClient(t, rec, clerk.WithRetry(retry))))
			require.Len(t, rec.times, 2)
			wait := rec.times[1].Sub(rec.times[0])
			require.GreaterOrEqual(t, wait, want, value)
			require.LessOrEqual(t, wait, want+2, value)
		})
	}
}

// Waits are longer than MaxElapsedTime, than the caller's deadline, or than a Duration can
// hold.
func TestWaitThatOutlastsTheDeadlineIsNotStarted(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"3590":                          3590 * time.Second,
		"60":                            time.Minute,
		"9223372037":                    1<<63 - 1,
		"99999999999999999999999999999": 1<<63 - 1,
		"Sat, 01 Jan 2000 01:00:00 GMT": time.Hour,
	} {
		for op, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				mock := answering(reply(429, ``, "Retry-After", value))
				start := time.Now()
				err := call(t.Context(), newClient(t, mock))
				require.Zero(t, time.Since(start))
				require.Equal(t, 1, mock.GetTotalCallCount(), op)
				require.ErrorIs(t, err, clerk.ErrRateLimited)
				require.Equal(t, want, asSDKError(t, err).RetryAfter)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		err := calls[clerk.OperationCreate](ctx, newClient(t, answering(reply(429, ``, "Retry-After", "5"))))
		require.Zero(t, time.Since(start))
		require.Equal(t, 5*time.Second, asSDKError(t, err).RetryAfter)
		require.NoError(t, ctx.Err())
	})
}

// TestRetryAfterIsSpread: calls that were asked to wait at the same time return over a
// while, and none early.
func TestRetryAfterIsSpread(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if time.Since(start) < time.Second {
					return reply(status, ``, "Retry-After", "2")(req)
				}
				return reply(200, success[clerk.OperationList])(req)
			}))
			var mu sync.Mutex
			var took []time.Duration
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					assertNoError(t, calls[clerk.OperationList](context.Background(), client))
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(start))
				})
			}
			group.Wait()
			require.GreaterOrEqual(t, slices.Min(took), 2*time.Second)
			require.Greater(t, slices.Max(took)-slices.Min(took), 500*time.Millisecond)
			require.LessOrEqual(t, slices.Max(took), 4*time.Second)
		})
	}
}

// TestRetryAfterWithoutDelayBacksOff: a Retry-After that asks for no wait must not cause a
// hot loop.
func TestRetryAfterWithoutDelayBacksOff(t *testing.T) {
	for _, value := range []string{"0", "0.0", "-5", "soon", "", "NaN", "Inf", "1e3", "0x10", "1.2.3", "Fri, 31 Dec 1999 23:59:59 GMT"} {
		synctest.Test(t, func(t *testing.T) {
			mock := answering(reply(429, ``, "Retry-After", value))
			err := calls[clerk.OperationCreate](t.Context(), newClient(t, mock))
			require.ErrorIs(t, err, clerk.ErrRateLimited)
			require.Zero(t, asSDKError(t, err).RetryAfter, value)
			require.Greater(t, mock.GetTotalCallCount(), 1)
			require.Less(t, mock.GetTotalCallCount(), 40, value)
		})
	}
}

func TestRetryAfterDateIsRelativeToTheServersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{next: answering(
			reply(429, ``, "Date", "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After", "Sunday, 06-Nov-94 08:49:47 GMT"),
			reply(429, ``, "Date", "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After", "Sun Nov  6 08:49:44 1994"),
			reply(200, pendingJSON))}
		client := newClient(t, rec, clerk.WithRandom(func() float64 { return 0 }))
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		require.Equal(t, 10*time.Second, rec.times[1].Sub(rec.times[0]))
		require.Equal(t, 7*time.Second, rec.times[2].Sub(rec.times[1]))
	})
}

func TestBackoffGrowsWithFullJitter(t *testing.T) {
	backoff := clerk.BackoffStrategy{
		InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, Exponent: 2, MaxElapsedTime: time.Hour,
	}
	most := []int{100, 200, 400, 800, 1000, 1000, 1000} // ms
	longest := make([]time.Duration, len(most))
	shortest := make([]time.Duration, len(most))
	for i := range shortest {
		shortest[i] = time.Hour
	}
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			failure := reply(503, ``)
			rec := &recorder{next: answering(failure, failure, failure, failure, failure, failure, failure,
				reply(200, success[clerk.OperationList]))}
			client := newClient(t, rec, clerk.WithRetry(clerk.RetryConfig{Backoff: backoff}))
			require.NoError(t, calls[clerk.OperationList](t.Context(), client))
			require.Len(t, rec.times, len(most)+1)
			for i := range most {
				wait := rec.times[i+1].Sub(rec.times[i])
				longest[i], shortest[i] = max(longest[i], wait), min(shortest[i], wait)
			}
		})
	}
	for i, milliseconds := range most { // by chance this fails less than once in 10^17 runs
		limit := time.Duration(milliseconds) * time.Millisecond
		require.LessOrEqual(t, longest[i], limit)
		require.Greater(t, longest[i], limit*8/10)
		require.Less(t, shortest[i], limit*2/10)
	}
}

func TestDefaultRetryConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := answering(reply(503, ``))
		start := time.Now()
		middle := clerk.WithRandom(func() float64 { return 0.5 }) // rarely, random waits end with an attempt that is held back
		err := calls[clerk.OperationList](t.Context(), newClient(t, mock, middle))
		require.LessOrEqual(t, time.Since(start), time.Minute)
		require.Greater(t, time.Since(start), 5*time.Second)
		require.Equal(t, mock.GetTotalCallCount(), asSDKError(t, err).Attempts)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "no wait that does not fit is begun")
		require.Contains(t, err.Error(), fmt.Sprintf("503 Service Unavailable (no Clerk error, but an empty body) (%d attempts)", mock.GetTotalCallCount()))
	})
}

// TestExhaustedRetriesReturnTheLastResponse: go-retryablehttp would drop it.
func TestExhaustedRetriesReturnTheLastResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := envelope("service_unavailable", "Service unavailable", "", "null")
		err := calls[clerk.OperationList](t.Context(), newClient(t, answering(reply(500, ``), reply(503, body, "X-Clerk-Trace-Id", "abc"))))
		sdk := asSDKError(t, err)
		require.Equal(t, 503, sdk.StatusCode)
		require.Equal(t, "abc", sdk.TraceID)
		require.Equal(t, body, string(sdk.Body))
		require.Equal(t, clerk.CodeServiceUnavailable, asClerkErrors(t, err).Errors[0].Code)
	})
}

// TestRetryAfterOfALookupHasABound is the same for the lookup after an ambiguous write.
func TestRetryAfterOfALookupHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		lists := 0
		transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				if lists++; lists == 2 {
					return reply(503, ``, "Retry-After", "2718281828")(req)
				}
			}
			return l.fake.RoundTrip(req)
		})
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorAfter)
		start := time.Now()
		results, err := createAll(t, clientThrough(t, l.fake, transport), guests(30))
		require.NoError(t, err)
		require.Len(t, results, 30)
		require.LessOrEqual(t, time.Since(start), 3*time.Hour)
		require.Len(t, l.fake.Invitations(), 30)
	})
}

// The server asks to wait until 2056.
func TestRetryAfterHasABound(t *testing.T) {
	for _, status := range []int{429, 503} {
		for _, value := range []string{"2718281828", "99999999999999999999", "Wed, 01 Mar 2056 00:00:00 GMT"} {
			for _, first := range []string{"bulk", "single"} {
				t.Run(fmt.Sprint(status, "/", value, "/", first), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						n := 0
						transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
							kind := "list"
							if req.Method == http.MethodPost {
								kind = map[bool]string{true: "bulk", false: "single"}[req.URL.Path == "/v1/invitations/bulk"]
							}
							if kind == first {
								if n++; n <= 2 {
									return reply(status, ``, "Retry-After", value)(req)
								}
							}
							return l.fake.RoundTrip(req)
						})
						count := map[string]int{"bulk": 60, "single": 1}[first]
						start := time.Now()
						results, err := createAll(t, clientThrough(t, l.fake, transport), guests(count))
						require.NoError(t, err)
						require.Len(t, results, count)
						require.LessOrEqual(t, time.Since(start), 5*time.Hour)
						require.Len(t, l.fake.Invitations(), count)
					})
				})
			}
		}
	}
}
