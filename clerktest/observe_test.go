package clerktest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestRequests(t *testing.T) {
	fake := clerktest.New()
	invite(t, fake, "ada@example.com")
	send(t, fake, "GET", "/v1/invitations?limit=3", "", "X-Team", "one")
	send(t, fake, "GET", "/v2/else", "")
	log := fake.Requests()
	require.Len(t, log, 3)
	require.WithinDuration(t, time.Now(), log[0].Time, time.Minute)
	require.Equal(t, clerk.OperationCreate, log[0].Operation)
	require.Equal(t, "POST /v1/invitations 200", fmt.Sprint(log[0].Method, " ", log[0].Path, " ", log[0].Status))
	require.JSONEq(t, `{"email_address":"ada@example.com"}`, string(log[0].Body))
	require.NotContains(t, log[0].Header, "Authorization")
	require.Equal(t, clerk.OperationList, log[1].Operation)
	require.Equal(t, "3", log[1].Query.Get("limit"))
	require.Equal(t, "one", log[1].Header.Get("X-Team"))
	require.Empty(t, log[2].Operation)
	require.Equal(t, 404, log[2].Status)
}

func TestRequestsAndInvitationsAreCopies(t *testing.T) {
	client, fake := clerktest.NewClient(t)
	_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"role": "admin"},
	})
	require.NoError(t, err)
	send(t, fake, "GET", "/v1/invitations?limit=3", "", "X-Team", "one")
	fake.AddUser("grace@example.com")
	change := func() {
		requests, invitations, users := fake.Requests(), fake.Invitations(), fake.Users()
		requests[0].Body[0] = 'x'
		requests[1].Query["limit"][0] = "4"
		requests[1].Query.Set("own", "1")
		requests[1].Header["X-Team"][0] = "two"
		invitations[0].PublicMetadata[0] = 'x'
		users[0].PublicMetadata[0] = 'x'
		fake.State(clerktest.Filter{Limit: 1}).Invitations[0].PublicMetadata[0] = 'x'
	}
	requests, invitations, users := fake.Requests(), fake.Invitations(), fake.Users()
	change()
	require.Equal(t, requests, fake.Requests())
	require.Equal(t, invitations, fake.Invitations())
	require.Equal(t, users, fake.Users())
}

func TestSent(t *testing.T) {
	client, fake := clerktest.NewClient(t, clerktest.WithLinkBase("http://localhost:8080/"))
	inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", RedirectURL: "https://app.example.com/join", TemplateSlug: clerk.TemplateSlugWaitlistInvitation,
	})
	require.NoError(t, err)
	_, err = client.Invitations.BulkCreate(t.Context(), []clerk.CreateInvitationRequest{
		{EmailAddress: "quiet@example.com", Notify: new(false)}, {EmailAddress: "grace@example.com", Notify: new(true)},
	})
	require.NoError(t, err)
	sent := fake.Sent()
	require.Len(t, sent, 2)
	require.Equal(t, clerktest.Email{
		Time: inv.CreatedAt, InvitationID: inv.ID, EmailAddress: "ada@example.com", RedirectURL: "https://app.example.com/join",
		TemplateSlug: clerk.TemplateSlugWaitlistInvitation, Notify: true, Link: inv.URL,
	}, sent[0])
	require.Equal(t, "http://localhost:8080/v1/tickets/accept?ticket=ticket_of_"+inv.ID, inv.URL)
	require.Equal(t, clerk.TemplateSlugInvitation, sent[1].TemplateSlug)

	require.NoError(t, fake.Delete(inv.ID))
	require.Len(t, fake.Sent(), 1, "deleting an invitation deletes its email")
}

func TestSentTo(t *testing.T) {
	fake := clerktest.New()
	client, err := fake.Client()
	require.NoError(t, err)
	first := invite(t, fake, "ada@example.com")
	invite(t, fake, "grace@example.com")
	require.NoError(t, fake.Revoke(first.ID))
	second := invite(t, fake, "Ada@example.com")
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
		EmailAddress: "ada@example.com", Notify: new(false), IgnoreExisting: true,
	})
	require.NoError(t, err)
	sent := fake.SentTo("ADA@example.com")
	require.Equal(t, []string{first.ID, second.ID}, []string{sent[0].InvitationID, sent[1].InvitationID})
	require.Len(t, sent, 2)
	require.Equal(t, second.URL, sent[1].Link)
	require.Empty(t, fake.SentTo("da@example.com"))
	require.NoError(t, fake.Delete(first.ID))
	require.Len(t, fake.SentTo("ada@example.com"), 1)
}
