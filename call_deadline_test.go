package clerk_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestAttemptTimeoutEndsAnAttempt(t *testing.T) {
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

func TestAttemptTimeoutCoversTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		// This body ends with the request's context, as a body of net/http's transport does.
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

func TestMaxElapsedTimeEndsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for op, call := range calls {
			start := time.Now()
			err := call(t.Context(), newClient(t, roundTripFunc(hangs)), clerk.WithRetry(clerk.RetryConfig{
				Backoff: clerk.BackoffStrategy{MaxElapsedTime: 5 * time.Second},
			}))
			require.Equal(t, 5*time.Second, time.Since(start))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, ": no response: ")
			if op != clerk.OperationList {
				require.ErrorContains(t, err, "; looking it up: ", "a third of the time is for the lookup")
			}
			require.Equal(t, op != clerk.OperationList, errors.Is(err, clerk.ErrOutcomeUnknown))
		}
	})
}

// TestLateResponseAfterMaxElapsedTimeIsReported: a transport may ignore its context.
func TestLateResponseAfterMaxElapsedTimeIsReported(t *testing.T) {
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

func TestEndedContextSendsNothing(t *testing.T) {
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

// TestCancelledWaitKeepsTheLastResponse: go-retryablehttp would drop it.
func TestCancelledWaitKeepsTheLastResponse(t *testing.T) {
	for name, test := range map[string]struct {
		response httpmock.Responder
		is       []error
		text     string
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
				mock := answering(test.response)
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

// TestCancellationCauseIsNotTheCallsError: net/http returns the cause in place of the
// context's error. The cause belongs to the caller and says nothing about this call.
func TestCancellationCauseIsNotTheCallsError(t *testing.T) {
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

// TestResponseAfterCancellationIsReturned: go-retryablehttp's own policy would return the
// context's error.
func TestResponseAfterCancellationIsReturned(t *testing.T) {
	for op, call := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			cancel()
			return reply(200, success[op])(req)
		})
		require.NoError(t, call(ctx, newClient(t, transport)))
	}
}

func TestFailureAfterTheDeadlineKeepsTheResponse(t *testing.T) {
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

func TestFailureAfterCancellationKeepsTheResponse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		cancel()
		return reply(429, ``, "Retry-After", "1")(req)
	})
	err := calls[clerk.OperationCreate](ctx, newClient(t, transport))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, clerk.ErrRateLimited)
}

// A write is carried out, its response hangs, and there is little time for the whole call.
func TestShortMaxElapsedTimeFindsOutcomes(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, 3 * time.Second, 9 * time.Second} {
		t.Run(limit.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				l.fake.Fail(clerk.OperationCreate, clerktest.FaultSlowAfter)
				inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true},
					clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: limit}}))
				require.NoError(t, err)
				require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
			})
		})
	}
}
