package clerk_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// dated is a transport whose Date headers are off.
func dated(next http.RoundTripper, by time.Duration) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil {
			resp.Header.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		}
		return resp, err
	})
}

// TestClockSkewGivesNoFalseOutcome has the clock of Date headers be off the one of
// created_at, after a create from which that can be known.
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

// requireTrue checks the outcome of a create against what exists.
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

// TestLookupReadsEveryPage has a list ignore the order, or have small pages, so that the
// call's own work is on its last page.
func TestLookupReadsEveryPage(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(req *http.Request){
		"oldest first": func(req *http.Request) { setQuery(req, "order_by", "created_at") },
		"small pages":  func(req *http.Request) { setQuery(req, "order_by", "created_at"); setQuery(req, "limit", "90") },
	} {
		for _, ignoreExisting := range []bool{false, true} {
			for _, fault := range []clerktest.Fault{clerktest.FaultErrorAfter, clerktest.FaultErrorBefore} {
				t.Run(fmt.Sprint(name, "/", ignoreExisting, "/", fault), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := newLife(t)
						for i := range 1100 {
							_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("x%dada@example.com", i)})
							require.NoError(t, err)
							time.Sleep(time.Second)
						}
						time.Sleep(time.Hour)
						client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
							if req.Method == http.MethodGet {
								req = req.Clone(req.Context())
								change(req)
							}
							return l.fake.RoundTrip(req)
						}))
						l.fake.Fail(clerk.OperationCreate, fault)
						inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: ignoreExisting})
						require.NoError(t, err)
						requireTrue(t, invitationsByAddress(l.fake)[address], inv, err)
						found, err := client.Invitations.FindPending(t.Context(), address)
						require.NoError(t, err)
						require.Equal(t, inv.ID, found.ID)

						time.Sleep(time.Hour)
						if ignoreExisting {
							l.fake.Fail(clerk.OperationBulkCreate, fault)
							_, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
								{EmailAddress: "b@example.com", IgnoreExisting: true}, {EmailAddress: "c@example.com", IgnoreExisting: true},
							})
							require.Len(t, invitationsByAddress(l.fake)["b@example.com"], 1, "%v", err)
						}
					})
				})
			}
		}
	}
}

// TestBulkLookupAmongMany has others create more than a page before the lookup.
func TestBulkLookupAmongMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := l.fake.RoundTrip(req)
			if req.URL.Path == "/v1/invitations/bulk" {
				for i := range 1100 {
					_, err := l.client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
					require.NoError(t, err)
				}
			}
			return resp, err
		}))
		l.fake.Fail(clerk.OperationBulkCreate, clerktest.FaultErrorAfter)
		invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
			{EmailAddress: "b@example.com", IgnoreExisting: true}, {EmailAddress: "c@example.com", IgnoreExisting: true},
		})
		require.NoError(t, err)
		require.Equal(t, l.fake.Invitations()[:2], invs)
		require.Len(t, l.fake.Invitations(), 1102)
	})
}

func setQuery(req *http.Request, name, value string) {
	query := req.URL.Query()
	query.Set(name, value)
	url := *req.URL
	url.RawQuery = query.Encode()
	req.URL = &url
}
