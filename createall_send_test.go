package clerk_test

import (
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

// TestCreateAllBisectsRefusedBulks counts the requests that a refused bulk costs.
func TestCreateAllBisectsRefusedBulks(t *testing.T) {
	const user, invalid, duplicate = 'u', 'i', 'd'
	for _, test := range []struct {
		name           string
		kinds          string // a letter for each request; other letters are valid
		budget         clerk.Budget
		creates, bulks int
	}{
		{"all are valid", "..........", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 1},
		{"named", ".d..d.....", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 2},
		{"named, and the bulk is filled up", ".d..d.......", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 2},
		{"all are named", "dddddddddd", clerk.Budget{Creates: 90, BulkCreates: 25}, 0, 1},
		{"the first, by creates", "u.........", clerk.Budget{Creates: 90, BulkCreates: 25}, 1, 2},
		{"the last, by creates", ".........i", clerk.Budget{Creates: 90, BulkCreates: 25}, 10, 1},
		{"the third, by creates, and the bulk is filled up", "..u..........", clerk.Budget{Creates: 90, BulkCreates: 25}, 3, 2},
		{"the first, by splitting", "u.........", clerk.Budget{BulkCreates: 25}, 0, 6},
		{"the last, by splitting", ".........u", clerk.Budget{BulkCreates: 25}, 0, 5},
		{"two, by splitting", "u........i", clerk.Budget{BulkCreates: 25}, 0, 10},
		{"splitting, and one alone", "u.........", clerk.Budget{Creates: 4, BulkCreates: 25}, 1, 5},
		{"named, and another", "d...i.....", clerk.Budget{Creates: 90, BulkCreates: 25}, 5, 3},
		{"two alone", "ui", clerk.Budget{Creates: 90, BulkCreates: 25}, 2, 1},
		{"one alone", "u", clerk.Budget{Creates: 90, BulkCreates: 25}, 1, 0},
		{"none but bad ones", "uiuiuiuiui", clerk.Budget{Creates: 90, BulkCreates: 25}, 10, 9},
		{"creates alone", "u.d.i.....", clerk.Budget{Creates: 90}, 10, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				var want []clerk.Outcome
				var requests []clerk.CreateInvitationRequest
				for i, kind := range test.kinds {
					req := clerk.CreateInvitationRequest{EmailAddress: guest(i)}
					outcome := clerk.OutcomeCreated
					switch kind {
					case user:
						l.fake.AddUser(guest(i))
						outcome = clerk.OutcomeUserExists
					case invalid:
						req.TemplateSlug = "none"
						outcome = clerk.OutcomeRejected
					case duplicate:
						l.invite(t, guest(i))
						outcome = clerk.OutcomeAlreadyInvited
					}
					requests, want = append(requests, req), append(want, outcome)
				}
				creates, bulks := l.got(clerk.OperationCreate), l.got(clerk.OperationBulkCreate)
				results, err := createAll(t, l.client, slices.Values(requests), clerk.WithBudget(test.budget), clerk.WithSkipNone())
				require.NoError(t, err)
				require.Equal(t, want, outcomes(results))
				require.Equal(t, []int{test.creates, test.bulks},
					[]int{l.got(clerk.OperationCreate) - creates, l.got(clerk.OperationBulkCreate) - bulks}, "creates and bulks")
			})
		})
	}
}

