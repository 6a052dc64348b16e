package clerk_test

import (
	"bytes"
	"fmt"
	"io"
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

// odd returns a server whose bulks are not atomic: the first one creates its first invitation
// and fails, and later ones get refusal.
func (l life) odd(refusal httpmock.Responder, bulks *int) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet {
			return l.fake.RoundTrip(req)
		}
		if *bulks++; *bulks > 1 {
			return refusal(req)
		}
		req.Body = io.NopCloser(strings.NewReader(`[{"email_address":"guest0@example.com"}]`))
		if _, err := l.fake.RoundTrip(req); err != nil {
			return nil, err
		}
		return reply(502, ``)(req)
	})
}

// TestBulkRefusedInPartReportsUnknownOutcome: part of a bulk is created, and the retry of
// the rest is refused.
func TestBulkRefusedInPartReportsUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, bulks := newLife(t), 0
		refusal := reply(422, `{"errors":[{"code":"form_identifier_exists"}]}`)
		_, err := newClient(t, l.odd(refusal, &bulks), clerk.WithSecretKeyFunc(l.key)).Invitations.BulkCreate(t.Context(),
			[]clerk.CreateInvitationRequest{{EmailAddress: guest(0)}, {EmailAddress: guest(1)}})
		require.ErrorIs(t, err, clerk.ErrUserExists)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Equal(t, 2, bulks)
	})
}

// TestBulkCreatesOnlyWhatIsMissing: the server creates the first two of a bulk and drops
// the connection.
func TestBulkCreatesOnlyWhatIsMissing(t *testing.T) {
	for _, fault := range []clerktest.Fault{clerktest.FaultDropAfter, clerktest.FaultHideAfter} {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New()
			var bulks []string
			inPart := roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if !strings.HasSuffix(req.URL.Path, "/bulk") {
					return fake.RoundTrip(req)
				}
				body, err := io.ReadAll(req.Body)
				if err != nil {
					return nil, err
				}
				if len(bulks) == 0 {
					fake.Fail(clerk.OperationBulkCreate, fault)
					body = []byte(`[{"email_address":"guest0@example.com"},{"email_address":"guest1@example.com"}]`)
				}
				bulks = append(bulks, string(body))
				req.Body = io.NopCloser(bytes.NewReader(body))
				return fake.RoundTrip(req)
			})
			client, err := fake.Client(clerk.WithHTTPClient(&http.Client{Transport: inPart}))
			require.NoError(t, err)
			invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
				{EmailAddress: guest(0)}, {EmailAddress: guest(2)}, {EmailAddress: guest(1)}, {EmailAddress: guest(3)},
			})
			require.NoError(t, err)
			require.JSONEq(t, `[{"email_address":"guest2@example.com"},{"email_address":"guest3@example.com"}]`, bulks[len(bulks)-1])
			require.Len(t, fake.Invitations(), 4)
			for i, want := range []int{0, 2, 1, 3} {
				require.Equal(t, guest(want), invs[i].EmailAddress)
			}
		})
	}
}

// TestBulkWithAnAddressTwiceReturnsBothInvitations: the response is lost. The lookup must find
// an invitation for each of the two requests.
func TestBulkWithAnAddressTwiceReturnsBothInvitations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropAfter)
		twin := clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true}
		invs, err := l.client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{twin, twin})
		require.NoError(t, err)
		require.ElementsMatch(t, l.fake.Invitations(), invs)
		require.Equal(t, 1, l.got(clerk.OperationBulkCreate))
	})
}

// TestBulkIsNotDuplicatedWhenClocksDiffer: a bulk fails after it was carried out. The
// clocks of Clerk's servers are so far apart that its work cannot be told from older
// invitations.
func TestBulkIsNotDuplicatedWhenClocksDiffer(t *testing.T) {
	for _, by := range []time.Duration{-time.Minute, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			client := clientThrough(t, l.fake, dated(l.fake, by))
			_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
			require.NoError(t, err)
			l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorAfter)
			invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
				{EmailAddress: guest(0), IgnoreExisting: true}, {EmailAddress: guest(1), IgnoreExisting: true},
			})
			require.Len(t, l.fake.Invitations(), 3, "duplicated")
			if err == nil {
				require.Equal(t, l.fake.Invitations()[1:], invs)
			} else {
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			}
		})
	}
}

// TestRefusedBulkIsUnknownWhenClocksDiffer: a bulk is refused after a part was carried out.
// The clocks of Clerk's servers are so far apart that nobody can know that.
func TestRefusedBulkIsUnknownWhenClocksDiffer(t *testing.T) {
	for _, by := range []time.Duration{5 * time.Second, time.Minute, time.Hour} {
		for _, ignoreExisting := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				refused := partial(l.fake, func(int, []string) (int, httpmock.Responder) { return 1, refusals["422"] })
				client := clientThrough(t, l.fake, dated(refused, by))
				_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
				require.NoError(t, err)
				_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
					{EmailAddress: guest(0), IgnoreExisting: ignoreExisting}, {EmailAddress: guest(1), IgnoreExisting: ignoreExisting},
				})
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown, "%s/%t", by, ignoreExisting)
			})
		}
	}
}

