package clerk_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestResendCreatesThenRevokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
			EmailAddress: address, PublicMetadata: map[string]any{"seat": uint64(1<<64 - 1)},
		})
		require.NoError(t, err)
		inv, err := l.client.Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{ExpiresInDays: 7})
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
		require.Equal(t, address, inv.EmailAddress)
		require.Equal(t, `{"seat":18446744073709551615}`, string(inv.PublicMetadata))
		require.Equal(t, inv.CreatedAt+7*24*3600*1000-2, inv.ExpiresAt)
		require.True(t, l.fake.Invitations()[0].Revoked)

		// Creating fails: nothing changes.
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{ExpiresInDays: 1000})
		require.Equal(t, clerk.CodeFormParamValueInvalid, asClerkErrors(t, err).Errors[0].Code)
		require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{}, once)
		require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
		require.Len(t, l.fake.Invitations(), 2)
		require.False(t, l.fake.Invitations()[1].Revoked)

		// Revoking fails: both links work.
		l.fake.Fail(clerk.OperationRevoke, clerktest.FaultErrorBefore)
		again, err := l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{}, once)
		require.ErrorIs(t, err, clerk.ErrOldNotRevoked)
		require.ErrorContains(t, err, "clerk: Resend: outcome unknown: 500 created "+again.ID+", but did not revoke the old invitation: ")
		require.Equal(t, l.fake.Invitations()[2], *again)
		for _, both := range l.fake.Invitations()[1:] {
			require.Equal(t, clerk.InvitationStatusPending, both.Status)
		}

		// A revoked invitation is re-created.
		_, err = l.client.Invitations.Revoke(t.Context(), inv.ID)
		require.NoError(t, err)
		again, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{})
		require.NoError(t, err)
		require.Equal(t, inv.PublicMetadata, again.PublicMetadata)

		// An invitation that cannot be resent does not change.
		require.NoError(t, l.fake.Accept(again.ID))
		_, err = l.client.Invitations.Resend(t.Context(), again.ID, clerk.CreateInvitationRequest{})
		require.ErrorIs(t, err, clerk.ErrAlreadyAccepted)
		require.EqualError(t, err, "clerk: Resend: the invitation is already accepted", "a list found it: its status and trace are no part of the failure")
		_, err = l.client.Invitations.Resend(t.Context(), "inv_9", clerk.CreateInvitationRequest{})
		require.ErrorIs(t, err, clerk.ErrNotFound)
		_, err = l.client.Invitations.Resend(t.Context(), inv.ID, clerk.CreateInvitationRequest{PublicMetadata: map[string]any{"c": make(chan int)}})
		require.ErrorIs(t, err, clerk.ErrInvalidRequest)
		require.Len(t, l.fake.Invitations(), 4)
	})
}

// TestResendKnowsTheOldInvitation: a Resend follows right after the Create, and its own
// create fails. It must not take the old invitation for the new one, and revoke it.
func TestResendKnowsTheOldInvitation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
		require.NoError(t, err)
		l.fake.Fail(clerk.OperationCreate, clerktest.FaultErrorBefore)
		inv, err := l.client.Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{})
		require.NoError(t, err)
		require.NotEqual(t, old.ID, inv.ID)
		require.Equal(t, clerk.InvitationStatusPending, l.fake.Invitations()[1].Status)
	})
}

// resendFailures returns the failures that half of a Resend may meet.
func resendFailures() map[string]httpmock.Responder {
	all := map[string]httpmock.Responder{"401": reply(401, ``), "hang": hangs, "reset": failing(errors.New("connection reset"))}
	maps.Copy(all, unusable)
	return all
}