// Clerk refuses one request, in a bulk and alone.
func TestCreateAllRejectsRefusedRequests(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{
		"not allowed":       reply(403, `{"errors":[{"code":"not_allowed_access","message":"m"}]}`),
		"too large":         reply(413, `too large`),
		"unreadable":        reply(400, `<html>`),
		"any documented":    reply(422, `{"errors":[{"code":"something_new","message":"m"}]}`),
		"a duplicate of it": reply(400, `{"errors":[{"code":"duplicate_record","message":"m"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				bad := l.failingGuest(t, failure)
				results, err := createAll(t, bad, guests(40))
				require.NoError(t, err)
				for i, result := range results {
					switch {
					case i != 13:
						require.Equal(t, clerk.OutcomeCreated, result.Outcome)
					case name == "a duplicate of it":
						require.Equal(t, clerk.OutcomeAlreadyInvited, result.Outcome)
					default:
						require.Equal(t, clerk.OutcomeRejected, result.Outcome)
					}
				}
			})
		})
	}
}

// A refusal names an address, so the others are not bisected.
func TestCreateAllRejectsNamedAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		once := false
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && !once {
				once = true
				return reply(403, `{"errors":[{"code":"not_allowed_access","message":"m","meta":{"identifiers":["guest1@example.com"]}}]}`)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		results, err := createAll(t, client, guests(10))
		require.NoError(t, err)
		require.Equal(t, clerk.OutcomeRejected, results[1].Outcome)
		require.Len(t, l.fake.Invitations(), 9)
		require.Equal(t, 1, l.got(clerk.OperationBulkCreate))
	})
}

// The writes of one request always fail. The others are sent, and it ends with
// OutcomeUnknown.
func TestCreateAllIsNotHeldUpByOneRequest(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{"500": reply(500, ``), "a redirect": reply(301, ``), "nothing": reply(204, ``)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limited(t, false)
				start := time.Now()
				client := l.failingGuest(t, failure)
				others := 0
				var last error
				for result, err := range client.Invitations.CreateAll(t.Context(), guests(300)) {
					if last = err; result.Outcome == clerk.OutcomeUnknown {
						require.Equal(t, 13, result.Index)
						require.ErrorIs(t, result.Err, clerk.ErrOutcomeUnknown)
						continue
					}
					others++
				}
				require.NoError(t, last)
				require.Equal(t, 299, others)
				require.Less(t, time.Since(start), 12*time.Hour)
				t.Log(time.Since(start))
			})
		})
	}
}

// The server creates the first three of a bulk and drops the connection.
func TestCreateAllFindsPartOfADroppedBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.fake.AddUser(guest(7))
		first := true
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(req.URL.Path, "/bulk") || !first {
				return l.fake.RoundTrip(req)
			}
			first = false
			l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultDropAfter)
			req.Body = io.NopCloser(strings.NewReader(`[{"email_address":"guest0@example.com"},{"email_address":"guest1@example.com"},{"email_address":"guest2@example.com"}]`))
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		results, err := createAll(t, client, guests(10))
		require.NoError(t, err)
		for i, result := range results {
			if i == 7 {
				require.Equal(t, clerk.OutcomeUserExists, result.Outcome)
			} else {
				require.Equal(t, clerk.OutcomeCreated, result.Outcome, i)
			}
		}
		require.Len(t, l.fake.Invitations(), 9)
	})
}

// The server creates the first three of a bulk and refuses it.
func TestCreateAllFindsPartOfARefusedBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		first := true
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(req.URL.Path, "/bulk") || !first {
				return l.fake.RoundTrip(req)
			}
			first = false
			req.Body = io.NopCloser(strings.NewReader(`[{"email_address":"guest0@example.com"},{"email_address":"guest1@example.com"},{"email_address":"guest2@example.com"}]`))
			if _, err := l.fake.RoundTrip(req); err != nil {
				return nil, err
			}
			return reply(422, `{"errors":[{"code":"something_new","message":"m"}]}`)(req)
		}), clerk.WithSecretKeyFunc(l.key))
		requests := requestsFor(10, func(i int) clerk.CreateInvitationRequest {
			return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
		})
		results, err := createAll(t, client, requests)
		require.NoError(t, err)
		require.Equal(t, slices.Repeat([]clerk.Outcome{clerk.OutcomeCreated}, 10), outcomes(results))
		require.Len(t, l.fake.Invitations(), 10)
	})
}

// A bulk is refused for one of its requests. Lookups fail for a while, so its items are
// sent again one by one.
func TestRefusalOfABulkBlamesNobodyElse(t *testing.T) {
	for _, outage := range []time.Duration{30 * time.Second, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.fake.AddUser(guest(3))
			start, lists := time.Now(), 0
			client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodGet {
					if lists++; lists > 2 && time.Since(start) < outage {
						return reply(404, ``)(req)
					}
				}
				return l.fake.RoundTrip(req)
			}), clerk.WithSecretKeyFunc(l.key))
			results, err := createAll(t, client, requestsFor(10, func(i int) clerk.CreateInvitationRequest {
				return clerk.CreateInvitationRequest{EmailAddress: guest(i), IgnoreExisting: true}
			}))
			require.NoError(t, err)
			for i, result := range results {
				want := clerk.OutcomeCreated
				if i == 3 { // in a single create, ignore_existing permits an address of a user
					require.Contains(t, []clerk.Outcome{clerk.OutcomeUserExists, clerk.OutcomeCreated}, result.Outcome)
					continue
				}
				require.Equal(t, want, result.Outcome, i)
			}
		})
	}
}

// A bulk is carried out in part and fails. Its retry is refused for that part, which is
// not listed yet, and for an invitation of others.
func TestCreateAllClaimsItsPartOfABulkNextToADuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		others := l.invite(t, guest(1))
		both := `{"errors":[{"code":"duplicate_record","message":"m","meta":{"email_addresses":["guest0@example.com","guest1@example.com"]}}]}`
		transport := lagging(partial(l.fake, func(n int, _ []string) (int, httpmock.Responder) {
			return 2 - n, []httpmock.Responder{1: reply(500, ``), 2: reply(400, both)}[n]
		}), 3*time.Second)
		results, err := createAll(t, clientThrough(t, l.fake, transport), guests(2), clerk.WithSkipNone())
		require.NoError(t, err)
		require.Equal(t, []clerk.Outcome{clerk.OutcomeCreated, clerk.OutcomeAlreadyInvited}, outcomes(results))
		require.Equal(t, others.ID, results[1].Existing.ID)
		require.Len(t, l.fake.Invitations(), 2)
	})
}
