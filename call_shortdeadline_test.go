package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// Each write is carried out and its response hangs, within deadlines that callers commonly
// use.
func TestShortDeadlineFindsOutcomes(t *testing.T) {
	for _, limit := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second} {
		for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
			t.Run(limit.String()+"/"+latency.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(rand.N(time.Second)) // Clerk's Date has whole seconds
					l := newLife(t)
					client, err := l.fake.Client(clerk.WithHTTPClient(&http.Client{Transport: slowly(l.fake, func() time.Duration { return latency })}))
					require.NoError(t, err)
					ctx := func() context.Context {
						ctx, cancel := context.WithTimeout(t.Context(), limit)
						t.Cleanup(cancel)
						return ctx
					}
					hang := func(op clerk.Operation) { l.fake.Fail(op, clerktest.FaultSlowAfter) }
					for _, ignoreExisting := range []bool{false, true} {
						hang(clerk.OperationCreate)
						inv, err := client.Invitations.Create(ctx(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
						require.NoError(t, err)
						require.Equal(t, l.fake.Invitations()[len(l.fake.Invitations())-1], *inv)
						time.Sleep(time.Hour)
					}
					hang(clerk.OperationBulkCreate)
					invs, err := client.Invitations.BulkCreate(ctx(), []clerk.CreateInvitationRequest{{EmailAddress: "b@example.com"}, {EmailAddress: "c@example.com"}})
					require.NoError(t, err)
					require.Equal(t, l.fake.Invitations()[2:], invs)
					time.Sleep(time.Hour)
					hang(clerk.OperationRevoke)
					inv, err := client.Invitations.Revoke(ctx(), invs[0].ID)
					require.NoError(t, err)
					require.True(t, inv.Revoked)
				})
			})
		}
	}
}

// TestShortDeadlineOfResend is the same for the requests of a Resend.
func TestShortDeadlineOfResend(t *testing.T) {
	for _, op := range []clerk.Operation{clerk.OperationCreate, clerk.OperationRevoke} {
		t.Run(string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				old := l.invite(t, address)
				l.fake.Fail(op, clerktest.FaultSlowAfter)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				inv, err := l.client.Invitations.Resend(ctx, old.ID, clerk.CreateInvitationRequest{})
				require.NoError(t, err)
				invs := l.fake.Invitations()
				require.Len(t, invs, 2)
				require.True(t, invs[0].Revoked)
				require.Equal(t, invs[1], *inv)
			})
		})
	}
}

// askingToWait returns a transport that answers the first request for each URL with a 503 that
// asks to wait, and lets the next one through.
func askingToWait(next http.RoundTripper, seconds string) http.RoundTripper {
	asked := map[string]bool{}
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		key := req.Method + req.URL.String()
		if !asked[key] {
			asked[key] = true
			return reply(503, ``, "Retry-After", seconds, "Date", time.Now().UTC().Format(http.TimeFormat))(req)
		}
		return next.RoundTrip(req)
	})
}

// alwaysAskingToWait answers every second request with a 503 that asks to wait.
func alwaysAskingToWait(next http.RoundTripper, seconds string) http.RoundTripper {
	n := 0
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if n++; n%2 == 1 {
			return reply(503, ``, "Retry-After", seconds, "Date", time.Now().UTC().Format(http.TimeFormat))(req)
		}
		return next.RoundTrip(req)
	})
}

// Each response asks for a wait that fits into a minute, but not together with the others.
func TestMaxElapsedTimeBoundsTheCall(t *testing.T) {
	for _, wrap := range []func(http.RoundTripper, string) http.RoundTripper{askingToWait, alwaysAskingToWait} {
		for _, seconds := range []string{"1", "20", "25", "50", "59"} {
			for name, call := range map[string]func(ctx context.Context, c *clerk.Client, id string) error{
				"Get": func(ctx context.Context, c *clerk.Client, id string) error {
					_, err := c.Invitations.Get(ctx, id)
					return err
				},
				"Get of unknown": func(ctx context.Context, c *clerk.Client, _ string) error {
					_, err := c.Invitations.Get(ctx, "inv_unknown")
					return err
				},
				"FindPending": func(ctx context.Context, c *clerk.Client, _ string) error {
					_, err := c.Invitations.FindPending(ctx, "zoe@example.com")
					return err
				},
				"Resend": func(ctx context.Context, c *clerk.Client, id string) error {
					_, err := c.Invitations.Resend(ctx, id, clerk.CreateInvitationRequest{})
					return err
				},
				"Create": func(ctx context.Context, c *clerk.Client, _ string) error {
					_, err := c.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "b@example.com", IgnoreExisting: true})
					return err
				},
				"BulkCreate": func(ctx context.Context, c *clerk.Client, _ string) error {
					_, err := c.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{{EmailAddress: "b@example.com"}, {EmailAddress: "c@example.com", IgnoreExisting: true}})
					return err
				},
				"Revoke": func(ctx context.Context, c *clerk.Client, id string) error {
					_, err := c.Invitations.Revoke(ctx, id)
					return err
				},
				"Delete": func(ctx context.Context, c *clerk.Client, id string) error {
					_, err := c.Invitations.Delete(ctx, id)
					return err
				},
			} {
				t.Run(name+"/"+seconds, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						inv := l.invite(t, address)
						client, err := l.fake.Client(clerk.WithHTTPClient(&http.Client{Transport: wrap(manyPages(l.fake), seconds)}))
						require.NoError(t, err)
						start := time.Now()
						err = call(t.Context(), client, inv.ID)
						require.LessOrEqual(t, time.Since(start), time.Minute, "%v", err)
					})
				})
			}
		}
	}
}

