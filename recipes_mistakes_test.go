package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// The right lines of docs/mistakes.md.

func statusOfInvite(err error) int {
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown):
		return http.StatusGatewayTimeout
	case errors.Is(err, clerk.ErrRateLimited):
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

func TestUnknownOutcomeIsTestedFirst(t *testing.T) {
	both := &clerk.SDKError{ResponseMeta: clerk.ResponseMeta{StatusCode: 429}, Err: clerk.ErrOutcomeUnknown}
	require.Equal(t, http.StatusGatewayTimeout, statusOfInvite(both))
}

func inviteForRequest(r *http.Request, client *clerk.Client, address string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address})
	return err
}

func TestInviteOutlastsItsRequest(t *testing.T) {
	l := newLife(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
	require.NoError(t, inviteForRequest(r, l.client, "ada@example.com"))
}

type inviter struct {
	clerk *clerk.Client // created once, shared by all requests
}

func (i *inviter) inviteAgain(ctx context.Context, old string) error {
	_, err := i.clerk.Invitations.Resend(ctx, old, clerk.CreateInvitationRequest{})
	return err
}

func TestInviteAgainLeavesALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old := l.invite(t, "ada@example.com")
		require.NoError(t, (&inviter{l.client}).inviteAgain(t.Context(), old.ID))
		inv, err := l.client.Invitations.FindPending(t.Context(), "ada@example.com")
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
	})
}

func idsOf(invs []clerk.Invitation) map[string]string {
	ids := map[string]string{}
	for _, inv := range invs {
		ids[inv.EmailAddress] = inv.ID
	}
	return ids
}

func TestBulkIsMatchedByAddress(t *testing.T) {
	client, _ := clerktest.NewClient(t, clerktest.WithBehavior(clerktest.Behavior{BulksReversed: true}))
	invs, err := client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}, {EmailAddress: "grace@example.com"}})
	require.NoError(t, err)
	inv, err := client.Invitations.FindPending(t.Context(), "ada@example.com")
	require.NoError(t, err)
	require.Equal(t, inv.ID, idsOf(invs)["ada@example.com"])
}

func inviteCampaign(ctx context.Context, client *clerk.Client, people []clerk.CreateInvitationRequest, began time.Time) (failed []clerk.CreateResult, err error) {
	for result, err := range client.Invitations.CreateAll(ctx, slices.Values(people), clerk.WithSkipSince(began)) {
		if err != nil {
			return failed, err // call it again with the same list to resume
		}
		if result.Outcome == clerk.OutcomeRejected || result.Outcome == clerk.OutcomeUnknown {
			failed = append(failed, result)
		}
	}
	return failed, nil
}

func TestCampaignWithIgnoreExistingIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		began := time.Now()
		people := []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com", IgnoreExisting: true}}
		for range 2 {
			failed, err := inviteCampaign(t.Context(), l.client, people, began)
			require.NoError(t, err)
			require.Empty(t, failed)
		}
		require.Len(t, l.fake.Invitations(), 1)
	})
}

func revokeAll(ctx context.Context, client *clerk.Client) error {
	var ids []string
	for inv, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{Status: clerk.InvitationStatusPending}) {
		if err != nil {
			return err
		}
		ids = append(ids, inv.ID)
	}
	for _, id := range ids {
		if _, err := client.Invitations.Revoke(ctx, id); err != nil && !errors.Is(err, clerk.ErrAlreadyRevoked) {
			return err
		}
	}
	return nil
}

func TestRevokeAllSkipsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for i := range 3 {
			l.invite(t, guest(i))
		}
		require.NoError(t, revokeAll(t.Context(), l.client))
		require.Equal(t, 3, l.got(clerk.OperationRevoke))
	})
}

func logFailure(logger *slog.Logger, err error) {
	logger.Error("inviting failed", "error", err)
}

func Example_logFailure() {
	err := &clerk.ClerkErrors{Errors: []clerk.ClerkError{{Code: clerk.CodeDuplicateRecord, Message: "duplicate", LongMessage: "of ada@example.com"}}}
	logFailure(slog.New(slog.DiscardHandler), err)
	fmt.Println(err)
	// Output:
	// clerk: duplicate_record: duplicate
}
