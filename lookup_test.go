package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// unusable lists responses to a lookup that say nothing about what a write did.
var unusable = map[string]httpmock.Responder{
	"302":                   reply(302, ``, "Location", "https://example.com/maintenance"),
	"200 of HTML":           reply(200, `<html>maintenance</html>`, "Content-Type", "text/html"),
	"200, empty":            reply(200, ``),
	"200, null":             reply(200, `null`),
	"200 with another type": reply(200, `{"object":"invitation"}`),
	"200, cut off":          reply(200, `{"data":[`),
	"202":                   reply(202, ``),
	"204":                   reply(204, ``),
	"400":                   reply(400, `{"errors":[{"code":"request_body_invalid","message":"bad"}]}`),
	"403":                   reply(403, `<html>error 1010</html>`, "Content-Type", "text/html"),
	"403, empty":            reply(403, ``),
	"404":                   reply(404, `not found`, "Content-Type", "text/plain"),
	"404, Clerk's":          reply(404, `{"errors":[{"code":"resource_not_found","message":"not found"}]}`),
	"409":                   reply(409, `{"errors":[{"code":"conflict","message":"conflict"}]}`),
	"422":                   reply(422, `{"errors":[{"code":"form_param_unknown","message":"unknown"}]}`),
	"429":                   reply(429, ``),
	"500":                   reply(500, ``),
}

// answeringLookups returns a transport to the fake that answers the first lists itself.
func answeringLookups(fake *clerktest.Fake, times int, answer httpmock.Responder) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet && times > 0 {
			times--
			return answer(req)
		}
		return fake.RoundTrip(req)
	})
}

// TestLookupOutlastsUnusableAnswers: the first three answers to lookups are unusable.
func TestLookupOutlastsUnusableAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range unusable {
		for _, fault := range []clerktest.Fault{clerktest.FaultErrorAfter, clerktest.FaultErrorBefore} {
			for _, times := range []int{1, 3} {
				t.Run(fmt.Sprint(name, "/", fault, "/", times), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						made, erased := l.invite(t, "old@example.com"), l.invite(t, "erased@example.com")
						for op, call := range map[clerk.Operation]func(*clerk.Client) error{
							clerk.OperationCreate: func(c *clerk.Client) error {
								_, err := c.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
								return err
							},
							clerk.OperationBulkCreate: func(c *clerk.Client) error {
								_, err := c.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: "b@example.com"}, {EmailAddress: "c@example.com"}})
								return err
							},
							clerk.OperationRevoke: func(c *clerk.Client) error { _, err := c.Invitations.Revoke(t.Context(), made.ID); return err },
							clerk.OperationDelete: func(c *clerk.Client) error { _, err := c.Invitations.Delete(t.Context(), erased.ID); return err },
						} {
							client, err := l.fake.Client(clerk.WithHTTPClient(&http.Client{Transport: answeringLookups(l.fake, times, answer)}))
							require.NoError(t, err)
							l.fake.Fail(op, fault)
							start := time.Now()
							require.NoError(t, call(client), op)
							require.LessOrEqual(t, time.Since(start), 15*time.Second)
						}
						require.Len(t, l.fake.Invitations(), 4)
					})
				})
			}
		}
	}
}

