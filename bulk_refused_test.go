package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestPartOfARefusedBulkThatCannotBeLookedUp: the lookup after the refusal fails.
func TestPartOfARefusedBulkThatCannotBeLookedUp(t *testing.T) {
	for name, answer := range unusable {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				client := clientThrough(t, l.fake, failingOn(partial(l.fake, func(int, []string) (int, httpmock.Responder) { return 3, refusals["422"] }),
					http.MethodGet, "", answer))
				_, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
					{EmailAddress: "a@example.com"}, {EmailAddress: "b@example.com"}, {EmailAddress: "c@example.com"}, {EmailAddress: "d@example.com"},
				})
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			})
		})
	}
}

// TestPartOfARefusedBulkThatShowsLate: lists show the created part only later.
func TestPartOfARefusedBulkThatShowsLate(t *testing.T) {
	for _, ignoreExisting := range []bool{true} { // otherwise Clerk refuses a second one
		t.Run(fmt.Sprint(ignoreExisting), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				client := clientThrough(t, l.fake, lagging(partial(l.fake, func(int, []string) (int, httpmock.Responder) { return 1, refusals["422"] }), 2*time.Second))
				_, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
					{EmailAddress: "a@example.com", IgnoreExisting: ignoreExisting}, {EmailAddress: "b@example.com", IgnoreExisting: ignoreExisting},
				})
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			})
		})
	}
}

// TestRefusedRetryOfABulkIsExplainedLate: the retry of a bulk is refused because of an older
// invitation, which lists show only much later, as they fail until then.
func TestRefusedRetryOfABulkIsExplainedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		l := newLife(t)
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(1)})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorBefore)
		var refused time.Time
		client := log.client(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet && !refused.IsZero() && time.Since(refused) < 15*time.Second {
				return reply(503, ``)(req)
			}
			resp, err := l.fake.RoundTrip(req)
			if err == nil && resp.StatusCode == http.StatusBadRequest {
				refused = time.Now()
			}
			return resp, err
		}), l.fake)
		_, err = client.Invitations.BulkCreate(t.Context(), slices.Collect(guests(2)))
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.NotContains(t, strings.Join(log.lines(), "\n"), "wait=-")
	})
}

// TestRateLimitedAfterAmbiguousFailure: a write may have been carried out, and its retry is
// refused with 429. Lists show its work late, or later than the call waits.
func TestRateLimitedAfterAmbiguousFailure(t *testing.T) {
	for name, limited := range map[string]httpmock.Responder{"429": reply(429, ``), "429 for an hour": reply(429, ``, "Retry-After", "3600")} {
		for i := range 4 {
			ignoreExisting, lag := i%2 == 1, []time.Duration{3 * time.Second, 30 * time.Second}[i/2]
			t.Run(fmt.Sprint(name, "/", ignoreExisting, "/", lag), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					writes := 0
					client := clientThrough(t, l.fake, lagging(roundTripFunc(func(req *http.Request) (*http.Response, error) {
						if req.Method != http.MethodPost {
							return l.fake.RoundTrip(req)
						}
						if writes++; writes == 1 {
							if _, err := l.fake.RoundTrip(req); err != nil {
								return nil, err
							}
							return reply(500, ``, "X-Clerk-Trace-Id", "ambiguous")(req)
						}
						return limited(req)
					}), lag))
					inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
					if err == nil {
						require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
						return
					}
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.Greater(t, lag, 5*time.Second, "the time in which it is looked up")
				})
			})
		}
	}
}

// TestShortDeadlineOfDelete: a Delete is carried out, and its response never comes.
func TestShortDeadlineOfDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		inv := l.invite(t, address)
		l.fake.Fail(clerk.OperationDelete, clerktest.FaultSlowAfter)
		_, err := l.client.Invitations.Delete(t.Context(), inv.ID, clerk.WithRetry(clerk.RetryConfig{}))
		require.NoError(t, err)
	})
}

// TestRefusalAfterAmbiguousFailure: a write that was not carried out fails ambiguously, and
// its retry is refused for good.
func TestRefusalAfterAmbiguousFailure(t *testing.T) {
	for _, ignoreExisting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.fake.AddUser(address)
			l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore, clerktest.FaultDropBefore)
			_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
			if ignoreExisting {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, clerk.ErrUserExists)
			require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
			var refused *clerk.ClerkErrors
			require.ErrorAs(t, err, &refused)
		})
	}
}

// TestCreateAllOutlastsFailingLookupsOfARefusedBulk: a bulk is carried out in part and
// refused, and lists fail for a while.
func TestCreateAllOutlastsFailingLookupsOfARefusedBulk(t *testing.T) {
	for _, test := range []struct {
		refusal httpmock.Responder
		failing time.Duration
	}{
		{refusals["422"], 3 * time.Second},
		{refusals["422"], 8 * time.Second},
		{refusals["422"], 90 * time.Second},
		{reply(422, ``), 90 * time.Second},
		{reply(403, ``), 90 * time.Second},
	} {
		for _, ignoreExisting := range []bool{false, true} {
			t.Run(fmt.Sprint(test.failing, "/", ignoreExisting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					var refusedAt time.Time
					bulks := partial(l.fake, func(n int, addresses []string) (int, httpmock.Responder) {
						if n != 2 {
							return 0, nil
						}
						refusedAt = time.Now()
						return len(addresses) / 2, test.refusal
					})
					client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
						if req.Method == http.MethodGet && !refusedAt.IsZero() && time.Since(refusedAt) < test.failing {
							return reply(503, ``)(req)
						}
						return bulks.RoundTrip(req)
					}))
					results, err := createAll(t, client, requestsFor(40, func(i int) clerk.CreateInvitationRequest {
						return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
					}))
					require.NoError(t, err)
					require.Len(t, results, 40)
					requireResultsMatch(t, l.fake, results)
					require.Len(t, l.fake.Invitations(), 40)
				})
			})
		}
	}
}

