package clerktest_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

const firstID = "inv_000000000000000000000000001"

// lists has, for each query, the first letters of the addresses that a list returns. See
// TestList for the invitations.
var lists = map[string]string{
	``:                                     "b d a c",
	`order_by=-created_at`:                 "b d a c",
	`order_by=created_at`:                  "c a d b",
	`order_by=%2Bcreated_at`:               "c a d b",
	`order_by=email_address`:               "a b c d",
	`order_by=-email_address`:              "d c b a",
	`order_by=expires_at`:                  "b d a c",
	`order_by=-expires_at`:                 "c a d b",
	`status=pending`:                       "b d c",
	`status=accepted`:                      "a",
	`status=revoked`:                       "e",
	`status=expired`:                       "",
	`status=accepted&status=revoked`:       "e a",
	`query=B@EXAMPLE.com`:                  "b",
	`query=example`:                        "b d a c",
	`query=` + firstID:                     "c",
	`query=nobody`:                         "",
	`limit=2`:                              "b d",
	`limit=2&offset=3`:                     "c",
	`offset=9`:                             "",
	`email_address=a@example.com&limit=10`: "b d a c", // there is no such filter
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client()
		require.NoError(t, err)
		for i, address := range []string{"c@example.com", "a@example.com", "d@example.com", "b@example.com", "e@example.com"} {
			_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: address, ExpiresInDays: 100 - 10*i})
			require.NoError(t, err)
			if i > 1 { // the first three are created in the same millisecond
				time.Sleep(time.Millisecond)
			}
		}
		all := fake.Invitations()
		require.NoError(t, fake.Accept(all[1].ID))
		_, err = client.Invitations.Revoke(t.Context(), all[4].ID)
		require.NoError(t, err)
		require.Equal(t, firstID, all[0].ID)
		for query, want := range lists {
			_, array := send(t, fake, "GET", "/v1/invitations?"+query, "")
			_, page := send(t, fake, "GET", "/v1/invitations?paginated=true&"+query, "")
			var invs []clerk.Invitation
			var list clerk.InvitationList
			require.NoError(t, json.Unmarshal([]byte(array), &invs))
			require.NoError(t, json.Unmarshal([]byte(page), &list))
			require.Equal(t, want, letters(invs), query)
			require.Equal(t, want, letters(list.Data), query)
			if strings.Contains(query, "limit") || strings.Contains(query, "offset") {
				require.Equal(t, 4, list.TotalCount, query)
			} else {
				require.Len(t, list.Data, list.TotalCount, query)
			}
		}
	})
}

// TestQueryMatchesLikeAScan compares the list by query with a plain scan, for
// addresses whose parts repeat.
func TestQueryMatchesLikeAScan(t *testing.T) {
	fake := clerktest.New()
	for _, address := range []string{
		"a@example.com", "aa@example.com", "ba@example.com", "a@example.org", "x+a@example.com", "team+test@example.com",
		"Ada.Lovelace@Example.com", "lovelace@example.com", "e@example.com", "example.com@a.example",
	} {
		invite(t, fake, address)
	}
	require.NoError(t, fake.Delete(fake.Invitations()[1].ID))
	for _, query := range []string{
		"a@", "a@example.com", "a@EXAMPLE", "@example.com", "lace@example.com", ".lovelace@", "x+a@example.com", "st@e",
		"@", "example.com@a", "com@", "nobody@example.com", "inv_", "lovelace", "a@example.com ",
	} {
		want := 0
		for _, inv := range fake.Invitations() {
			if strings.Contains(strings.ToLower(inv.EmailAddress+"\n"+inv.ID), strings.ToLower(query)) {
				want++
			}
		}
		_, body := send(t, fake, "GET", "/v1/invitations?limit=500&query="+url.QueryEscape(query), "")
		require.Equal(t, want, strings.Count(body, `"id"`), query)
	}
}

// letters returns the first letters of the addresses.
func letters(invs []clerk.Invitation) string {
	firsts := make([]string, len(invs))
	for i, inv := range invs {
		firsts[i] = inv.EmailAddress[:1]
	}
	return strings.Join(firsts, " ")
}
