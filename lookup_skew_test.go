package clerk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// dated returns a transport whose Date headers are off by a duration.
func dated(next http.RoundTripper, by time.Duration) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil {
			resp.Header.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		}
		return resp, err
	})
}

// TestClockSkewGivesNoFalseOutcome: the clock of Date headers differs from the clock of
// created_at. An earlier create lets the client measure that.
func TestClockSkewGivesNoFalseOutcome(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-time.Hour, -time.Minute, -5 * time.Second, -2500 * time.Millisecond, 0, 2500 * time.Millisecond, 5 * time.Second, time.Minute, time.Hour} {
		for _, ignoreExisting := range []bool{false, true} {
			for _, gap := range []time.Duration{0, 300 * time.Millisecond, 2 * time.Second, 30 * time.Second} {
				t.Run(fmt.Sprint(by, "/", ignoreExisting, "/", gap), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						client := clientThrough(t, l.fake, dated(l.fake, by))
						create := func(email string) (*clerk.Invitation, error) {
							return client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: email, IgnoreExisting: ignoreExisting})
						}
						_, err := create("measured@example.com")
						require.NoError(t, err)
						time.Sleep(time.Hour + 700*time.Millisecond)

						for _, fault := range []clerktest.Fault{clerktest.FaultErrorAfter, clerktest.FaultHideAfter, clerktest.FaultErrorBefore} {
							own := string(fault[0]) + string(fault[len(fault)-1]) + "_own@example.com"
							l.fake.Fail(clerk.OperationCreate, fault)
							inv, err := create(own)
							requireTrue(t, invitationsByAddress(l.fake)[own], inv, err)
							require.NotErrorIs(t, err, clerk.ErrDuplicateInvitation, "a false duplicate")
							time.Sleep(time.Minute)
						}

						_, err = l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "others@example.com"})
						require.NoError(t, err)
						time.Sleep(gap)
						l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
						inv, err := create("others@example.com")
						if gap < 2*time.Second {
							return // within a second, Clerk's clock cannot tell whose it is
						}
						invs := invitationsByAddress(l.fake)["others@example.com"]
						if err == nil {
							require.Len(t, invs, 2)
							require.Equal(t, invs[1].ID, inv.ID, "the invitation of others")
						} else {
							require.Len(t, invs, 1)
						}
					})
				})
			}
		}
	}
}

// TestUnmeasuredClockSkewGivesNoFalseOutcome: the clock of Date headers is off, and the
// first write of a client fails.
func TestUnmeasuredClockSkewGivesNoFalseOutcome(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-time.Hour, -time.Minute, -3 * time.Second, -2 * time.Second, -time.Second, 0, time.Second, 2 * time.Second, 3 * time.Second, time.Minute} {
		for _, ignoreExisting := range []bool{false, true} {
			for _, fraction := range []time.Duration{0, 300 * time.Millisecond, 999 * time.Millisecond} {
				t.Run(fmt.Sprint(by, "/", ignoreExisting, "/", fraction), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						time.Sleep(fraction)
						for _, fault := range []clerktest.Fault{clerktest.FaultErrorAfter, clerktest.FaultHideAfter, clerktest.FaultErrorBefore} {
							client := clientThrough(t, l.fake, dated(l.fake, by))
							own := string(fault[0]) + string(fault[len(fault)-1]) + "_own@example.com"
							l.fake.Fail(clerk.OperationCreate, fault)
							inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: own, IgnoreExisting: ignoreExisting})
							requireTrue(t, invitationsByAddress(l.fake)[own], inv, err)
							require.NotErrorIs(t, err, clerk.ErrDuplicateInvitation, "a false duplicate")
							if by == 0 {
								require.NoError(t, err)
							}
						}

						others, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "others@example.com"})
						require.NoError(t, err)
						time.Sleep(max(-by, 4*time.Second))
						l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
						client := clientThrough(t, l.fake, dated(l.fake, by))
						inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "others@example.com", IgnoreExisting: ignoreExisting})
						if err == nil {
							require.NotEqual(t, others.ID, inv.ID, "the invitation of others")
						}
					})
				})
			}
		}
	}
}

// TestEverySuccessfulWriteMeasuresTheClockSkew checks that a lost response is then found,
// and that a slow create changes nothing.
func TestEverySuccessfulWriteMeasuresTheClockSkew(t *testing.T) {
	for _, by := range []time.Duration{-time.Minute, -3 * time.Second, 3 * time.Second, time.Minute} {
		for name, measure := range map[string]func(context.Context, *clerk.Client, life) error{
			"create": func(ctx context.Context, c *clerk.Client, _ life) error {
				_, err := c.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: guest(1)})
				return err
			},
			"bulk": func(ctx context.Context, c *clerk.Client, _ life) error {
				_, err := c.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{{EmailAddress: guest(1)}, {EmailAddress: guest(2)}})
				return err
			},
			"revoke": func(ctx context.Context, c *clerk.Client, l life) error {
				old, err := l.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: guest(1)})
				if err != nil {
					return err
				}
				time.Sleep(time.Hour)
				_, err = c.Invitations.Revoke(ctx, old.ID)
				return err
			},
		} {
			for _, delay := range []time.Duration{0, 9 * time.Second} {
				t.Run(fmt.Sprint(name, by, delay), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						pause := time.Duration(0)
						client := clientThrough(t, l.fake, dated(roundTripFunc(func(req *http.Request) (*http.Response, error) {
							resp, err := l.fake.RoundTrip(req)
							time.Sleep(pause)
							return resp, err
						}), by))
						require.NoError(t, measure(t.Context(), client, l))
						pause = delay
						_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "slow@example.com"})
						require.NoError(t, err)
						pause = 0

						l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
						inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
						require.NoError(t, err)
						require.Equal(t, inv.ID, invitationsByAddress(l.fake)[address][0].ID)
						require.Len(t, invitationsByAddress(l.fake)[address], 1)
					})
				})
			}
		}
	}
}

