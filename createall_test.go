package clerk_test

import (
	"context"
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

// The run has requests of all kinds.
func TestCreateAllReportsEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.invite(t, "invited@example.com")
		require.NoError(t, l.fake.Accept(l.invite(t, "accepted@example.com").ID))
		_, err := l.client.Invitations.Revoke(t.Context(), l.invite(t, "revoked@example.com").ID)
		require.NoError(t, err)
		require.NoError(t, l.fake.Expire(l.invite(t, "expired@example.com").ID))
		l.fake.AddUser("user@example.com")

		requests := []clerk.CreateInvitationRequest{
			{EmailAddress: "a@example.com", PublicMetadata: map[string]any{"seat": 0}},
			{EmailAddress: "INVITED@example.com"},
			{EmailAddress: "accepted@example.com", IgnoreExisting: true},
			{EmailAddress: "revoked@example.com"},
			{EmailAddress: "expired@example.com"},
			{EmailAddress: "user@example.com"},
			{EmailAddress: "A@example.com"}, // repeated
			{EmailAddress: "user@example.com"},
			{EmailAddress: ""},
			{EmailAddress: "nobody"},
			{EmailAddress: "nobody@"},
			{EmailAddress: "@example.com"},
			{EmailAddress: "a b@example.com"},
			{EmailAddress: "b@example.com\r"},
			{EmailAddress: "c@example.com", PublicMetadata: map[string]any{"c": make(chan int)}},
			{EmailAddress: "c@example.com", TemplateSlug: "none"},
			{EmailAddress: "c@example.com", ExpiresInDays: 10},
			{EmailAddress: "c@example.com"},
			{EmailAddress: "d@d@example.com"}, // it looks like an address
			{EmailAddress: "e@example.com", ExpiresInDays: 366},
			{EmailAddress: "e@example.com", ExpiresInDays: -1},
		}
		results, err := createAll(t, l.client, slices.Values(requests))
		require.NoError(t, err)
		const created, invited, user, refused = clerk.OutcomeCreated, clerk.OutcomeAlreadyInvited, clerk.OutcomeUserExists, clerk.OutcomeRejected
		require.Equal(t, []clerk.Outcome{
			created, invited, invited, created, created, user, clerk.OutcomeRepeated, user,
			refused, refused, refused, refused, refused, refused, refused,
			refused, created, clerk.OutcomeRepeated, refused, refused, refused,
		}, outcomes(results))
		for i, result := range results {
			require.Equal(t, requests[i], result.Request)
			if result.Invitation != nil {
				require.Equal(t, requests[i].EmailAddress, result.Invitation.EmailAddress)
			}
		}
		for _, result := range append(results[8:15:15], results[19:]...) {
			require.ErrorIs(t, result.Err, clerk.ErrInvalidRequest)
		}
		require.Equal(t, clerk.CodeFormParamValueInvalid, asClerkErrors(t, results[15].Err).Errors[0].Code)
		require.Equal(t, clerk.CodeFormParamFormatInvalid, asClerkErrors(t, results[18].Err).Errors[0].Code)
		require.JSONEq(t, `{"seat":0}`, string(results[0].Invitation.PublicMetadata))

		// On a second run nothing is created, and only refused requests are sent.
		invitations, before, lists := len(l.fake.Invitations()), len(l.fake.Requests()), l.got(clerk.OperationList)
		results, err = createAll(t, l.client, slices.Values(requests))
		require.NoError(t, err)
		require.NotContains(t, outcomes(results), created)
		require.Len(t, l.fake.Invitations(), invitations)
		require.Equal(t, 4, l.got(clerk.OperationList)-lists, "one page, once more for IgnoreExisting, and twice after the refused bulk")
		require.Equal(t, refused, results[18].Outcome)
		require.Len(t, l.fake.Requests(), before+4+3, "a bulk of the user and the one that is refused, and each alone")
	})
}

func TestCreateAllRejectsInvalidOptions(t *testing.T) {
	mock := answering(reply(500, ``))
	client := newClient(t, mock)
	for text, opt := range map[string]clerk.CreateAllOption{
		"WithBudget is negative":                          clerk.WithBudget(clerk.Budget{Creates: -1, BulkCreates: 1}),
		"WithBudget has neither creates nor bulk creates": clerk.WithBudget(clerk.Budget{}),
		"WithSourceError is nil":                          clerk.WithSourceError(nil),
		"WithProgress is nil":                             clerk.WithProgress(nil),
		"option is nil":                                   nil,
	} {
		_, err := createAll(t, client, guests(1), opt)
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.ErrorContains(t, err, text)
	}
	_, err := createAll(t, client, nil)
	require.ErrorContains(t, err, "requests is nil")
	require.Zero(t, mock.GetTotalCallCount())
}

func TestCreateAllIgnoresRetryNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lifeWith(t, clerktest.WithFaults(clerktest.FaultMix{Share: 0.2, Seed: 1}))
		never := clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone, RetryConnectionErrors: new(false)})
		results, err := createAll(t, l.client, guests(200), never)
		require.NoError(t, err)
		require.Len(t, results, 200)
		require.Len(t, l.fake.Invitations(), 200)
	})
}