// TestResendStrandsNobody: each half of a Resend keeps failing, in every way.
func TestResendStrandsNobody(t *testing.T) {
	for name, answer := range resendFailures() {
		for _, half := range []string{"create", "revoke"} {
			t.Run(name+"/"+half, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					old := l.invite(t, address)
					path := "/v1/invitations"
					if half == "revoke" {
						path += "/" + old.ID + "/revoke"
					}
					start := time.Now()
					inv, err := clientThrough(t, l.fake, failingOn(l.fake, http.MethodPost, path, answer)).
						Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{})
					require.Error(t, err)
					require.LessOrEqual(t, time.Since(start), time.Minute)
					invs := l.fake.Invitations()
					require.Equal(t, clerk.InvitationStatusPending, invs[0].Status, "the old link works")
					if half == "create" {
						require.Len(t, invs, 1)
						require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
						require.Nil(t, inv)
						return
					}
					require.Len(t, invs, 2)
					require.Equal(t, clerk.InvitationStatusPending, invs[1].Status)
					require.ErrorIs(t, err, clerk.ErrOldNotRevoked)
					require.NotNil(t, inv)
					require.Equal(t, invs[1].ID, inv.ID)
					require.ErrorContains(t, err, inv.ID)
				})
			})
		}
	}
}

// TestResendAmongFaults: Resend meets every fault. There is always a link that works.
func TestResendAmongFaults(t *testing.T) {
	for seed := range soakSize(150, 150, 1000) {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{Share: 0.4, Seed: uint64(seed)}))
			l := life{fake, clientOf(t, fake)}
			old, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address})
			if err != nil {
				return
			}
			time.Sleep(time.Hour)
			start := time.Now()
			inv, err := l.client.Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{})
			require.LessOrEqual(t, time.Since(start), time.Minute)
			pending := 0
			for _, one := range fake.Invitations() {
				if one.Status == clerk.InvitationStatusPending {
					pending++
				}
			}
			require.GreaterOrEqual(t, pending, 1, "stranded")
			require.LessOrEqual(t, len(fake.Invitations()), 2, "duplicated")
			switch {
			case err == nil:
				require.Equal(t, 1, pending)
				require.Equal(t, fake.Invitations()[1].ID, inv.ID)
			case errors.Is(err, clerk.ErrOldNotRevoked):
				require.Equal(t, fake.Invitations()[1].ID, inv.ID)
			case len(fake.Invitations()) == 2:
				require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
			}
		})
	}
}

// TestResendRefusesParametersFirst: the parameters cannot be encoded.
func TestResendRefusesParametersFirst(t *testing.T) {
	for name, req := range map[string]clerk.CreateInvitationRequest{
		"a channel": {PublicMetadata: map[string]any{"a": make(chan int)}}, "an infinity": {PublicMetadata: map[string]any{"a": math.Inf(1)}}, "an address": {EmailAddress: "ada\xff@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			_, err := l.client.Invitations.Resend(t.Context(), "inv_1", req)
			require.ErrorIs(t, err, clerk.ErrInvalidRequest)
			require.NotEmpty(t, asError[*clerk.InputError](t, err).Field)
			require.Empty(t, l.fake.Requests())
		})
	}
}

// TestResendIsOneCall: a Resend is canceled, or its deadline ends, between its two halves.
func TestResendIsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old := l.invite(t, address)
		ctx, cancel := context.WithCancel(t.Context())
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := l.fake.RoundTrip(req)
			if req.Method == http.MethodPost {
				cancel()
			}
			return resp, err
		}))
		inv, err := client.Invitations.Resend(ctx, old.ID, clerk.CreateInvitationRequest{})
		require.Len(t, l.fake.Invitations(), 2)
		if err == nil {
			return
		}
		require.ErrorIs(t, err, context.Canceled)
		if inv == nil {
			require.ErrorIs(t, err, clerk.ErrOutcomeUnknown)
		} else {
			require.ErrorIs(t, err, clerk.ErrOldNotRevoked)
		}
	})
}

// TestResendKeepsTheOnlyLink: Clerk returns the existing invitation instead of creating
// another.
func TestResendKeepsTheOnlyLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		old := l.invite(t, address)
		body, err := json.Marshal(old)
		require.NoError(t, err)
		client := clientThrough(t, l.fake, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/invitations") {
				return reply(200, string(body))(req)
			}
			return l.fake.RoundTrip(req)
		}))
		_, err = client.Invitations.Resend(t.Context(), old.ID, clerk.CreateInvitationRequest{})
		require.ErrorIs(t, err, clerk.ErrDuplicateInvitation)
		require.ErrorContains(t, err, "clerk: Resend: Clerk returned the old invitation (")
		require.NotErrorIs(t, err, clerk.ErrOldNotRevoked)
		require.Equal(t, clerk.InvitationStatusPending, l.fake.Invitations()[0].Status)
	})
}
