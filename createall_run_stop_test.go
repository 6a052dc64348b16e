package clerk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// The context ends during a request. Its results are yielded.
func TestCreateAllFinishesTheRequestUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limited(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		slow := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/bulk") {
				cancel()
				time.Sleep(10 * time.Second)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		n, start := 0, time.Now()
		var last error
		for result, err := range slow.Invitations.CreateAll(ctx, guests(100)) {
			if last = err; err == nil {
				require.Equal(t, clerk.OutcomeCreated, result.Outcome)
				n++
			}
		}
		require.ErrorIs(t, last, context.Canceled)
		require.NotErrorIs(t, last, clerk.ErrOutcomeUnknown)
		require.Equal(t, 10, n)
		require.Len(t, l.fake.Invitations(), 10)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// The context ends while nothing responds.
func TestCreateAllStopsWithinTheAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		l := limited(t, false)
		down := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if len(l.fake.Invitations()) > 0 {
				return hangs(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		n, start := 0, time.Now()
		var last error
		for _, err := range down.Invitations.CreateAll(ctx, guests(100)) {
			if last = err; err == nil {
				n++
			}
		}
		require.Equal(t, 10, n)
		require.ErrorIs(t, last, clerk.ErrOutcomeUnknown)
		require.LessOrEqual(t, time.Since(start), 2*time.Hour+15*time.Second)
	})
}

// TestCreateAllStartsNoRequestAfterCancellation: nor does it retry an ambiguous write.
func TestCreateAllStartsNoRequestAfterCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		ctx, cancel := context.WithCancel(t.Context())
		writes := 0
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				writes++
				cancel()
				return reply(502, ``)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		var last error
		for _, err := range client.Invitations.CreateAll(ctx, guests(10)) {
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
		require.ErrorIs(t, last, clerk.ErrOutcomeUnknown)
		require.Equal(t, 1, writes)
	})
}

// TestCreateAllRetriesNothingAfterCancellation: the run is stopped while it looks up what an
// ambiguous write did, for the first time or later.
func TestCreateAllRetriesNothingAfterCancellation(t *testing.T) {
	for stopAt := range 20 {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			writes, lookups := 0, 0
			client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodPost {
					require.NoError(t, ctx.Err(), "stopped in lookup %d", stopAt)
					if writes++; writes < 3 {
						return reply(502, ``)(req)
					}
				} else if writes > 0 {
					if lookups++; lookups > stopAt {
						cancel()
					}
				}
				return l.fake.RoundTrip(req)
			}))
			var last error
			for _, err := range client.Invitations.CreateAll(ctx, guests(10)) {
				last = err
			}
			if ctx.Err() != nil {
				require.ErrorIs(t, last, context.Canceled)
			}
		})
	}
}

func TestCreateAllEndsOnErrorsAboutEveryRequest(t *testing.T) {
	for name, test := range map[string]struct {
		failure httpmock.Responder
		is      error
		created int
	}{
		"a bad key":      {reply(401, `{"errors":[{"code":"clerk_key_invalid","message":"m"}]}`), clerk.ErrUnauthorized, 20},
		"a quota":        {reply(403, `{"errors":[{"code":"user_quota_exceeded","message":"m"}]}`), nil, 20},
		"no more emails": {reply(400, `{"errors":[{"code":"dev_monthly_email_limit_exceeded","message":"m"}]}`), nil, 20},
		"a wrong URL":    {reply(404, `not found`), nil, 20},
		"no certificate": {failing(&net.OpError{Op: "dial", Err: &tls.CertificateVerificationError{Err: io.EOF}}), nil, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start := time.Now()
				results, err := createAll(t, l.failingWrites(t, 3, test.failure, always), guests(100))
				require.Error(t, err)
				requireNoSecrets(t, "error", err.Error())
				if test.is != nil {
					require.ErrorIs(t, err, test.is)
				}
				require.Len(t, results, test.created)
				require.LessOrEqual(t, time.Since(start), 2*time.Minute)
				require.Equal(t, 2, l.got(clerk.OperationBulkCreate))
			})
		})
	}
}

// The retry of an ambiguous write gets an error that ends the run.
func TestCreateAllEndsWithUnknownOutcome(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{
		"a bad key":  reply(401, `{"errors":[{"code":"clerk_key_invalid","message":"m"}]}`),
		"forbidden":  reply(403, `<html>`),
		"a refusal":  reply(422, `<html>`),
		"one of 400": reply(400, `<html>`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				writes := 0
				client := l.failingWrites(t, 3, func(req *http.Request) (*http.Response, error) {
					if writes++; writes == 1 {
						return reply(502, ``)(req)
					}
					return failure(req)
				}, always)
				start := time.Now()
				results, err := createAll(t, client, guests(100))
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Contains(t, err.Error(), "outcome unknown")
				require.Equal(t, name == "a bad key", errors.Is(err, clerk.ErrUnauthorized))
				require.Len(t, results, 20)
				require.LessOrEqual(t, time.Since(start), 2*time.Minute)
			})
		})
	}
}

// The key provider returns a publishable key during the run.
func TestCreateAllEndsOnAnUnusableKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		client, err := l.fake.Client(clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
			if len(l.fake.Invitations()) > 0 {
				return "pk_test_dummy", nil
			}
			return l.fake.SecretKey(), nil
		}))
		require.NoError(t, err)
		start := time.Now()
		results, err := createAll(t, client, guests(20))
		require.ErrorIs(t, err, clerk.ErrNotSent)
		require.ErrorContains(t, err, "publishable key")
		require.Len(t, results, 10)
		require.Zero(t, time.Since(start))
	})
}

// TestCreateAllEndsOnAnOutageFromTheStart: a wrong base URL looks like one.
func TestCreateAllEndsOnAnOutageFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, answering(failing(errDial)))
		for _, opts := range [][]clerk.CreateAllOption{nil, {clerk.WithSkipNone()}} {
			results, err := createAll(t, client, guests(100), opts...)
			require.ErrorIs(t, err, errDial)
			require.Empty(t, results)
		}
	})
}

// TestCreateAllLoopsAreIndependent loops twice over one sequence. Clerk is down from the start
// of the second loop.
func TestCreateAllLoopsAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, isDown := newLife(t), false
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if isDown {
				return nil, errDial
			}
			return l.fake.RoundTrip(req)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		results := client.Invitations.CreateAll(ctx, guests(1), clerk.WithSkipNone())
		for _, err := range results {
			require.NoError(t, err)
		}
		isDown = true
		var last error
		start := time.Now()
		for _, err := range results {
			last = err
		}
		require.ErrorIs(t, last, clerk.ErrNotSent)
		require.Less(t, time.Since(start), 2*time.Minute)
	})
}