// The server returns a bulk in another order, and changes the case of addresses.
func TestCreateAllMatchesBulkResultsByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				return reply(200, `{"data":[],"total_count":0}`)(req)
			}
			var invs []string
			for i := range 3 {
				one := strings.Replace(pendingJSON, address, strings.ToUpper(guest(2-i)), 1)
				invs = append(invs, strings.Replace(one, testID, fmt.Sprint("inv_", 2-i), 1))
			}
			return reply(200, "["+strings.Join(invs, ",")+"]")(req)
		})
		results, err := createAll(t, newClient(t, odd), guests(3))
		require.NoError(t, err)
		for i, result := range results {
			require.Equal(t, fmt.Sprint("inv_", i), result.Invitation.ID)
		}

		// One address is spelled differently, and then two.
		n, names := 0, []string{guest(1), "guest.2@example.com", guest(0)}
		odder := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				return reply(200, `{"data":[],"total_count":0}`)(req)
			}
			var invs []string
			for _, name := range names {
				n++
				one := strings.Replace(pendingJSON, address, name, 1)
				invs = append(invs, strings.Replace(one, testID, fmt.Sprint("inv_", n), 1))
			}
			return reply(200, "["+strings.Join(invs, ",")+"]")(req)
		})
		results, err = createAll(t, newClient(t, odder), guests(3))
		require.NoError(t, err)
		require.Equal(t, []string{"inv_3", "inv_1", "inv_2"},
			[]string{results[0].Invitation.ID, results[1].Invitation.ID, results[2].Invitation.ID})
		n, names = 0, []string{"guest.1@example.com", "guest.2@example.com", guest(0)}
		results, err = createAll(t, newClient(t, odder), guests(3))
		require.NoError(t, err)
		require.Equal(t, []string{"inv_3", "inv_1", "inv_2"},
			[]string{results[0].Invitation.ID, results[1].Invitation.ID, results[2].Invitation.ID}, "the rest keeps its order")

		// The two are equal only when case is folded.
		l := newLife(t)
		requests := []clerk.CreateInvitationRequest{{EmailAddress: "us@example.com"}, {EmailAddress: "uſ@example.com"}}
		results, err = createAll(t, l.client, slices.Values(requests))
		require.NoError(t, err)
		for i, result := range results {
			require.Equal(t, requests[i].EmailAddress, result.Invitation.EmailAddress)
		}
	})
}

// A bulk of three fails ambiguously, and somebody else invites a fourth address
// meanwhile.
func TestCreateAllDoesNotClaimInvitationsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		start := time.Now()
		isDown := func() bool { return time.Since(start) > 0 && time.Since(start) < 3*time.Minute }
		client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if isDown() {
				return reply(502, ``)(req)
			}
			return l.fake.RoundTrip(req)
		}), clerk.WithSecretKeyFunc(l.key))
		time.AfterFunc(2*time.Minute, func() {
			_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(3)})
			assertNoError(t, err)
		})
		requests := requestsFor(4, func(i int) clerk.CreateInvitationRequest {
			if i == 3 {
				time.Sleep(30 * time.Second)
			}
			return clerk.CreateInvitationRequest{EmailAddress: guest(i)}
		})
		results, err := createAll(t, client, requests)
		require.NoError(t, err)
		const created = clerk.OutcomeCreated
		require.Equal(t, []clerk.Outcome{created, created, created, clerk.OutcomeAlreadyInvited}, outcomes(results))
	})
}

// The first request is rate limited or not sent, and somebody else invites the address
// meanwhile.
func TestCreateAllDoesNotClaimInvitationsOfOthersAfterNothingWasSent(t *testing.T) {
	for name, failure := range map[string]httpmock.Responder{"limited": reply(429, ``, "Retry-After", "60"), "not sent": failing(errDial)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				start := time.Now()
				client := l.failingWrites(t, 1, failure, func() bool { return time.Since(start) < 50*time.Second })
				time.AfterFunc(30*time.Second, func() {
					_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(0)})
					assertNoError(t, err)
				})
				results, err := createAll(t, client, guests(1))
				require.NoError(t, err)
				require.Equal(t, []clerk.Outcome{clerk.OutcomeAlreadyInvited}, outcomes(results))
				require.Equal(t, l.fake.Invitations()[0].ID, results[0].Existing.ID)
			})
		})
	}
}

// TestRepeatOfAnUnknownOutcomeIsUnknown: the response to a request is about somebody else.
func TestRepeatOfAnUnknownOutcomeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := answeringWrites(reply(200, pendingJSON))
		client := newClient(t, mock)
		req := clerk.CreateInvitationRequest{EmailAddress: guest(1)}
		results, err := createAll(t, client, slices.Values([]clerk.CreateInvitationRequest{req, req}), clerk.WithSkipNone())
		require.NoError(t, err)
		require.Equal(t, []clerk.Outcome{clerk.OutcomeUnknown, clerk.OutcomeUnknown}, outcomes(results))
		require.ErrorIs(t, results[1].Err, clerk.ErrOutcomeUnknown)
		require.EqualError(t, results[1].Err, "clerk: CreateInvitation: outcome unknown: an earlier request has the address, and its outcome is unknown")
		require.Equal(t, 1, sent(mock, clerk.OperationCreate))
	})
}
