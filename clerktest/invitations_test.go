package clerktest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestCreatedInvitationIsAsClerkReturnsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client()
		require.NoError(t, err)
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.NoError(t, err)
		const id = "inv_000000000000000000000000001"
		created := clerk.UnixMilli(time.Now().UnixMilli())
		want := clerk.Invitation{
			Object: "invitation", ID: id, EmailAddress: "ada@example.com", PublicMetadata: json.RawMessage(`{}`),
			Status: clerk.InvitationStatusPending, URL: "https://clerk.example.com/v1/tickets/accept?ticket=ticket_of_" + id,
			ExpiresAt: created + 30*24*3600*1000 - 2, CreatedAt: created, UpdatedAt: created,
		}
		require.Equal(t, want, *inv)
		require.Equal(t, []clerk.Invitation{want}, fake.Invitations())

		time.Sleep(526 * time.Millisecond)
		inv, err = client.Invitations.Revoke(t.Context(), inv.ID)
		require.NoError(t, err)
		want.Status, want.Revoked, want.URL, want.UpdatedAt = clerk.InvitationStatusRevoked, true, "", created+526
		require.Equal(t, want, *inv)

		inv, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
			EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"a": uint64(1<<64 - 1)}, ExpiresInDays: 1,
		})
		require.NoError(t, err, "the address of a revoked invitation can be invited")
		require.Equal(t, `{"a":18446744073709551615}`, string(inv.PublicMetadata))
		require.Equal(t, inv.CreatedAt+24*3600*1000-2, inv.ExpiresAt)
	})
}

func TestIgnoreExisting(t *testing.T) {
	fake := clerktest.New()
	fake.AddUser("user@example.com")
	invite(t, fake, "ada@example.com")
	client, err := fake.Client()
	require.NoError(t, err)
	for _, address := range []string{"ada@example.com", "user@example.com"} {
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, IgnoreExisting: true})
		require.NoError(t, err)
	}
	_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
		{EmailAddress: "ada@example.com", IgnoreExisting: true}, {EmailAddress: "new@example.com"},
	})
	require.NoError(t, err)
	require.Len(t, fake.Invitations(), 5)
}

func TestInvitationsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		status := func() clerk.InvitationStatus { return fake.Invitations()[0].Status }
		first := invite(t, fake, "ada@example.com")
		time.Sleep(30*24*time.Hour - 3*time.Millisecond)
		require.Equal(t, clerk.InvitationStatusPending, status())
		time.Sleep(time.Millisecond)
		require.Equal(t, clerk.InvitationStatusExpired, status())
		require.ErrorContains(t, fake.Accept(first.ID), "is expired")

		second := invite(t, fake, "ada@example.com") // the address of an expired one can be invited
		require.NoError(t, fake.Expire(second.ID))
		require.Equal(t, clerk.InvitationStatusExpired, fake.Invitations()[1].Status)
		require.ErrorContains(t, fake.Expire(second.ID), "is expired")
		require.ErrorContains(t, fake.Expire("inv_9"), "no invitation")
	})
}

func TestDelete(t *testing.T) {
	client, fake := clerktest.NewClient(t)
	for status, change := range map[clerk.InvitationStatus]func(string) error{
		clerk.InvitationStatusPending:  func(string) error { return nil },
		clerk.InvitationStatusAccepted: fake.Accept,
		clerk.InvitationStatusExpired:  fake.Expire,
		clerk.InvitationStatusRevoked:  fake.Revoke,
	} {
		address := string(status) + "@example.com"
		inv := invite(t, fake, address)
		require.NoError(t, change(inv.ID))
		resp, body := send(t, fake, "DELETE", "/v1/invitations/"+inv.ID, "")
		require.Equal(t, 200, resp.StatusCode)
		require.JSONEq(t, `{"object":"invitation","id":"`+inv.ID+`","deleted":true}`, body)
		resp, body = send(t, fake, "DELETE", "/v1/invitations/"+inv.ID, "")
		require.Equal(t, 404, resp.StatusCode)
		require.Contains(t, body, "resource_not_found")
		_, err := client.Invitations.Revoke(t.Context(), inv.ID)
		require.ErrorIs(t, err, clerk.ErrNotFound)
		require.Empty(t, fake.Invitations())
	}
	require.Len(t, fake.Users(), 1, "deleting an accepted invitation keeps its user")
	invite(t, fake, "pending@example.com") // which can be invited again
	log := fake.Requests()
	require.Equal(t, clerk.OperationDelete, log[1].Operation)
}

func TestRevokeAndDeleteInTheDashboard(t *testing.T) {
	fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
		Share: 1, Operations: []clerk.Operation{clerk.OperationRevoke, clerk.OperationDelete},
	}))
	inv := invite(t, fake, "ada@example.com")
	require.NoError(t, fake.Revoke(inv.ID))
	require.EqualError(t, fake.Revoke(inv.ID),
		"clerktest: invitation "+inv.ID+": invitation_already_revoked: Invitation is already revoked")
	require.NoError(t, fake.Delete(inv.ID))
	require.ErrorContains(t, fake.Delete(inv.ID), "resource_not_found")
	require.Len(t, fake.Requests(), 1)
}

func TestConcurrentUse(t *testing.T) {
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
	client, err := fake.Client()
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for j := range 5 {
				inv, err := client.Invitations.Create(context.Background(), clerk.CreateInvitationRequest{EmailAddress: fmt.Sprintf("a%d.%d@example.com", i, j)})
				if err != nil {
					t.Error(err)
					return
				}
				switch j % 3 {
				case 0:
					err = fake.Accept(inv.ID)
				case 1:
					err = fake.Expire(inv.ID)
				default:
					_, err = client.Invitations.Revoke(context.Background(), inv.ID)
				}
				if err != nil {
					t.Error(err)
				}
				_, _ = fake.Invitations(), fake.Requests()
			}
		})
	}
	group.Wait()
	require.Len(t, fake.Invitations(), 80)
}
