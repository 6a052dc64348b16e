package clerk_test

import (
	"context"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// TestCreateAllTellsWhatExists has addresses with a pending, an accepted, a revoked and
// an expired invitation, repeats, and one that others invite meanwhile.
func TestCreateAllTellsWhatExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		pending, accepted := l.invite(t, "pending@example.com"), l.invite(t, "accepted@example.com")
		require.NoError(t, l.fake.Accept(accepted.ID))
		revoked, expired := l.invite(t, "revoked@example.com"), l.invite(t, "expired@example.com")
		_, err := l.client.Invitations.Revoke(t.Context(), revoked.ID)
		require.NoError(t, err)
		require.NoError(t, l.fake.Expire(expired.ID))
		addresses := []string{
			"pending@example.com", "accepted@example.com", "revoked@example.com", "expired@example.com",
			"new@example.com", "NEW@example.com", "PENDING@example.com", "meanwhile@example.com", "meanwhile@example.com",
		}
		var meanwhile *clerk.Invitation
		requests := func(yield func(clerk.CreateInvitationRequest) bool) {
			for _, address := range addresses {
				if address == "meanwhile@example.com" && meanwhile == nil {
					meanwhile = l.invite(t, address)
				}
				if !yield(clerk.CreateInvitationRequest{EmailAddress: address}) {
					return
				}
			}
		}
		results, err := createAll(t, l.client, requests)
		require.NoError(t, err)
		require.Equal(t, []clerk.Outcome{
			clerk.OutcomeAlreadyInvited, clerk.OutcomeAlreadyInvited, clerk.OutcomeCreated, clerk.OutcomeCreated,
			clerk.OutcomeCreated, clerk.OutcomeRepeated, clerk.OutcomeAlreadyInvited, clerk.OutcomeAlreadyInvited, clerk.OutcomeAlreadyInvited,
		}, outcomes(results))
		existing := func(id string, status clerk.InvitationStatus) *clerk.ExistingInvitation {
			return &clerk.ExistingInvitation{ID: id, Status: status}
		}
		for i, expected := range []*clerk.ExistingInvitation{
			existing(pending.ID, clerk.InvitationStatusPending), existing(accepted.ID, clerk.InvitationStatusAccepted), nil, nil,
			nil, existing(results[4].Invitation.ID, clerk.InvitationStatusPending), existing(pending.ID, clerk.InvitationStatusPending),
			existing(meanwhile.ID, clerk.InvitationStatusPending), existing(meanwhile.ID, clerk.InvitationStatusPending),
		} {
			require.Equal(t, expected, results[i].Existing, "%d", i)
		}
	})
}

// TestDuplicateOfAcceptedOrOlder has Clerk refuse a duplicate of an invitation that is
// not pending.
func TestDuplicateOfAcceptedOrOlder(t *testing.T) {
	for _, status := range []clerk.InvitationStatus{clerk.InvitationStatusAccepted, clerk.InvitationStatusExpired} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				var old *clerk.Invitation
				client := clientThrough(t, l.fake, poisoned(l.fake, reply(400, duplicateJSON), address))
				requests := func(yield func(clerk.CreateInvitationRequest) bool) {
					if !yield(clerk.CreateInvitationRequest{EmailAddress: "first@example.com"}) {
						return
					}
					time.Sleep(time.Minute) // the existing invitations are listed by now
					old = l.invite(t, address)
					if status == clerk.InvitationStatusAccepted {
						require.NoError(t, l.fake.Accept(old.ID))
					} else {
						require.NoError(t, l.fake.Expire(old.ID))
					}
					yield(clerk.CreateInvitationRequest{EmailAddress: address})
				}
				results, err := createAll(t, client, requests)
				require.NoError(t, err)
				require.Equal(t, clerk.OutcomeAlreadyInvited, results[1].Outcome)
				require.Equal(t, &clerk.ExistingInvitation{ID: old.ID, Status: status}, results[1].Existing)
			})
		})
	}
}