// TestLookupsThatWouldFailAgainEndTheCall: the key is refused meanwhile, or lists have no Date.
func TestLookupsThatWouldFailAgainEndTheCall(t *testing.T) {
	for name, answer := range map[string]httpmock.Responder{
		"401": reply(401, ``), "no Date": reply(200, `{"data":[],"total_count":0}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mock := answering(reply(500, ``))
				mock.RegisterResponder(http.MethodGet, invitationsURL, answer)
				_, err := newClient(t, mock).Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.Equal(t, 2, mock.GetTotalCallCount())
			})
		})
	}
}

// TestUnknownMatchesNothingElse: lookups keep failing, each in a different way. The error is
// that of the write.
func TestUnknownMatchesNothingElse(t *testing.T) {
	t.Parallel()
	answers := map[string]httpmock.Responder{
		"401":     reply(401, `{"errors":[{"code":"clerk_key_invalid","message":"invalid"}]}`, "X-Clerk-Trace-Id", "of_the_lookup"),
		"no Date": reply(200, `{"data":[],"total_count":0}`),
	}
	maps.Copy(answers, unusable)
	for name, answer := range answers {
		for writeName, failure := range map[string]httpmock.Responder{
			"500": reply(500, ``, "X-Clerk-Trace-Id", "of_the_write", "X-Own", "write"), "reset": failing(errors.New("connection reset")),
		} {
			for op, call := range calls {
				if op == clerk.OperationList || op == clerk.OperationDelete && name == "no Date" { // it needs none
					continue
				}
				t.Run(name+"/"+writeName+"/"+string(op), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						mock := answering(failure)
						mock.RegisterResponder(http.MethodGet, invitationsURL, answer)
						err := call(t.Context(), newClient(t, mock))
						require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
						for _, other := range []error{
							clerk.ErrRateLimited, clerk.ErrUnauthorized, clerk.ErrNotFound, clerk.ErrInvalidRequest, clerk.ErrDuplicateInvitation,
							clerk.ErrUserExists, clerk.ErrAlreadyRevoked, clerk.ErrAlreadyAccepted, clerk.ErrNotSent, clerk.ErrOldNotRevoked,
						} {
							require.NotErrorIs(t, err, other)
						}
						var refused *clerk.ClerkErrors
						require.NotErrorAs(t, err, &refused, "Clerk has not refused the write")
						meta, ok := clerk.MetaFromError(err)
						require.True(t, ok)
						if writeName == "500" {
							require.Equal(t, 500, meta.StatusCode)
							require.Equal(t, "of_the_write", meta.TraceID)
							require.Equal(t, "write", meta.Header.Get("X-Own"))
						} else {
							require.Zero(t, meta.StatusCode)
							require.Empty(t, meta.TraceID)
						}
						require.Equal(t, op, meta.Operation)
					})
				})
			}
		}
	}
}

// TestUnknownAfterKeyFunctionFails: the key function fails after the write was sent: for
// the lookup, or for the retry after it.
func TestUnknownAfterKeyFunctionFails(t *testing.T) {
	for name, fail := range map[string]func() (string, error){
		"an error": func() (string, error) { return "", errors.New("vault is sealed") },
		"nonsense": func() (string, error) { return "pk_test_dummy", nil },
	} {
		for _, keys := range []int{1, 3} { // a lookup lists the revoked ones, too
			t.Run(fmt.Sprint(name, "/", keys), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := 0
					mock := answering(reply(500, ``))
					mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, `[]`, "Date", time.Now().UTC().Format(http.TimeFormat)))
					client, err := clerk.NewClient("", clerk.WithHTTPClient(&http.Client{Transport: mock}),
						clerk.WithSecretKeyFunc(func(context.Context) (string, error) {
							if n++; n <= keys {
								return testKey, nil
							}
							return fail()
						}))
					require.NoError(t, err)
					_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
					require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
					require.NotErrorIs(t, err, clerk.ErrNotSent)
					require.NotErrorIs(t, err, clerk.ErrInvalidRequest)
					require.Equal(t, keys, mock.GetTotalCallCount())
				})
			})
		}
	}
}

// TestCancelAfterOwnRefusalReportsFirstFailure: the retry is refused as a duplicate, and
// the call is canceled before a lookup shows which invitation exists.
func TestCancelAfterOwnRefusalReportsFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		writes := 0
		// Not httpmock: it would return early when the context ends.
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				return reply(200, `[]`, "Date", time.Now().UTC().Format(http.TimeFormat))(req)
			}
			if writes++; writes == 1 {
				return reply(502, ``)(req)
			}
			cancel()
			return reply(400, duplicateJSON)(req)
		}))
		err := calls[clerk.OperationCreate](ctx, client)
		require.Equal(t, 2, writes)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, clerk.ErrDuplicateInvitation, "it may be the call's own")
		require.Equal(t, 502, asSDKError(t, err).StatusCode)
	})
}

// TestEndlessRetryAfterIsNotWaitedFor: a write fails ambiguously after a while. The
// response asks to wait for longer than a Duration can express.
func TestEndlessRetryAfterIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		slow := func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return reply(503, ``, "Retry-After", "99999999999999999999")(req)
		}
		start := time.Now()
		err := calls[clerk.OperationCreate](t.Context(), clientThrough(t, l.fake, failingOn(l.fake, http.MethodPost, "", slow)))
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
	})
}

// TestOlderInvitationExplainsADuplicate: a retry is refused as a duplicate, and the address
// has an older invitation. It counts as the reason only once lists would show the call's own
// invitation, and would show the older one as revoked. Clerk ignores revoked ones.
func TestOlderInvitationExplainsADuplicate(t *testing.T) {
	for status, test := range map[clerk.InvitationStatus]struct {
		want     error
		from, to time.Duration
	}{
		clerk.InvitationStatusPending:  {clerk.ErrDuplicateInvitation, 5 * time.Second, 10 * time.Second},
		clerk.InvitationStatusAccepted: {clerk.ErrDuplicateInvitation, 5 * time.Second, 10 * time.Second},
		clerk.InvitationStatusExpired:  {clerk.ErrDuplicateInvitation, 5 * time.Second, 10 * time.Second},
		clerk.InvitationStatusRevoked:  {clerk.ErrOutcomeUnknown, 10 * time.Second, time.Minute},
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				require.NoError(t, l.fake.Expire(l.invite(t, address).ID)) // still older
				old := l.invite(t, address)
				var err error
				switch status {
				case clerk.InvitationStatusAccepted:
					err = l.fake.Accept(old.ID)
				case clerk.InvitationStatusExpired:
					err = l.fake.Expire(old.ID)
				case clerk.InvitationStatusRevoked:
					require.NoError(t, l.fake.Delete(l.fake.Invitations()[0].ID))
					err = l.fake.Revoke(old.ID)
				}
				require.NoError(t, err)
				time.Sleep(time.Hour)
				writes := 0
				transport := failingOn(l.fake, http.MethodPost, "", func(req *http.Request) (*http.Response, error) {
					if writes++; writes == 1 {
						return reply(502, ``)(req)
					}
					return reply(400, duplicateJSON)(req)
				})
				start := time.Now()
				err = calls[clerk.OperationCreate](t.Context(), clientThrough(t, l.fake, transport))
				require.ErrorIs(t, err, test.want)
				require.Equal(t, errors.Is(test.want, clerk.ErrOutcomeUnknown), errors.Is(err, clerk.ErrOutcomeUnknown))
				require.GreaterOrEqual(t, time.Since(start), test.from)
				require.LessOrEqual(t, time.Since(start), test.to)
				require.Equal(t, 2, writes)
			})
		})
	}
}

// TestDeleteTrustsNotFoundMoreThanLists: the retry of a Delete is refused, and lists keep
// showing the invitation.
func TestDeleteTrustsNotFoundMoreThanLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := answering(reply(502, ``), reply(404, `{"errors":[{"code":"resource_not_found"}]}`))
		mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, `[`+pendingJSON+`]`, "Date", time.Now().UTC().Format(http.TimeFormat)))
		start := time.Now()
		require.NoError(t, calls[clerk.OperationDelete](t.Context(), newClient(t, mock)))
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
		require.Equal(t, 2, sent(mock, clerk.OperationDelete))
	})
}

// TestRateLimitDelaysNoLookup: a retry is rate limited for an hour, and one lookup fails.
// The next one finds the invitation of the first request.
func TestRateLimitDelaysNoLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		writes, lists := 0, 0
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				switch lists++; lists {
				case 1, 2: // the pending and the revoked invitations
					return reply(200, `[]`, "Date", time.Now().UTC().Format(http.TimeFormat))(req)
				case 3:
					return unusable["200 of HTML"](req)
				}
				return l.fake.RoundTrip(req)
			}
			if writes++; writes > 1 {
				return reply(429, ``, "Retry-After", "3600")(req)
			}
			if _, err := l.fake.RoundTrip(req); err != nil {
				return nil, err
			}
			return reply(502, ``)(req)
		}))
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		require.Equal(t, []clerk.Invitation{*inv}, l.fake.Invitations())
		require.Equal(t, 2, writes)
	})
}

// TestRefusedBulkIsNotLookedUpForLong: after a refusal, all lookups fail. Most likely nothing
// was created.
func TestRefusedBulkIsNotLookedUpForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := answering(refusals["422"])
		mock.RegisterResponder(http.MethodGet, invitationsURL, unusable["200 of HTML"])
		start := time.Now()
		_, err := newClient(t, mock).Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: guest(0)}, {EmailAddress: guest(1)}})
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.LessOrEqual(t, time.Since(start), 10*time.Second)
	})
}

// TestResponseAboutSomethingElseIsNotRetried: each write gets a response about something
// else. A retry would get it as well.
func TestResponseAboutSomethingElseIsNotRetried(t *testing.T) {
	for op, call := range calls {
		if op == clerk.OperationList {
			continue
		}
		t.Run(string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := map[clerk.Operation]string{
					clerk.OperationBulkCreate: `[]`, clerk.OperationDelete: `{"object":"invitation","id":"inv_2","deleted":true}`,
				}[op]
				if body == "" {
					body = `{"object":"invitation","id":"inv_2","email_address":"other@example.com"}`
				}
				list := `[]`
				if op == clerk.OperationDelete {
					list = `[` + pendingJSON + `]`
				}
				mock := answering(reply(200, body))
				mock.RegisterResponder(http.MethodGet, invitationsURL, reply(200, list, "Date", time.Now().UTC().Format(http.TimeFormat)))
				err := call(t.Context(), newClient(t, mock))
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
				require.ErrorContains(t, err, "the response is about something else")
				require.Equal(t, 1, sent(mock, op))
			})
		})
	}
}
