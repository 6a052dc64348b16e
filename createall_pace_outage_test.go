package clerk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// In an outage of five hours, the run must back off.
func TestCreateAllWaitsOutAnOutage(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]httpmock.Responder{
		"500":          reply(500, ``),
		"503":          reply(503, ``, "Retry-After", "1800"),
		"no response":  failing(errDial),
		"an odd reset": failing(io.ErrUnexpectedEOF),
		"a conflict":   reply(409, `{"errors":[{"code":"resource_locked","message":"m"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limited(t, false)
				start, tries := time.Now(), 0
				counting := func(req *http.Request) (*http.Response, error) {
					tries++
					return failure(req)
				}
				client := l.failingWrites(t, 3, counting, func() bool { return time.Since(start) < 5*time.Hour })
				var causes int
				results, err := createAll(t, client, guests(100), clerk.WithProgress(func(p clerk.Progress) {
					if p.Cause != nil {
						causes++
						require.False(t, p.WaitUntil.IsZero())
						require.Empty(t, p.WaitFor)
					}
				}))
				require.NoError(t, err)
				require.Len(t, results, 100)
				require.Len(t, l.fake.Invitations(), 100)
				require.Positive(t, causes)
				require.LessOrEqual(t, time.Since(start), 6*time.Hour)
				if name == "503" {
					require.LessOrEqual(t, tries, 15, "each half hour")
				}
			})
		})
	}
}

// TestCreateAllBackoffResetsAfterAnOutage: the first wait of the next outage is short
// again.
func TestCreateAllBackoffResetsAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		outage, writes := time.Hour, 0
		start := time.Now()
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && time.Since(start) < outage {
				return failing(errDial)(req)
			}
			resp, err := l.fake.RoundTrip(req)
			if writes++; writes == 3 {
				start = time.Now()
			}
			return resp, err
		}), clerk.WithSecretKeyFunc(l.key))
		var waits []time.Duration
		created := 0
		_, err := createAll(t, client, guests(100), clerk.WithProgress(func(p clerk.Progress) {
			if p.Cause != nil && (len(waits) == 0 || p.Created != created) {
				waits, created = append(waits, time.Until(p.WaitUntil)), p.Created
			}
		}))
		require.NoError(t, err)
		require.Len(t, waits, 2)
		for _, wait := range waits {
			require.LessOrEqual(t, wait, 500*time.Millisecond)
		}
	})
}

// TestCreateAllSurvivesAFirstFailureOnASmallBudget uses up the budget with the first
// request, which fails. Lookups have shown that Clerk is up.
func TestCreateAllSurvivesAFirstFailureOnASmallBudget(t *testing.T) {
	for _, budget := range []clerk.Budget{{BulkCreates: 1}, {Creates: 1, Window: time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
			l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropBefore)
			results, err := createAll(t, l.client, guests(2), clerk.WithBudget(budget), clerk.WithSkipNone())
			require.NoError(t, err)
			require.Len(t, results, 2)
		})
	}
}

// TestCreateAllWaitsForRetryAfterOnce: lookups that fail later do not extend the wait.
func TestCreateAllWaitsForRetryAfterOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		start, n := time.Now(), 0
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if n++; n == 2 {
				return reply(503, ``, "Retry-After", "3600")(req)
			}
			if n > 2 && time.Since(start) < 70*time.Minute {
				return reply(502, ``)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		results, err := createAll(t, client, guests(10))
		require.NoError(t, err)
		require.Len(t, results, 10)
		require.Less(t, time.Since(start), 75*time.Minute)
	})
}

// The retry of an ambiguous write gets a refusal that is not about every request.
func TestCreateAllContinuesAfterAnAmbiguousWrite(t *testing.T) {
	for code, outcome := range map[string]clerk.Outcome{
		`409 resource_locked`: clerk.OutcomeCreated, `409 conflict`: clerk.OutcomeCreated, `403 not_allowed_access`: clerk.OutcomeRejected,
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start, writes := time.Now(), 0
				client := l.failingWrites(t, 1, func(req *http.Request) (*http.Response, error) {
					if writes++; writes == 1 {
						return reply(502, ``)(req)
					}
					status := http.StatusConflict
					if outcome == clerk.OutcomeRejected {
						status = http.StatusForbidden
					}
					return reply(status, `{"errors":[{"code":"`+strings.Fields(code)[1]+`","message":"m"}]}`)(req)
				}, func() bool { return time.Since(start) < 10*time.Minute })
				results, err := createAll(t, client, guests(1), clerk.WithSkipNone())
				require.NoError(t, err)
				require.Equal(t, []clerk.Outcome{outcome}, outcomes(results))
			})
		})
	}
}

// MaxElapsedTime is shorter than the grace time, so a write takes several calls.
func TestCreateAllWaitsOutTheGraceTimeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
		requests := requestsFor(1, func(int) clerk.CreateInvitationRequest {
			return clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		for result, err := range l.client.Invitations.CreateAll(ctx, requests,
			clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 3 * time.Second, MaxInterval: time.Second}})) {
			require.NoError(t, err)
			require.Equal(t, clerk.OutcomeCreated, result.Outcome)
		}
		require.Less(t, time.Since(start), time.Minute)
		require.Equal(t, 2, l.got(clerk.OperationCreate))
	})
}

// After an ambiguous write, lookups fail for an hour, for reasons that pass or not.
func TestCreateAllBacksOffWhenLookupsFail(t *testing.T) {
	for name, test := range map[string]struct {
		lookup httpmock.Responder
		ends   error // nil if the run continues once lookups work again
	}{
		"limited":   {reply(429, ``, "Retry-After", "3600"), nil},
		"a bad key": {reply(401, ``), clerk.ErrUnauthorized},
		"no date":   {reply(200, `[]`), clerk.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start, n := time.Now(), 0
				client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					n++
					switch {
					case n == 2:
						return reply(500, ``)(req)
					case n > 2 && req.Method == http.MethodGet && time.Since(start) < time.Hour:
						return test.lookup(req)
					}
					return l.fake.RoundTrip(req)
				}), clerk.WithSecretKeyFunc(l.key))
				results, err := createAll(t, client, guests(100))
				require.Less(t, n, 250)
				if test.ends == nil {
					require.NoError(t, err)
					require.Len(t, results, 100)
					return
				}
				require.ErrorIs(t, err, test.ends)
				require.Less(t, time.Since(start), 2*time.Minute)
			})
		})
	}
}

// In the middle of a run, Clerk refuses or fails every write for a long time.
func TestLongOutageEndsNobody(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]httpmock.Responder{
		"429": reply(429, ``), "429 with Retry-After": reply(429, ``, "Retry-After", "3600"), "503": reply(503, ``), "reset": failing(http.ErrHandlerTimeout),
		"conflict": poisons["conflict"],
	} {
		for _, outage := range []time.Duration{10 * time.Minute, 3 * time.Hour, 20 * time.Hour}[:soakSize(2, 2, 3)] {
			for _, n := range []int{25, 11, 300}[:soakSize(1, 1, 3)] {
				t.Run(fmt.Sprint(name, "/", outage, "/", n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := limited(t, false)
						start, writes := time.Now(), 0
						client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
							if req.Method == http.MethodPost {
								if writes++; writes > 1 && time.Since(start) < outage {
									return answer(req)
								}
							}
							return l.fake.RoundTrip(req)
						}))
						results, err := createAll(t, client, guests(n))
						require.NoError(t, err)
						for _, result := range results {
							require.Equal(t, clerk.OutcomeCreated, result.Outcome, "%v", result)
						}
						require.Len(t, l.fake.Invitations(), n)
						require.LessOrEqual(t, time.Since(start), outage+4*time.Hour)
					})
				})
			}
		}
	}
}