// TestRefusedBulkIsInspected checks when the lists after a refusal are requested.
func TestRefusedBulkIsInspected(t *testing.T) {
	for ignoreExisting, want := range map[bool][]time.Duration{
		false: {0, time.Second},
		true:  {0, time.Second, 5 * time.Second},
	} {
		for _, created := range []int{0, 1} {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				bulks := partial(l.fake, func(int, []string) (int, httpmock.Responder) { return created, refusals["422"] })
				start, lists := time.Now(), []time.Duration{}
				client := clientThrough(t, l.fake, lagging(roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodGet {
						lists = append(lists, time.Since(start))
					}
					return bulks.RoundTrip(req)
				}), want[len(want)-1]))
				_, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
					{EmailAddress: "a@example.com", IgnoreExisting: ignoreExisting}, {EmailAddress: "b@example.com"},
				})
				require.Equal(t, created > 0, errors.Is(err, clerk.ErrOutcomeUnknown))
				require.Equal(t, clerk.CodeFormParamFormatInvalid, refusalCode(t, err))
				require.Equal(t, want, lists)
			})
		}
	}
}

// Another call invites one of a bulk's addresses just before Clerk refuses the bulk for
// another reason.
func TestRefusedBulkIgnoresWhatOthersCreatedBefore(t *testing.T) {
	for _, before := range []time.Duration{200 * time.Millisecond, time.Second, 1300 * time.Millisecond} {
		for _, isMeasured := range []bool{false, true} {
			for _, ignoreExisting := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					time.Sleep(700 * time.Millisecond)
					client := clientThrough(t, l.fake, partial(l.fake, func(int, []string) (int, httpmock.Responder) { return 0, refusals["422"] }))
					others := l.client
					if isMeasured {
						others = client
					}
					_, err := others.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "a@example.com"})
					require.NoError(t, err)
					time.Sleep(before)
					_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
						{EmailAddress: "a@example.com", IgnoreExisting: ignoreExisting}, {EmailAddress: "b@example.com", IgnoreExisting: ignoreExisting},
					})
					require.NotContains(t, err.Error(), "after 1 of 2 were created")
					if isMeasured || !ignoreExisting { // otherwise it may be the bulk's, and would be duplicated
						require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
						asClerkErrors(t, err)
					}
				})
			}
		}
	}
}

// TestRefusedRetryOfABulkIsInspected: a bulk fails ambiguously after a part was created,
// and its retry is refused after another part was.
func TestRefusedRetryOfABulkIsInspected(t *testing.T) {
	for _, ignoreExisting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			client := clientThrough(t, l.fake, partial(l.fake, func(n int, _ []string) (int, httpmock.Responder) {
				if n == 1 {
					return 1, refusals["500"]
				}
				time.Sleep(4 * time.Second)
				return 1, refusals["422"]
			}))
			var reqs []clerk.CreateInvitationRequest
			for i := range 4 {
				reqs = append(reqs, clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting})
			}
			_, err := client.Invitations.BulkCreate(t.Context(), reqs)
			require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			require.ErrorContains(t, err, "after 2 of 4 were created")
			require.Equal(t, clerk.CodeFormParamFormatInvalid, refusalCode(t, err))
		})
	}
}

// A refused bulk cannot be inspected if the caller's deadline is too short.
func TestRefusedBulkIsUnknownIfTheDeadlineIsShort(t *testing.T) {
	for ignoreExisting, deadline := range map[bool]time.Duration{false: 900 * time.Millisecond, true: 4900 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			client := clientThrough(t, l.fake, partial(l.fake, func(int, []string) (int, httpmock.Responder) { return 0, refusals["422"] }))
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			start := time.Now()
			_, err := client.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{
				{EmailAddress: "a@example.com", IgnoreExisting: ignoreExisting}, {EmailAddress: "b@example.com"},
			})
			require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			refusalCode(t, err)
			require.LessOrEqual(t, time.Since(start), time.Second, "a wait that does not fit is not started")
		})
	}
}

// refusalCode returns the first code of the refusal that err is or wraps.
func refusalCode(t *testing.T, err error) clerk.ErrorCode {
	t.Helper()
	var refused *clerk.ClerkErrors
	require.ErrorAs(t, err, &refused)
	return refused.Errors[0].Code
}

// TestRefusedBulkIsInspectedByOneListEach: only a pending invitation can be its work.
func TestRefusedBulkIsInspectedByOneListEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, guest(1))
		before := len(l.fake.Requests())
		_, err := l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: guest(0)}, {EmailAddress: guest(1)}})
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.Len(t, l.fake.Requests(), before+3, "the bulk, and two lists")
	})
}
