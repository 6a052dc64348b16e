package clerk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

var (
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	errDial  = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
)

func failing(err error) httpmock.Responder { return httpmock.NewErrorResponder(err) }

// TestWhatIsRepeated makes each operation meet a failure once, and a success then.
func TestWhatIsRepeated(t *testing.T) {
	type outcome int
	const (
		repeated outcome = iota // and then a success
		refused                 // an error; the operation was certainly not carried out
		unknown                 // an error; it may have been
	)
	for name, test := range map[string]struct {
		failure     httpmock.Responder
		read, write outcome
	}{
		"429":                         {reply(429, ``), repeated, repeated},
		"429 with Retry-After":        {reply(429, ``, "Retry-After", "3"), repeated, repeated},
		"429 cut off":                 {truncated(429), repeated, repeated},
		"500":                         {reply(500, ``), repeated, unknown},
		"501":                         {reply(501, ``), repeated, unknown},
		"502":                         {reply(502, `<html>`), repeated, unknown},
		"503":                         {reply(503, ``), repeated, unknown},
		"503 with Retry-After":        {reply(503, ``, "Retry-After", "3"), repeated, unknown},
		"504":                         {reply(504, ``), repeated, unknown},
		"500 cut off":                 {truncated(500), repeated, unknown},
		"400":                         {reply(400, ``), refused, refused},
		"401":                         {reply(401, ``), refused, refused},
		"404":                         {reply(404, ``), refused, refused},
		"409":                         {reply(409, ``), refused, refused},
		"409 with Retry-After":        {reply(409, ``, "Retry-After", "3"), repeated, refused},
		"422 cut off":                 {truncated(422), refused, refused},
		"408":                         {reply(408, ``), refused, unknown},
		"a redirect":                  {reply(307, ``, "Location", "/elsewhere"), refused, unknown},
		"200 cut off":                 {truncated(200), repeated, unknown},
		"200 with broken JSON":        {reply(200, `{"id":`), refused, unknown},
		"a connection refused":        {failing(errDial), repeated, repeated},
		"a connection refused, inner": {failing(fmt.Errorf("proxy: %w", errDial)), repeated, repeated},
		"a connection reset":          {failing(errReset), repeated, unknown},
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
					if want == repeated {
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

// truncated is an answer whose transfer breaks off.
func truncated(status int) httpmock.Responder {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, ContentLength: 100, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"errors":[`), brokenReader{})),
		}, nil
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestExtremeConfigs(t *testing.T) {
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

func TestRetryNone(t *testing.T) {
	for op, call := range calls {
		for _, failure := range []httpmock.Responder{reply(429, ``, "Retry-After", "1"), reply(503, ``), failing(errDial)} {
			mock := answering(failure, reply(200, success[op]))
			client := newClient(t, mock, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
			require.Error(t, call(t.Context(), client))
			require.Equal(t, 1, mock.GetTotalCallCount())
		}
	}
}

func TestRetryNoneHasNoElapsedTime(t *testing.T) {
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
		time.Sleep(time.Minute) // lets the slow answer end
	})
}

func TestRetryConnectionErrorsOff(t *testing.T) {
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

// TestRetryAfterIsWaitedForExactly also shows that go-retryablehttp's maximum does
// not shorten the wait.
func TestRetryAfterIsWaitedForExactly(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"1":                             time.Second,
		"50":                            50 * time.Second,
		"1.5":                           2 * time.Second,
		"0.000000001":                   time.Second,      // no hot loop
		"Sat, 01 Jan 2000 00:00:20 GMT": 20 * time.Second, // a bubble's time begins at 2000
	} {
		synctest.Test(t, func(t *testing.T) {
			rec := &recorder{next: answering(reply(429, ``, "Retry-After", value), reply(200, pendingJSON))}
			retry := clerk.RetryConfig{Backoff: clerk.BackoffStrategy{InitialInterval: 1, MaxInterval: 2}}
			require.NoError(t, calls[clerk.OperationCreate](t.Context(), newClient(t, rec, clerk.WithRetry(retry))))
			require.Len(t, rec.times, 2)
			require.Equal(t, want, rec.times[1].Sub(rec.times[0]), value)
		})
	}
}

// TestWaitThatDoesNotFitIsNotBegun has a wait too long for MaxElapsedTime, and one
// too long for the caller's deadline; also one so long that a Duration overflows.
func TestWaitThatDoesNotFitIsNotBegun(t *testing.T) {
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

// A Retry-After that asks for no wait must not make a hot loop.
func TestRetryAfterOfNothing(t *testing.T) {
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
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), newClient(t, rec)))
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

func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := answering(reply(503, ``))
		start := time.Now()
		err := calls[clerk.OperationList](t.Context(), newClient(t, mock))
		require.LessOrEqual(t, time.Since(start), time.Minute)
		require.Greater(t, time.Since(start), 5*time.Second)
		require.Equal(t, mock.GetTotalCallCount(), asSDKError(t, err).Attempts)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "no wait that does not fit is begun")
		require.Contains(t, err.Error(), fmt.Sprintf("503 Service Unavailable (no Clerk error, but an empty body) (%d attempts)", mock.GetTotalCallCount()))
	})
}

func TestMaxElapsedTimeEndsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for op, call := range calls {
			start := time.Now()
			err := call(t.Context(), newClient(t, roundTripFunc(hangs)), clerk.WithRetry(clerk.RetryConfig{
				Backoff: clerk.BackoffStrategy{MaxElapsedTime: 5 * time.Second},
			}))
			require.Equal(t, 5*time.Second, time.Since(start))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.True(t, strings.HasSuffix(err.Error(), ": no response: the call took longer than MaxElapsedTime, 5s"), err)
			require.Equal(t, op != clerk.OperationList, errors.Is(err, clerk.ErrOutcomeUnknown))
		}
	})
}

// TestAttemptThatEndsTooLate: a transport may not heed its context.
func TestAttemptThatEndsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := calls[clerk.OperationList](t.Context(), newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			time.Sleep(6 * time.Second)
			return reply(503, ``)(req)
		})), clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 5 * time.Second}}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "clerk: ListInvitations: 503 Service Unavailable (no Clerk error, but an empty body); "+
			"stopped before another attempt: the call took longer than MaxElapsedTime, 5s")
	})
}

func TestCallersDeadlineLeavesTimeForLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for op, call := range calls {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			rec := &recorder{next: roundTripFunc(hangs)}
			start := time.Now()
			err := call(ctx, newClient(t, rec))
			cancel()
			require.Equal(t, 3*time.Second, time.Since(start))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, op != clerk.OperationList, errors.Is(err, clerk.ErrOutcomeUnknown))
			require.ErrorContains(t, err, ": no response: ")
			if op != clerk.OperationList {
				require.Equal(t, 2*time.Second, rec.times[1].Sub(start), "two thirds for the write")
				require.ErrorContains(t, err, "; looking it up: ")
			}
		}
	})
}

// TestServerThatCreatesAndHangs, within the caller's short deadline.
func TestServerThatCreatesAndHangs(t *testing.T) {
	for _, ignoreExisting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.fake.Fail(clerk.OperationCreate, clerktest.FaultSlowAfter)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			inv, err := l.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
			require.NoError(t, err)
			require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
		})
	}
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, answering(hangs)), once)
		require.Equal(t, 15*time.Second, time.Since(start))
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "clerk: CreateInvitation: outcome unknown: no response: the attempt took longer than 15s")

		mock := answering(hangs, reply(200, success[clerk.OperationList]))
		require.NoError(t, calls[clerk.OperationList](t.Context(), newClient(t, mock), clerk.WithAttemptTimeout(time.Second)))
		require.Equal(t, 2, mock.GetTotalCallCount(), "a read is tried again")
	})
}

func TestAttemptTimeoutHoldsForTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		// As net/http's transport does, this body ends with the request's context.
		drips := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			body, w := io.Pipe()
			context.AfterFunc(req.Context(), func() { w.CloseWithError(req.Context().Err()) })
			return &http.Response{StatusCode: 200, Body: body}, nil
		})
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, drips), once)
		require.Equal(t, 15*time.Second, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
	})
}

func TestContextThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for op, call := range calls {
		mock := answering(reply(200, success[op]))
		client := newClient(t, mock, clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
			t.Error("the key is not needed")
			return testKey, nil
		}))
		err := call(ctx, client)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		require.EqualError(t, err, "clerk: "+string(op)+": nothing sent: context canceled")
		require.Zero(t, mock.GetTotalCallCount())
	}
}

// TestCancelledWait shows that the last answer is not lost, as it would be in
// go-retryablehttp.
func TestCancelledWait(t *testing.T) {
	for name, test := range map[string]struct {
		answer httpmock.Responder
		is     []error
		text   string
	}{
		"after a 429 of Clerk's": {
			reply(429, envelope("too_many_requests", "Too many requests", "", "null"), "Retry-After", "30", "X-Clerk-Trace-Id", "abc"),
			[]error{clerk.ErrRateLimited},
			"clerk: CreateInvitation: 429 too_many_requests: Too many requests; stopped before another attempt: context canceled (retry after 30s, trace abc)",
		},
		"after a 429 of none": {
			reply(429, ``, "Retry-After", "30"),
			[]error{clerk.ErrRateLimited},
			"clerk: CreateInvitation: 429 Too Many Requests (no Clerk error, but an empty body); stopped before another attempt: context canceled (retry after 30s)",
		},
		"after no connection": {
			func(*http.Request) (*http.Response, error) { return nil, errDial },
			[]error{errDial},
			"clerk: CreateInvitation: nothing sent: dial tcp: connection refused; stopped before another attempt: context canceled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				mock := answering(test.answer)
				done := make(chan error)
				retry := clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{InitialInterval: time.Minute}})
				client := newClient(t, mock)
				go func() { done <- calls[clerk.OperationCreate](ctx, client, retry) }()
				synctest.Wait() // it waits
				cancel()
				err := <-done
				require.ErrorIs(t, err, context.Canceled)
				for _, want := range test.is {
					require.ErrorIs(t, err, want)
				}
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.EqualError(t, err, test.text)
				require.Equal(t, 1, mock.GetTotalCallCount())
			})
		})
	}
}

// TestCausesOfCancellation: net/http gives the cause in place of the context's error.
// It is the caller's, and says nothing of this call.
func TestCausesOfCancellation(t *testing.T) {
	for name, cause := range map[string]error{
		"another call's refusal": &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeDuplicateRecord}}},
		"another's dial error":   errDial,
		"an error of its own":    errors.New("enough"),
	} {
		for _, where := range []string{"before the response", "within the response"} {
			for op, call := range calls {
				t.Run(name+"/"+where+"/"+string(op), func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					client := serve(t, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						if where == "within the response" {
							w.Header().Set("Content-Length", "1000")
							_, _ = io.WriteString(w, "{")
							_ = http.NewResponseController(w).Flush()
							time.AfterFunc(time.Millisecond, func() { cancel(cause) })
						} else {
							cancel(cause)
						}
						<-r.Context().Done()
					})
					err := call(ctx, client)
					require.ErrorIs(t, err, context.Canceled)
					require.NotErrorIs(t, err, cause)
					require.NotErrorIs(t, err, clerk.ErrDuplicateInvitation)
					require.Equal(t, op != clerk.OperationList, errors.Is(err, clerk.ErrOutcomeUnknown))
				})
			}
		}
	}
}

// TestAnswerAfterCancellation shows that an answer that came is not turned into the
// context's error, as go-retryablehttp's own policy would.
func TestAnswerAfterCancellation(t *testing.T) {
	for op, call := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			cancel()
			return reply(200, success[op])(req)
		})
		require.NoError(t, call(ctx, newClient(t, transport)))
	}
}

func TestFailureAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return reply(429, ``, "Retry-After", "1")(req)
		})
		err := calls[clerk.OperationList](ctx, newClient(t, transport))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, clerk.ErrRateLimited)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
	})
}

func TestFailureAfterCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		cancel()
		return reply(429, ``, "Retry-After", "1")(req)
	})
	err := calls[clerk.OperationCreate](ctx, newClient(t, transport))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, clerk.ErrRateLimited)
}

// TestExhaustionKeepsTheLastAnswer: go-retryablehttp would drop it.
func TestExhaustionKeepsTheLastAnswer(t *testing.T) {
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

// TestIdleConnectionsStayOpen: go-retryablehttp would close those of the caller's
// HTTP client at every failure.
func TestIdleConnectionsStayOpen(t *testing.T) {
	transport := &closing{RoundTripper: answering(reply(503, ``), failing(errReset), failing(errDial), reply(400, ``))}
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, transport)
		for range 3 {
			require.Error(t, calls[clerk.OperationCreate](t.Context(), client))
		}
		ctx, cancel := context.WithCancel(t.Context())
		transport.RoundTripper = answering(reply(429, ``, "Retry-After", "30"))
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, calls[clerk.OperationCreate](ctx, client), context.Canceled)
		require.Zero(t, transport.closed)
	})
}

type closing struct {
	http.RoundTripper
	closed int
}

func (c *closing) CloseIdleConnections() { c.closed++ }

// TestNilLogger: go-retryablehttp panics on a typed nil.
func TestNilLogger(t *testing.T) {
	var none *slog.Logger
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, answering(reply(429, ``), reply(200, pendingJSON)), clerk.WithLogger(none))
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
	})
}

// TestNothingIsPrinted runs calls in a process of their own: by default
// go-retryablehttp logs each request, with its query, to standard error.
func TestNothingIsPrinted(t *testing.T) {
	if os.Getenv("CLERK_TEST_PRINTS") != "" {
		synctest.Test(t, func(t *testing.T) {
			for op, call := range calls {
				_ = call(t.Context(), newClient(t, answering(reply(429, ``), failing(errReset), reply(200, success[op]))))
			}
		})
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestNothingIsPrinted$")
	cmd.Env = append(os.Environ(), "CLERK_TEST_PRINTS=1")
	printed, err := cmd.CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "PASS", strings.TrimSpace(string(printed)))
}

// TestBodiesAreClosed counts, for answers of each kind, that a body is closed once
// it is done with: go-retryablehttp's pass-through handler leaves one open.
func TestBodiesAreClosed(t *testing.T) {
	for name, answers := range map[string][]httpmock.Responder{
		"success":          {reply(200, pendingJSON)},
		"a refusal":        {reply(400, duplicateJSON)},
		"nonsense":         {reply(200, `<html>`)},
		"a redirect":       {reply(302, `elsewhere`, "Location", "https://example.com")},
		"a bad redirect":   {reply(302, `elsewhere`, "Location", "http://[::1")},
		"retries":          {reply(429, `x`), reply(429, strings.Repeat("x", 1<<20)), reply(200, pendingJSON)},
		"exhaustion":       {reply(429, `x`)},
		"no time for more": {reply(429, `x`, "Retry-After", "3600")},
		"a broken body":    {truncated(200)},
		"one too large":    {reply(200, strings.Repeat("x", 1<<20))},
	} {
		for op, call := range calls {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var opened, closed atomic.Int32
					mock := answering(answers[0], answers[1:]...)
					counting := roundTripFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := mock.RoundTrip(req)
						if err == nil {
							opened.Add(1)
							resp.Body = &closeCounter{ReadCloser: resp.Body, closed: &closed}
						}
						return resp, err
					})
					client := newClient(t, counting, clerk.WithMaxResponseBytes(100_000))
					_ = call(t.Context(), client) // whatever comes of it
					require.Positive(t, opened.Load())
					require.Equal(t, opened.Load(), closed.Load())
				})
			})
		}
	}
}

type closeCounter struct {
	io.ReadCloser
	closed *atomic.Int32
	once   bool
}

func (c *closeCounter) Close() error {
	if !c.once {
		c.once = true
		c.closed.Add(1)
	}
	return c.ReadCloser.Close()
}

// TestUnsent has real connections fail before anything was sent. The transport's
// own account tells, where an error does not.
func TestUnsent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())

	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it complains of the handshake
	defer server.Close()

	t.Run("nobody listens", func(t *testing.T) {
		client, err := clerk.NewClient(testKey, clerk.WithBaseURL(nobody), clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.NoError(t, err)
		for op, call := range calls {
			require.NotErrorIs(t, call(t.Context(), client), clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a certificate that is not trusted", func(t *testing.T) {
		client, err := clerk.NewClient(testKey, clerk.WithBaseURL(server.URL))
		require.NoError(t, err)
		for op, call := range calls {
			err := call(t.Context(), client)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
			require.Equal(t, 1, asSDKError(t, err).Attempts, "it will not pass")
			var untrusted *tls.CertificateVerificationError
			require.ErrorAs(t, err, &untrusted)
		}
	})
	t.Run("a deadline while connecting again", func(t *testing.T) {
		// The first attempt has a connection, the second gets none.
		busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		defer busy.Close()
		for op, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			dials := 0
			transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if dials++; dials == 1 {
					return new(net.Dialer).DialContext(ctx, network, addr)
				}
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			soon := clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{InitialInterval: time.Millisecond}})
			err := call(ctx, newClient(t, transport, clerk.WithBaseURL(busy.URL)), soon)
			require.Equal(t, 2, asSDKError(t, err).Attempts)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a deadline while connecting", func(t *testing.T) {
		for op, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			err := call(ctx, newClient(t, transport))
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a context that ends while the key is fetched", func(t *testing.T) {
		for op, call := range calls {
			ctx, cancel := context.WithCancel(t.Context())
			client := newClient(t, http.DefaultTransport, clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
				cancel()
				return testKey, nil
			}))
			err := call(ctx, client)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("no time at all", func(t *testing.T) {
		for op, call := range calls {
			err := call(t.Context(), newClient(t, http.DefaultTransport), clerk.WithAttemptTimeout(1),
				clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown, op)
		}
	})
	t.Run("a dial error beside a request that was sent", func(t *testing.T) {
		var carriedOut atomic.Int32
		dropping := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			carriedOut.Add(1)
			panic(http.ErrAbortHandler)
		}))
		defer dropping.Close()
		// This transport has two servers, one of them down, and may try the other
		// more than once.
		for _, tries := range []int{1, 2} {
			failover := roundTripFunc(func(req *http.Request) (*http.Response, error) {
				err := error(errDial)
				for range tries {
					_, sendErr := http.DefaultTransport.RoundTrip(req)
					err = errors.Join(err, sendErr)
				}
				return nil, err
			})
			for op, call := range calls {
				if op == clerk.OperationList {
					continue
				}
				carriedOut.Store(0)
				require.ErrorIs(t, call(t.Context(), newClient(t, failover, clerk.WithBaseURL(dropping.URL)), once), clerk.ErrOutcomeUnknown)
				require.Positive(t, carriedOut.Load())
				require.LessOrEqual(t, int(carriedOut.Load()), tries, "the library does not repeat it")
			}
		}
	})
}

// TestNetHTTPDoesNotRepeatWrites: net/http sends a request again by itself when a
// kept connection turns out to be closed, if it takes the request for repeatable.
func TestNetHTTPDoesNotRepeatWrites(t *testing.T) {
	var got atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if got.Add(1)%2 == 0 { // every second request is carried out and not answered
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, pendingJSON)
	}))
	defer server.Close()
	client, err := clerk.NewClient(testKey, clerk.WithBaseURL(server.URL))
	require.NoError(t, err)
	for range 5 {
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		require.ErrorIs(t, calls[clerk.OperationCreate](t.Context(), client, once), clerk.ErrOutcomeUnknown)
		require.NoError(t, calls[clerk.OperationCreate](t.Context(), client))
		_, err := client.Invitations.Revoke(t.Context(), testID, once)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
	}
	require.EqualValues(t, 20, got.Load())
}