// manyPages returns a transport whose lists for an unknown address never end.
func manyPages(next http.RoundTripper) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		query := req.URL.Query()
		if req.Method == http.MethodGet && query.Get("query") == "zoe@example.com" {
			id := "inv_" + query.Get("offset")
			return reply(200, `{"data":[{"object":"invitation","id":"`+id+`","email_address":"`+address+`","status":"pending"}],"total_count":1000000}`,
				"Date", time.Now().UTC().Format(http.TimeFormat))(req)
		}
		return next.RoundTrip(req)
	})
}

// The key function blocks until its context ends, or for good.
func TestBlockingKeyFunctionIsBounded(t *testing.T) {
	for _, strategy := range []clerk.RetryStrategy{clerk.RetryNone, clerk.RetryBackoff} {
		for op, call := range calls {
			t.Run(string(strategy)+"/"+string(op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, err := clerk.NewClient("", clerk.WithHTTPClient(&http.Client{Transport: answering(reply(200, success[op]))}),
						clerk.WithRetry(clerk.RetryConfig{Strategy: strategy}),
						clerk.WithSecretKeyFunc(func(ctx context.Context) (string, error) {
							<-ctx.Done()
							return "", ctx.Err()
						}))
					require.NoError(t, err)
					start := time.Now()
					err = call(context.Background(), client)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.ErrorIs(t, err, clerk.ErrNotSent)
					require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.LessOrEqual(t, time.Since(start), time.Minute)
					if strategy == clerk.RetryNone {
						require.LessOrEqual(t, time.Since(start), 15*time.Second)
					}
				})
			})
		}
	}
}

// The key function ignores its context.
func TestDeafKeyFunctionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		client, err := clerk.NewClient("", once, clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
			<-release
			return "", errors.New("released")
		}))
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- calls[clerk.OperationCreate](context.Background(), client) }()
		select {
		case err := <-done:
			require.ErrorIs(t, err, clerk.ErrNotSent)
		case <-time.After(2 * time.Minute):
			t.Error("the call hangs")
		}
		close(release)
	})
}

// TestNoWaitEndsWithTheDeadline: nothing can be done after it.
func TestNoWaitEndsWithTheDeadline(t *testing.T) {
	const wait = 250000001 * time.Nanosecond // after the first failure and the first lookup
	for _, ignoreExisting := range []bool{false, true} {
		for limit, took := range map[time.Duration]time.Duration{wait: 0, wait + 1: wait} {
			t.Run(fmt.Sprint(ignoreExisting, "/", limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					half := clerk.WithRandom(func() float64 { return 0.5 })
					client, err := clientThrough(t, l.fake, failingOn(l.fake, http.MethodPost, "", reply(503, ``))).With(half)
					require.NoError(t, err)
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					start := time.Now()
					_, err = client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.Equal(t, took, time.Since(start))
				})
			})
		}
	}
}

// TestInspectionDoesNotOutlastTheDeadline: the second list after a refusal comes a second
// later. The call does not wait for it if the deadline is earlier.
func TestInspectionDoesNotOutlastTheDeadline(t *testing.T) {
	for limit, took := range map[time.Duration]time.Duration{time.Second: 0, time.Second + 1: time.Second} {
		t.Run(limit.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				client := clientThrough(t, l.fake, failingOn(l.fake, http.MethodPost, "", refusals["422"]))
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				start := time.Now()
				_, err := client.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{{EmailAddress: guest(0)}, {EmailAddress: guest(1)}})
				require.Equal(t, took == 0, errors.Is(err, clerk.ErrOutcomeUnknown))
				require.ErrorContains(t, err, "422 form_param_format_invalid")
				require.Equal(t, took, time.Since(start))
			})
		})
	}
}
