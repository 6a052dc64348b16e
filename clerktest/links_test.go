package clerktest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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

func TestEmailLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // on 1 January 2000
		fake := clerktest.New(clerktest.WithEmailLimit(2))
		for i := range 4 {
			invite(t, fake, fmt.Sprintf("a%d@example.com", i))
		}
		require.Len(t, fake.Invitations(), 4, "creating succeeds beyond the limit")
		require.Len(t, fake.Sent(), 2)
		invite(t, fake, "a+clerk_test@example.com")
		require.Len(t, fake.Sent(), 3, "test addresses do not count")
		time.Sleep(31 * 24 * time.Hour)
		invite(t, fake, "b@example.com")
		require.Len(t, fake.Sent(), 4)
	})
}

// open opens a link in process, and returns where it redirects to.
func open(t *testing.T, fake *clerktest.Fake, link string) string {
	t.Helper()
	resp, _ := send(t, fake, "GET", link, "", "Authorization", "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
	require.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"))
	return resp.Header.Get("Location")
}

func TestLinksRedirect(t *testing.T) {
	const ticket = "ticket_of_inv_000000000000000000000000001"
	for redirectURL, want := range map[string]string{
		"":                        "/sign-up?__clerk_ticket=" + ticket,
		"https://app.example.com": "https://app.example.com?__clerk_ticket=" + ticket,
		"http://localhost:3000/join?x=1&y=%20#top": "http://localhost:3000/join?x=1&y=%20&__clerk_ticket=" + ticket + "#top",
		"/join":                        "/join?__clerk_ticket=" + ticket,
		"javascript:alert(1)":          "/sign-up?__clerk_ticket=" + ticket,
		"data:text/html,hello":         "/sign-up?__clerk_ticket=" + ticket,
		"//elsewhere.example.com/join": "/sign-up?__clerk_ticket=" + ticket,
		`/\elsewhere.example.com`:      "/sign-up?__clerk_ticket=" + ticket,
		"http:///join":                 "/sign-up?__clerk_ticket=" + ticket,
		"no URL":                       "/sign-up?__clerk_ticket=" + ticket,
		"https://app.example.com/\x7f": "/sign-up?__clerk_ticket=" + ticket,
	} {
		client, fake := clerktest.NewClient(t)
		inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
			EmailAddress: "ada@example.com", RedirectURL: redirectURL,
		})
		require.NoError(t, err)
		require.Equal(t, want, open(t, fake, inv.URL), redirectURL)
		require.Equal(t, clerk.InvitationStatusPending, fake.Invitations()[0].Status, "opening a link accepts nothing")
		require.Empty(t, fake.Users())
		require.Len(t, fake.Requests(), 1, "opening a link is no request of the API")
	}
}

func TestLinksOfInvitationsThatAreNotPendingHaveNoTicket(t *testing.T) {
	for want, end := range map[string]func(*clerktest.Fake, string) error{
		"/sign-up?link=accepted": (*clerktest.Fake).Accept,
		"/sign-up?link=expired":  (*clerktest.Fake).Expire,
		"/sign-up?link=revoked":  (*clerktest.Fake).Revoke,
		"/sign-up?link=unknown":  (*clerktest.Fake).Delete,
	} {
		fake := clerktest.New()
		inv := invite(t, fake, "ada@example.com")
		require.NoError(t, end(fake, inv.ID))
		require.Equal(t, want, open(t, fake, inv.URL))
		_, err := fake.SignUp("ticket_of_" + inv.ID)
		if want == "/sign-up?link=unknown" {
			require.ErrorIs(t, err, clerktest.ErrUnknownTicket)
		} else {
			require.ErrorIs(t, err, clerktest.ErrNotPending)
		}
	}
}

func TestSignUp(t *testing.T) {
	client, fake := clerktest.NewClient(t, clerktest.WithRandomIDs())
	inv, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
		EmailAddress: "Ada@example.com", RedirectURL: "https://app.example.com/join", PublicMetadata: map[string]any{"role": "admin"},
	})
	require.NoError(t, err)
	target, err := url.Parse(open(t, fake, inv.URL))
	require.NoError(t, err)
	user, err := fake.SignUp(target.Query().Get("__clerk_ticket"))
	require.NoError(t, err)
	require.Equal(t, "Ada@example.com", user.EmailAddress)
	require.JSONEq(t, `{"role":"admin"}`, string(user.PublicMetadata))
	require.Regexp(t, `^user_\w{27}$`, user.ID)
	require.Equal(t, []clerktest.User{user}, fake.Users())
	require.Equal(t, clerk.InvitationStatusAccepted, fake.Invitations()[0].Status)
}

func TestRemoveUser(t *testing.T) {
	client, fake := clerktest.NewClient(t)
	fake.AddUser("ada@example.com")
	_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "Ada@example.com"})
	require.ErrorIs(t, err, clerk.ErrUserExists)
	require.True(t, fake.RemoveUser("ADA@example.com"))
	require.False(t, fake.RemoveUser("ada@example.com"))
	_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "Ada@example.com"})
	require.NoError(t, err)
}

func TestServeSetsWhereLinksLead(t *testing.T) {
	fake := clerktest.New()
	inv := invite(t, fake, "ada@example.com")
	baseURL, stop := fake.Serve()
	defer stop()
	require.Equal(t, baseURL+"/tickets/accept?ticket=ticket_of_"+inv.ID, fake.Sent()[0].Link)
	resp, _ := send(t, http.DefaultTransport, "GET", fake.Sent()[0].Link, "")
	require.Equal(t, http.StatusFound, resp.StatusCode)
}
