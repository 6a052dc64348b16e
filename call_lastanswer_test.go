package clerk_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// The server refuses every request with 429, without Retry-After.
func TestLastAnswerIsKept(t *testing.T) {
	t.Parallel()
	fixed := func(d time.Duration) func() time.Duration { return func() time.Duration { return d } }
	for name, latency := range map[string]func() time.Duration{
		"at once": fixed(0), "100 ms": fixed(100 * time.Millisecond), "1 s": fixed(time.Second), "5 s": fixed(5 * time.Second), "9 s": fixed(9 * time.Second),
		"between 0.5 and 1 s": func() time.Duration { return 500*time.Millisecond + rand.N(500*time.Millisecond) },
	} {
		for op, call := range calls {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for range soakSize(10, 10, 50) {
						client := newClient(t, slowly(answering(reply(429, `{"errors":[]}`, "X-Clerk-Trace-Id", "trace")), latency))
						start := time.Now()
						err := call(t.Context(), client)
						require.LessOrEqual(t, time.Since(start), time.Minute)
						require.ErrorIs(t, err, clerk.ErrRateLimited)
						require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
						meta, ok := clerk.MetaFromError(err)
						require.True(t, ok)
						require.Equal(t, 429, meta.StatusCode)
						require.Equal(t, "trace", meta.TraceID)
					}
				})
			})
		}
	}
}

// TestLastAnswerIsKeptUnderCallersDeadline is the same within a caller's deadline.
func TestLastAnswerIsKeptUnderCallersDeadline(t *testing.T) {
	t.Parallel()
	for op, call := range calls {
		t.Run(string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for range 100 {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					client := newClient(t, slowly(answering(reply(429, ``)), func() time.Duration { return 300 * time.Millisecond }))
					err := call(ctx, client)
					cancel()
					require.ErrorIs(t, err, clerk.ErrRateLimited)
					require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				}
			})
		})
	}
}

// The server fails with another status, and then hangs.
func TestListKeepsLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, answering(reply(503, ``, "X-Clerk-Trace-Id", "trace"), hangs))
		err := calls[clerk.OperationList](t.Context(), client)
		meta, ok := clerk.MetaFromError(err)
		require.True(t, ok)
		require.Equal(t, 503, meta.StatusCode)
		require.Equal(t, "trace", meta.TraceID)
	})
}

// An attempt times out after a 5xx, with most of the minute left.
func TestListRetriesAfterAttemptTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, answering(reply(500, ``), hangs, reply(200, success[clerk.OperationList])))
		require.NoError(t, calls[clerk.OperationList](t.Context(), client))
	})
}

// TestWriteRetriesAfterLookupTimesOut is the same for the lookup of a write.
func TestWriteRetriesAfterLookupTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		n := 0
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return nil, errors.New("connection reset")
			}
			if n == 2 {
				return reply(500, ``)(req)
			}
			if n == 3 {
				return hangs(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return l.fake.SecretKey(), nil }))
		start := time.Now()
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 10*time.Second)
	})
}
