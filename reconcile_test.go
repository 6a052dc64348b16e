package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestAmbiguousWriteIsLookedUpBeforeRetry: each ambiguous fault happens once to each write.
func TestAmbiguousWriteIsLookedUpBeforeRetry(t *testing.T) {
	for fault, requests := range map[clerktest.Fault]int{
		"":                        1, // no fault
		clerktest.FaultDropBefore: 2, clerktest.FaultErrorBefore: 2,
		clerktest.FaultDropAfter: 1, clerktest.FaultErrorAfter: 1, clerktest.FaultBadGatewayAfter: 1,
		clerktest.FaultTruncateAfter: 1, clerktest.FaultSlowAfter: 1,
		clerktest.FaultHideAfter: 2, // the second one is refused, as the first one succeeded
	} {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprint(fault, "/", ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if ignoreExisting && fault == clerktest.FaultHideAfter {
						requests = 1 // a second one would not be refused, so it waits until the first one is listed
					}
					l := newLife(t)
					var meta clerk.ResponseMeta
					l.fake.Fail(clerk.OperationCreate, fault)
					inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
						EmailAddress: address, IgnoreExisting: ignoreExisting,
					}, clerk.WithResponse(&meta))
					require.NoError(t, err)
					require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
					require.Equal(t, requests, l.got(clerk.OperationCreate))
					require.Len(t, l.fake.Requests(), meta.Attempts)
					require.Equal(t, clerk.OperationCreate, meta.Operation)
					if fault == "" {
						require.Equal(t, 1, meta.Attempts)
					}

					l.fake.Fail(clerk.OperationBulkCreate, fault)
					invs, err := l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
						{EmailAddress: "c@example.com", IgnoreExisting: ignoreExisting}, {EmailAddress: "b@example.com"},
					})
					require.NoError(t, err)
					require.Equal(t, l.fake.Invitations()[1:], invs)
					require.Equal(t, requests, l.got(clerk.OperationBulkCreate))

					if fault == clerktest.FaultHideAfter {
						requests = 2
					}
					l.fake.Fail(clerk.OperationRevoke, fault)
					inv, err = l.client.Invitations.Revoke(t.Context(), inv.ID)
					require.NoError(t, err)
					require.Equal(t, l.fake.Invitations()[0], *inv)
					require.True(t, inv.Revoked)
					require.Equal(t, requests, l.got(clerk.OperationRevoke))
				})
			})
		}
	}
}

// TestLookupIgnoresOlderInvitations: some invitations were created an hour before the call.
func TestLookupIgnoresOlderInvitations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old := l.invite(t, address)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		asClerkErrors(t, err)
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)

		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropBefore)
		_, err = l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: "b@example.com"}, {EmailAddress: address}})
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Len(t, l.fake.Invitations(), 1)

		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
		inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
		require.Len(t, l.fake.Invitations(), 2)

		_, err = l.client.Invitations.Revoke(t.Context(), old.ID)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		l.fake.Fail(clerk.OperationRevoke, clerktest.FaultDropBefore)
		_, err = l.client.Invitations.Revoke(t.Context(), old.ID)
		require.ErrorIs(t, err, clerk.ErrAlreadyRevoked)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
	})
}

// TestAmbiguityWindow shows a documented limit: an invitation created up to a second
// before the call cannot be told from the call's own.
func TestAmbiguityWindow(t *testing.T) {
	for _, ignoreExisting := range []bool{false, true} {
		for before, own := range map[time.Duration]bool{0: true, time.Second: true, 1500 * time.Millisecond: false, 3 * time.Second: false} {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
				require.NoError(t, err)
				time.Sleep(before)
				l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore)
				inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
				switch {
				case own:
					require.NoError(t, err)
					require.Equal(t, old.ID, inv.ID)
				case ignoreExisting:
					require.NoError(t, err)
					require.NotEqual(t, old.ID, inv.ID)
				default:
					require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
				}
			})
		}
	}
}