// TestInputErrorsNameTheField has each input be invalid.
func TestInputErrorsNameTheField(t *testing.T) {
	l := newLife(t)
	invs, ctx := l.client.Invitations, t.Context()
	valid := clerk.CreateInvitationRequest{EmailAddress: address}
	invalid := clerk.CreateInvitationRequest{EmailAddress: address, PublicMetadata: map[string]any{"a": math.NaN()}}
	failure := func(_ any, err error) error { return err }
	all := func(opts ...clerk.AllOption) error {
		for _, err := range invs.All(ctx, clerk.ListInvitationsRequest{}, opts...) {
			return err
		}
		return nil
	}
	for _, test := range []struct {
		field string
		err   error
	}{
		{"email_address", failure(invs.Create(ctx, clerk.CreateInvitationRequest{}))},
		{"email_address", failure(invs.FindPending(ctx, " "))},
		{"public_metadata", failure(invs.Create(ctx, invalid))},
		{"public_metadata", failure(invs.Resend(ctx, testID, invalid))},
		{"limit", failure(invs.List(ctx, clerk.ListInvitationsRequest{Limit: -1}))},
		{"offset", failure(invs.List(ctx, clerk.ListInvitationsRequest{Offset: -1}))},
		{"requests", failure(invs.BulkCreate(ctx, nil))},
		{"requests[1].email_address", failure(invs.BulkCreate(ctx, []clerk.CreateInvitationRequest{valid, {}}))},
		{"invitation_id", failure(invs.Get(ctx, ""))},
		{"invitation_id", failure(invs.Revoke(ctx, "../users"))},
		{"invitation_id", failure(invs.Delete(ctx, ""))},
		{"invitation_id", failure(invs.Resend(ctx, "a/b", valid))},
		{"WithPrefetch", all(clerk.WithPrefetch(-1))},
		{"WithResponse", failure(invs.Create(ctx, valid, clerk.WithResponse(nil)))},
		{"WithAttemptTimeout", failure(invs.Create(ctx, valid, clerk.WithAttemptTimeout(-1)))},
		{"option", failure(invs.Create(ctx, valid, nil))},
		{"secret key", failure(clerk.NewClient("pk_test_dummy"))},
		{"WithBaseURL", failure(clerk.NewClient(testKey, clerk.WithBaseURL("http://example.com")))},
		{"WithHTTPClient", failure(clerk.NewClient(testKey, clerk.WithHTTPClient(nil)))},
		{"WithRetry", failure(clerk.NewClient(testKey, clerk.WithRetry(clerk.RetryConfig{Strategy: "always"})))},
		{"WithHeader", failure(clerk.NewClient(testKey, clerk.WithHeader("Authorization", "x")))},
		{"WithAppName", failure(clerk.NewClient(testKey, clerk.WithAppName("")))},
		{"WithMaxResponseBytes", failure(l.client.With(clerk.WithMaxResponseBytes(0)))},
	} {
		require.ErrorIs(t, test.err, clerk.ErrInvalidRequest, test.field)
		require.NotErrorIs(t, test.err, clerk.ErrNotSent, "calling again would not help")
		input := asError[*clerk.InputError](t, test.err)
		require.Equal(t, test.field, input.Field)
		require.NotEmpty(t, input.Problem)
	}
	require.Empty(t, l.fake.Requests())
}

// TestNonsenseKeyIsNoInvalidRequest has the key function return what cannot be a key.
func TestNonsenseKeyIsNoInvalidRequest(t *testing.T) {
	for _, key := range []string{"", "pk_test_dummy", "nonsense", "sk_test_\n", "sk_test_dummy extra"} {
		for op, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				client, err := clerk.NewClient("", clerk.WithHTTPClient(&http.Client{Transport: answering(reply(200, success[op]))}),
					clerk.WithSecretKeyFunc(func(context.Context) (string, error) { return key, nil }))
				require.NoError(t, err)
				err = call(t.Context(), client)
				require.ErrorIs(t, err, clerk.ErrNotSent)
				require.NotErrorIs(t, err, clerk.ErrInvalidRequest)
				require.NotErrorIs(t, err, clerk.ErrOutcomeUnknown)
				var input *clerk.InputError
				require.NotErrorAs(t, err, &input)
				require.NotContains(t, err.Error(), "nonsense")
			})
		}
	}
}
