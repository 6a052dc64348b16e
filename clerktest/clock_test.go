package clerktest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestEventsOfTheSameTimeHappenInOrder accepts and revokes an invitation at the same time.
func TestEventsOfTheSameTimeHappenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		at := time.Now().Add(time.Hour)
		first, second := invite(t, fake, "ada@example.com"), invite(t, fake, "bob@example.com")
		require.NoError(t, fake.AcceptAt(first.ID, at))
		require.NoError(t, fake.RevokeAt(first.ID, at))
		require.NoError(t, fake.RevokeAt(second.ID, at))
		require.NoError(t, fake.AcceptAt(second.ID, at))
		time.Sleep(time.Hour)
		require.Equal(t, "accepted revoked", statuses(fake))
	})
}

// TestRequestsMeetChangesThatAreDue lists and revokes after an acceptance was due.
func TestRequestsMeetChangesThatAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		inv := invite(t, fake, "ada@example.com")
		require.NoError(t, fake.AcceptAt(inv.ID, time.Now().Add(time.Hour)))
		time.Sleep(time.Hour)
		_, listed := send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, 1, strings.Count(listed, `"accepted"`))
		_, refused := send(t, fake, "POST", "/v1/invitations/"+inv.ID+"/revoke", "")
		require.Contains(t, refused, "invitation_already_accepted")
	})
}
