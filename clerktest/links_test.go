package clerktest_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

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