// TestRetriedBulkIsRefusedForSeveralReasons: a lost bulk is retried. The retry is refused
// for its own part and for another address.
func TestRetriedBulkIsRefusedForSeveralReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		both := `{"errors":[{"code":"duplicate_record","message":"m","meta":{"email_addresses":["` + guest(0) + `"]}},` +
			`{"code":"not_allowed_access","message":"m","meta":{"identifiers":["` + guest(1) + `"]}}]}`
		client := clientThrough(t, l.fake, lagging(partial(l.fake, func(n int, _ []string) (int, httpmock.Responder) {
			if n == 1 {
				return 1, reply(500, ``)
			}
			return 0, []httpmock.Responder{2: reply(400, both), 3: reply(403, envelope("not_allowed_access", "m", "", "null"))}[min(n, 3)]
		}), 600*time.Millisecond))
		start := time.Now()
		_, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: guest(0)}, {EmailAddress: guest(1)}})
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.Less(t, time.Since(start), 30*time.Second)
	})
}

// TestPartOfARefusedBulkIsReported: BulkCreate is refused after a part was carried out.
func TestPartOfARefusedBulkIsReported(t *testing.T) {
	for name, refuse := range refusals {
		for _, applied := range []int{0, 1, 5, 9, 10} {
			for _, ignoreExisting := range []bool{false, true} {
				t.Run(fmt.Sprint(name, "/", applied, "/", ignoreExisting), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						client := clientThrough(t, l.fake, partial(l.fake, func(int, []string) (int, httpmock.Responder) { return applied, refuse }))
						reqs := slices.Collect(requestsFor(10, func(i int) clerk.CreateInvitationRequest {
							return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: ignoreExisting}
						}))
						invs, err := client.Invitations.BulkCreate(t.Context(), reqs)
						switch made := l.fake.Invitations(); {
						case err == nil:
							require.Equal(t, made, invs)
						case len(made) > 0:
							require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
						}
						for _, invs := range invitationsByAddress(l.fake) {
							require.Len(t, invs, 1, "duplicated")
						}
					})
				})
			}
		}
	}
}

// TestCutOffRefusalsDuplicateNobody: in a run of 600 with IgnoreExisting, 422s are cut off.
// Their bulks were carried out in whole or in part.
func TestCutOffRefusalsDuplicateNobody(t *testing.T) {
	t.Parallel()
	for seed := range soakSize(4, 4, 24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limited(t, seed%2 == 0)
				transport := lagging(partial(l.fake, func(n int, addresses []string) (int, httpmock.Responder) {
					if (n+seed)%5 != 0 {
						return 0, nil
					}
					return len(addresses) * (seed % 3) / 2, cutOff(422, `{"errors":[{"code":"form_`)
				}), time.Duration(seed%4)*time.Second)
				results, err := createAll(t, clientThrough(t, l.fake, transport), requestsFor(600, func(i int) clerk.CreateInvitationRequest {
					return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
				}))
				require.NoError(t, err)
				require.Len(t, results, 600)
				requireResultsMatch(t, l.fake, results)
			})
		})
	}
}

// TestPartOfABulkWithADuplicate: others invite somebody meanwhile. Clerk creates the
// requests of a bulk before that one, and then refuses.
func TestPartOfABulkWithADuplicate(t *testing.T) {
	for _, lag := range []time.Duration{0, 3 * time.Second} {
		for _, at := range []int{2, 4, 9} {
			t.Run(fmt.Sprint(lag, "/", at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					var others *clerk.Invitation
					transport := lagging(partial(l.fake, func(n int, addresses []string) (int, httpmock.Responder) {
						if n != 1 {
							return 0, nil
						}
						return slices.Index(addresses, address), reply(400, duplicateJSON)
					}), lag)
					results, err := createAll(t, clientThrough(t, l.fake, transport), func(yield func(clerk.CreateInvitationRequest) bool) {
						for i := range 20 {
							email := guest(i)
							if i == at {
								email = address
							}
							if i == 1 { // what exists is listed by now
								var err error
								others, err = l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
								require.NoError(t, err)
								time.Sleep(500 * time.Millisecond)
							}
							if !yield(clerk.CreateInvitationRequest{EmailAddress: email}) {
								return
							}
						}
					})
					require.NoError(t, err)
					for i, result := range results {
						if i == at {
							require.Equal(t, clerk.OutcomeAlreadyInvited, result.Outcome)
							if lag == 0 || result.Existing != nil { // it may show too late
								require.Equal(t, others.ID, result.Existing.ID)
							}
							continue
						}
						require.Equal(t, clerk.OutcomeCreated, result.Outcome, "%v", result)
					}
					for _, invs := range invitationsByAddress(l.fake) {
						require.Len(t, invs, 1)
					}
				})
			})
		}
	}
}