func TestFailedLookupReportsUnknownOutcome(t *testing.T) {
	lookups := map[string]httpmock.Responder{
		"refused":        reply(401, `{"errors":[{"code":"clerk_key_invalid"}]}`),
		"broken":         failing(errReset),
		"down":           reply(503, ``),
		"without a time": reply(200, `[]`),
		"rate limited":   reply(429, ``, "Retry-After", "3600"),
	}
	for name, lookup := range lookups {
		for op, call := range calls {
			if op == clerk.OperationList || op == clerk.OperationDelete && name == "without a time" { // it needs none
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				mock := answering(reply(502, `<html>`))
				mock.RegisterResponder(http.MethodGet, invitationsURL, lookup)
				start := time.Now()
				err := call(t.Context(), newClient(t, mock))
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown, name)
				require.LessOrEqual(t, time.Since(start), time.Minute)
				require.Equal(t, 1, sent(mock, op), "no write is retried without a lookup")
				sdk := asSDKError(t, err)
				require.Equal(t, op, sdk.Operation)
				require.Equal(t, 502, sdk.StatusCode)
				require.Equal(t, "<html>", string(sdk.Body))
				require.Equal(t, mock.GetTotalCallCount(), sdk.Attempts)
				require.Equal(t, time.Since(start), sdk.Duration)
				require.ErrorContains(t, err, "clerk: "+string(op)+": outcome unknown: 502 ")
				require.ErrorContains(t, err, "; looking it up: ")
			})
		}
	}
}

// TestRateLimitedRetryReportsUnknownOutcome: the retry is refused for an hour. The first
// request may have succeeded.
func TestRateLimitedRetryReportsUnknownOutcome(t *testing.T) {
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			list := `[]`
			if op == clerk.OperationDelete {
				list = `[` + pendingJSON + `]`
			}
			mock := answering(reply(502, ``), reply(429, ``, "Retry-After", "3600"))
			mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, list, "Date", time.Now().Format(http.TimeFormat)))
			start := time.Now()
			err := call(t.Context(), newClient(t, mock))
			require.Less(t, time.Since(start), 10*time.Second)
			require.Equal(t, 2, sent(mock, op))
			require.ErrorIs(t, err, clerk.ErrRateLimited)
			require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			require.Equal(t, time.Hour, asSDKError(t, err).RetryAfter)
		})
	}
}

// TestReconciliationKeepsMaxElapsedTime: a write times out, and lookups always fail.
func TestReconciliationKeepsMaxElapsedTime(t *testing.T) {
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			mock := answering(hangs)
			mock.RegisterResponder(http.MethodGet, invitationsURL, reply(503, ``))
			start := time.Now()
			require.ErrorIs(t, call(t.Context(), newClient(t, mock)), clerk.ErrOutcomeUnknown)
			require.LessOrEqual(t, time.Since(start), time.Minute)
			require.Equal(t, 1, sent(mock, op))
		})
	}
}

func TestRetryConnectionErrorsOffStillLooksUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		off := clerk.WithRetry(clerk.RetryConfig{RetryConnectionErrors: new(false)})
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropBefore, clerktest.FaultDropAfter)
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address}, off)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Equal(t, 1, l.got(clerk.OperationCreate))
		inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address}, off)
		require.NoError(t, err, "it is looked up all the same")
		require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
	})
}

// TestLookupsContinueWhereNoRetryIsPermitted: Clerk lists the invitation late.
func TestLookupsContinueWhereNoRetryIsPermitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		late := lagging(l.fake, 3*time.Second)
		client, err := l.client.With(clerk.WithHTTPClient(&http.Client{Transport: late}))
		require.NoError(t, err)
		off := clerk.WithRetry(clerk.RetryConfig{RetryConnectionErrors: new(false)})
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address}, off)
		require.NoError(t, err)
		require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
	})
}

func TestRetryNoneLooksNothingUp(t *testing.T) {
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		mock := answering(reply(502, ``))
		require.ErrorIs(t, call(t.Context(), newClient(t, mock), once), clerk.ErrOutcomeUnknown)
		require.Equal(t, 1, mock.GetTotalCallCount())
	}
}

func TestDeadlineDuringLookupReportsUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		l.fake.Fail(clerk.OperationList, clerktest.FaultSlowAfter)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := l.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address})
		require.Equal(t, 3*time.Second, time.Since(start))
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
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

// TestCreateReturnsInvitationWhenResponseIsLost: the server hangs after creating. The
// caller's deadline is three seconds.
func TestCreateReturnsInvitationWhenResponseIsLost(t *testing.T) {
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

// TestUnnamedDuplicateIsReconciled: the refusal does not name the addresses; that it does is
// only inferred.
func TestUnnamedDuplicateIsReconciled(t *testing.T) {
	for _, status := range []int{400, 409} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.invite(t, address)
			mock := answering(reply(502, ``), reply(status, `{"errors":[{"code":"duplicate_record"}]}`))
			mock.RegisterResponder(http.MethodGet, invitationsURL, l.fake.RoundTrip)
			client := newClient(t, mock, clerk.WithSecretKeyFunc(l.key))
			for op, call := range calls {
				if op != clerk.OperationCreate && op != clerk.OperationBulkCreate {
					continue
				}
				start, before := time.Now(), sent(mock, clerk.OperationCreate)
				err := call(t.Context(), client)
				require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Less(t, time.Since(start), 10*time.Second)
				require.LessOrEqual(t, sent(mock, clerk.OperationCreate)-before, 2)
			}
		})
	}
}

func TestOwnInvitationRevokedByOthersIsNotRecreated(t *testing.T) {
	for _, op := range []clerk.Operation{clerk.OperationCreate, clerk.OperationBulkCreate} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			writes := 0
			client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := l.fake.RoundTrip(req)
				if req.Method == http.MethodGet || err != nil {
					return resp, err
				}
				writes++
				_, err = l.client.Invitations.Revoke(req.Context(), l.fake.Invitations()[0].ID)
				require.NoError(t, err)
				return reply(502, ``)(req)
			}), clerk.WithSecretKeyFunc(l.key))
			require.NoError(t, calls[op](t.Context(), client))
			require.Equal(t, 1, writes)
			require.Len(t, l.fake.Invitations(), 1)
		})
	}
}

func TestLookupWithoutDateReportsUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := answering(reply(502, ``))
		mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, `[]`, "Date", address+"\nboo"))
		err := calls[clerk.OperationCreate](t.Context(), newClient(t, mock))
		require.EqualError(t, err, "clerk: CreateInvitation: outcome unknown: 502 Bad Gateway (no Clerk error, but an empty body)"+
			"; looking it up: the response has no valid Date header (2 attempts)")
	})
}

// TestTruncatedRefusalIsRetried: the retry is refused because of the first request's
// invitation, and that refusal is cut off. So it is ambiguous, and the write is retried once
// more.
func TestTruncatedRefusalIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultHideAfter, clerktest.FaultTruncateAfter)
		inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
		require.Equal(t, 3, l.got(clerk.OperationCreate))
	})
}

// A retry that is cut off would leave the outcome unknown. So it is made only if twice the
// time of the longest attempt is left.
func TestWriteIsRetriedOnlyIfItsOutcomeCanBeKnownInTime(t *testing.T) {
	for deadline, writes := range map[time.Duration]int{11 * time.Second: 1, 13 * time.Second: 2} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			posts := 0
			client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if req.Method != http.MethodPost {
					return l.fake.RoundTrip(req)
				}
				posts++
				time.Sleep(4 * time.Second)
				return reply(503, ``)(req)
			}))
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address})
			require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			require.Equal(t, writes, posts)
		})
	}
}

// TestSlowLookupDelaysNoRetry: the time of the lookup counts as part of the backoff.
func TestSlowLookupDelaysNoRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := newLife(t), time.Now()
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				time.Sleep(2500 * time.Millisecond)
			}
			return l.fake.RoundTrip(req)
		}))
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.Less(t, time.Since(start), 6*time.Second, "two lists of a lookup")
	})
}
