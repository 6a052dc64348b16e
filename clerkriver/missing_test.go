package clerkriver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestKeyOfAnotherInstancePauses: a new process has the key of another instance. It sends and
// revokes nothing, and no row counts as deleted, until the key is right and a person resumes.
func TestKeyOfAnotherInstancePauses(t *testing.T) {
	t.Parallel()
	a, _ := invited(t, 40, Config{Sync: time.Hour})
	other := clerktest.New()
	var heard recorder
	b := newApp(t, a.pool.Config().ConnString(), Config{Sync: time.Hour, OnEvent: heard.hear}, other)
	b.timing.listLag = a.timing.listLag
	b.enqueue(t, "summer", to("a@example.com"))
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke = invitation_id, replaces = '', revoke_at = now() WHERE ref = 'user_1'")
	require.NoError(t, err)
	b.work(t)
	s, err := b.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, "Clerk's lists lack 40 of 40 open invitations. Either the secret key is that of another instance: set the right one, "+
		"then resume. Or somebody has deleted them: resume, and the next sync records it", s.Paused)
	require.Empty(t, s.Problem)
	require.Equal(t, []EventKind{EventRunBegun, EventPaused, EventRunEnded}, heard.heard())
	for range 3 { // syncs continue
		b.syncNow(t)
	}
	require.Len(t, other.Requests(), sent(other, clerk.OperationList))
	require.Equal(t, map[State]int{StateCreated: 40}, b.counts(t, "spring"))
	require.Equal(t, map[State]int{StateWaiting: 1}, b.counts(t, "summer"))

	require.NoError(t, a.Resume(t.Context(), nil))
	for range 3 {
		a.syncNow(t)
	}
	require.Equal(t, map[State]int{StateCreated: 39, StateRevoked: 1}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
}

// TestMostInvitationsAreDeleted: a person says so by Resume.
func TestMostInvitationsAreDeleted(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 20, Config{Sync: time.Minute})
	for place := range 12 {
		require.NoError(t, fake.Delete(a.invitationOf(t, "spring", place)))
	}
	for range 3 {
		a.syncNow(t)
		s, err := a.InstanceStatus(t.Context())
		require.NoError(t, err)
		require.Contains(t, s.Paused, "Clerk's lists lack 12 of 20 open invitations")
	}
	require.NoError(t, a.Resume(t.Context(), nil))
	a.syncNow(t)
	require.Equal(t, map[State]int{StateCreated: 8, StateDeleted: 12}, a.counts(t, "spring"))
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Empty(t, s.Paused)
}

// TestPersonsPauseDecidesNothing: whoever resumes may not know that the key is a wrong one.
func TestPersonsPauseDecidesNothing(t *testing.T) {
	t.Parallel()
	a, _ := invited(t, 15, Config{Sync: time.Minute})
	require.NoError(t, a.Pause(t.Context(), "lunch"))
	var err error
	right := a.client
	a.client, err = a.NewClient(clerktest.SecretKey, clerktest.New())
	require.NoError(t, err)
	for range 3 {
		a.syncNow(t)
	}
	require.NoError(t, a.Resume(t.Context(), nil))
	a.syncNow(t)
	require.Equal(t, map[State]int{StateCreated: 15}, a.counts(t, "spring"))
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	require.Contains(t, s.Paused, "Clerk's lists lack 15 of 15 open invitations")
	require.NoError(t, a.Resume(t.Context(), nil))
	a.client = right
	a.syncNow(t)
	a.syncNow(t)
	require.Equal(t, map[State]int{StateCreated: 15}, a.counts(t, "spring"))
}

// TestFewMissingInvitationsPauseNothing: fewer than ten, or not most of them.
func TestFewMissingInvitationsPauseNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ open, deleted int }{{9, 9}, {24, 12}} {
		a, fake := invited(t, c.open, Config{Sync: time.Minute})
		for place := range c.deleted {
			require.NoError(t, fake.Delete(a.invitationOf(t, "spring", place)))
		}
		a.syncNow(t)
		a.syncNow(t)
		require.Equal(t, c.deleted, a.counts(t, "spring")[StateDeleted])
	}
}

// TestProcessChecksItsKeyOnce, with one request.
func TestProcessChecksItsKeyOnce(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 1, Config{Sync: time.Hour})
	b := newApp(t, a.pool.Config().ConnString(), Config{Sync: time.Hour}, fake)
	b.timing.listLag = a.timing.listLag
	for i := range 3 {
		b.enqueue(t, fmt.Sprint("summer ", i), to(fmt.Sprintf("other%d@example.com", i)))
		b.work(t)
		require.Equal(t, map[State]int{StateCreated: 1}, b.counts(t, fmt.Sprint("summer ", i)))
	}
	checks := slices.DeleteFunc(fake.Requests(), func(req clerktest.Request) bool { return req.Query.Get("query") == "" })
	require.Len(t, checks, 1)
	require.Equal(t, guest(0), checks[0].Query.Get("query"))
}