var objectTimes = regexp.MustCompile(`(_at":)(\d+)`)

// timed is a transport whose objects have times that are off.
func timed(next http.RoundTripper, by time.Duration) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil {
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		body = objectTimes.ReplaceAllFunc(body, func(text []byte) []byte {
			at, _ := strconv.ParseInt(string(text[5:]), 10, 64)
			return strconv.AppendInt(text[:5:5], at+by.Milliseconds(), 10)
		})
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, err
	})
}

// TestClockOfObjectsIsMeasured: the clock of created_at differs from that of Date headers and
// from the local one.
func TestClockOfObjectsIsMeasured(t *testing.T) {
	for _, by := range []time.Duration{-time.Minute, -3 * time.Second, 3 * time.Second, time.Minute} {
		for _, inBulk := range []bool{false, true} {
			for _, ignoreExisting := range []bool{false, true} {
				t.Run(fmt.Sprint(by, inBulk, ignoreExisting), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						client := clientThrough(t, l.fake, timed(l.fake, by))
						var err error
						if inBulk {
							_, err = client.Invitations.BulkCreate(t.Context(), slices.Collect(guests(2)))
						} else {
							_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(1)})
						}
						require.NoError(t, err)

						l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
						inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
						require.NoError(t, err)
						require.Len(t, invitationsByAddress(l.fake)[address], 1)

						time.Sleep(by.Abs())
						l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
						again, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
						if !ignoreExisting {
							require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
							return
						}
						require.NoError(t, err)
						require.NotEqual(t, inv.ID, again.ID, "the older invitation")
					})
				})
			}
		}
	}
}

// TestSuspendedMachineGivesNoFalseOutcome: a machine is suspended for eight hours during a
// create, which stops its monotonic clock.
func TestSuspendedMachineGivesNoFalseOutcome(t *testing.T) {
	for _, isMeasured := range []bool{false, true} {
		for _, ignoreExisting := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					resp, err := l.fake.RoundTrip(req)
					if err == nil && req.Method == http.MethodGet { // by the wall clock
						resp.Header.Set("Date", time.Now().Add(8*time.Hour).UTC().Format(http.TimeFormat))
					}
					return resp, err
				}))
				if isMeasured {
					_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(1)})
					require.NoError(t, err)
				}
				clerk.Suspend(client, 8*time.Hour)
				l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
				inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
				requireTrue(t, invitationsByAddress(l.fake)[address], inv, err)
			})
		}
	}
}

// TestLaterInvitationsOfOthersAreNotClaimed: lists fail until others create an invitation,
// after the grace time.
func TestLaterInvitationsOfOthersAreNotClaimed(t *testing.T) {
	for _, ignoreExisting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			start := time.Now()
			var others *clerk.Invitation
			client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if req.Method != http.MethodGet {
					return l.fake.RoundTrip(req)
				}
				if others == nil && time.Since(start) > 10*time.Second {
					var err error
					others, err = l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
					require.NoError(t, err)
				}
				if time.Since(start) < 20*time.Second {
					return reply(503, ``)(req)
				}
				return l.fake.RoundTrip(req)
			}))
			l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
			inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
			if ignoreExisting {
				require.NoError(t, err)
				require.NotEqual(t, others.ID, inv.ID)
				return
			}
			require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
		})
	}
}

// TestRateLimitedBulkClaimsNothing: a bulk fails without effect, its retry is rate limited,
// and others then create its invitations.
func TestRateLimitedBulkClaimsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorBefore)
		l.fake.Respond(clerk.OperationBulkCreate, clerktest.Response{Code: clerk.CodeTooManyRequests, RetryAfter: time.Hour})
		time.AfterFunc(7*time.Second, func() {
			_, err := l.client.Invitations.BulkCreate(t.Context(), slices.Collect(guests(2)))
			require.NoError(t, err)
		})
		requests := slices.Collect(guests(2))
		requests[0].IgnoreExisting = true
		_, err := clientThrough(t, l.fake, l.fake).Invitations.BulkCreate(t.Context(), requests)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
	})
}

// requireTrue checks the reported outcome of a create against what exists.
func requireTrue(t *testing.T, invs []clerk.Invitation, inv *clerk.Invitation, err error) {
	t.Helper()
	require.LessOrEqual(t, len(invs), 1, "duplicated")
	switch {
	case err == nil:
		require.Len(t, invs, 1)
		require.Equal(t, invs[0].ID, inv.ID)
	case len(invs) == 1:
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
	}
}

func setQuery(req *http.Request, name, value string) {
	query := req.URL.Query()
	query.Set(name, value)
	url := *req.URL
	url.RawQuery = query.Encode()
	req.URL = &url
}
