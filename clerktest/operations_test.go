package clerktest_test

import (
	"encoding/json"
	"strings"
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
	invite(t, fake, "pending@example.com") // the address can be invited again
	log := fake.Requests()
	require.Equal(t, clerk.OperationDelete, log[1].Operation)
}

func TestMetadataIsStoredWithoutSpaces(t *testing.T) {
	fake := clerktest.New()
	send(t, fake, "POST", "/v1/invitations", `{"email_address":"ada@example.com","public_metadata": {"a" : [ 1,`+strings.Repeat(" ", 1<<19)+`"b c"]}}`)
	const want = `{"a":[1,"b c"]}`
	got := fake.Invitations()[0].PublicMetadata
	require.Len(t, got, len(want))
	require.JSONEq(t, want, string(got))
}
