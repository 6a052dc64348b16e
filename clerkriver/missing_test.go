package clerkriver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// foreignWords are a part of the reason of a pause because the key may be a wrong one.
const foreignWords = "open invitations. Either the secret key is that of another instance"

// beside returns another process of an app's service, whose requests go to api.
func beside(t *testing.T, a *app, api http.RoundTripper) *app {
	t.Helper()
	b := newApp(t, a.pool.Config().ConnString(), Config{Sync: time.Hour}, api)
	b.timing.listLag = a.timing.listLag
	return b
}

// paused returns why the instance is paused.
func (a *app) paused(t *testing.T) string {
	t.Helper()
	s, err := a.InstanceStatus(t.Context())
	require.NoError(t, err)
	return s.Paused
}

// mustRevoke makes the next run revoke a row's invitation.
func (a *app) mustRevoke(t *testing.T, ref string) {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke = invitation_id, replaces = '', revoke_at = now() WHERE ref = $1", ref)
	require.NoError(t, err)
}

// otherInstance returns a fake of another instance, whose ids are others.
func otherInstance() *clerktest.Fake { return clerktest.New(clerktest.WithRandomIDs()) }

// TestKeyOfAnotherInstancePauses: a process has the key of another instance. It sends and
// revokes nothing, and no row counts as deleted, even if a person resumes too soon.
func TestKeyOfAnotherInstancePauses(t *testing.T) {
	t.Parallel()
	a, _ := invited(t, 40, Config{Sync: time.Hour})
	a.enqueue(t, "lost", to("lost@example.com"))
	interrupted(t, a)
	expire(t, a)
	cancel(t, a, "lost")
	other := otherInstance()
	b := beside(t, a, other)
	var heard recorder
	b.config.OnEvent, b.reporter = heard.hear, "b"
	b.enqueue(t, "summer", to("a@example.com"))
	a.mustRevoke(t, "user_1")
	for range 2 {
		b.work(t)
		require.Equal(t, "Clerk lists none of the 40 open invitations. Either the secret key is that of another instance: "+
			"set the right one, and resume. Or somebody has deleted all of them: delete their campaigns, and resume", b.paused(t))
		b.syncNow(t) // syncs continue
		b.syncNow(t)
		require.NoError(t, b.Resume(t.Context(), nil))
	}
	require.Equal(t, []EventKind{EventRunBegun, EventPaused, EventRunEnded}, heard.heard()[:3])
	for _, req := range other.Requests() {
		require.Equal(t, clerk.OperationList, req.Operation)
	}
	require.Equal(t, map[State]int{StateCreated: 40}, b.counts(t, "spring"))
	require.Equal(t, map[State]int{StateWaiting: 1}, b.counts(t, "summer"))
	require.Equal(t, map[State]int{StateWaiting: 1}, b.counts(t, "lost"))

	for range 3 {
		a.syncNow(t)
	}
	require.Equal(t, map[State]int{StateCreated: 39, StateRevoked: 1}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "lost"))
}

// TestWrongKeyGivesUpNoRevocation: Clerk's 404 would end it.
func TestWrongKeyGivesUpNoRevocation(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 12, Config{Sync: time.Hour})
	a.mustRevoke(t, "user_1")
	beside(t, a, otherInstance()).work(t)
	require.Contains(t, a.paused(t), foreignWords)
	require.NoError(t, a.Resume(t.Context(), nil))
	a.work(t)
	require.Equal(t, statuses{revoked}, links(fake, guest(1)))
}

// TestEveryRunChecksItsKey, with one request, as a process can get another key.
func TestEveryRunChecksItsKey(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 12, Config{Sync: time.Hour})
	var api http.RoundTripper = fake
	b := beside(t, a, roundTrip(func(req *http.Request) (*http.Response, error) { return api.RoundTrip(req) }))
	checks := 0
	count := func() int {
		before := checks
		checks = 0
		for _, req := range fake.Requests() {
			if req.Query.Get("query") != "" {
				checks++
			}
		}
		return checks - before
	}
	for i := range 2 {
		b.enqueue(t, fmt.Sprint("summer ", i), to(fmt.Sprintf("other%d@example.com", i)))
		a.mustRevoke(t, fmt.Sprint("user_", 10+i))
		b.work(t)
		require.Equal(t, map[State]int{StateCreated: 1}, b.counts(t, fmt.Sprint("summer ", i)))
		require.Equal(t, 1, count())
	}
	other := otherInstance()
	api = other
	b.enqueue(t, "autumn", to("a@example.com"))
	b.work(t)
	require.Empty(t, other.Invitations())
	require.Contains(t, b.paused(t), foreignWords)
}

// TestProcessThatTakesOverAtOnceChecksItsKey: lists need not show new invitations yet.
func TestProcessThatTakesOverAtOnceChecksItsKey(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 12, Config{Sync: time.Hour})
	hidden := true
	b := beside(t, a, roundTrip(func(req *http.Request) (*http.Response, error) {
		if hidden && req.URL.Query().Get("query") != "" {
			hidden = false
			return otherInstance().RoundTrip(req)
		}
		return fake.RoundTrip(req)
	}))
	b.timing.listLag = time.Second
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET changed_at = clock_timestamp()")
	require.NoError(t, err)
	b.enqueue(t, "summer", to("a@example.com"))
	b.work(t)
	require.False(t, hidden)
	require.Empty(t, b.paused(t))
	require.Equal(t, map[State]int{StateCreated: 1}, b.counts(t, "summer"))

	other := otherInstance()
	c := beside(t, a, other)
	c.timing.listLag = time.Second
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET changed_at = clock_timestamp()")
	require.NoError(t, err)
	c.enqueue(t, "autumn", to("b@example.com"))
	c.work(t)
	require.Empty(t, other.Invitations())
}

// TestAllInvitationsAreDeleted: a person says so by deleting the campaign.
func TestAllInvitationsAreDeleted(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 12, Config{Sync: time.Minute})
	for _, inv := range fake.Invitations() {
		require.NoError(t, fake.Delete(inv.ID))
	}
	a.enqueue(t, "summer", to("a@example.com"))
	for range 3 {
		a.syncNow(t)
		require.Contains(t, a.paused(t), "Clerk lists none of the 12 "+foreignWords)
		require.NoError(t, a.Resume(t.Context(), nil))
	}
	require.NoError(t, a.Delete(t.Context(), "spring"))
	a.work(t)
	require.Empty(t, a.paused(t))
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
}

// TestDeletedInvitationsPauseNothing if there are fewer than ten, or Clerk lists others of the
// campaigns, in whatever status, or the people were erased.
func TestDeletedInvitationsPauseNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		open    int
		others  func(t *testing.T, a *app, fake *clerktest.Fake, place int)
		deleted int
	}{
		"few":             {9, nil, 9},
		"others are open": {20, func(*testing.T, *app, *clerktest.Fake, int) {}, 19},
		"another one was revoked": {20, func(t *testing.T, a *app, fake *clerktest.Fake, place int) {
			t.Helper()
			assert.NoError(t, fake.Revoke(a.invitationOf(t, "spring", place)))
		}, 19},
		"erased people": {20, nil, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, fake := invited(t, test.open, Config{Sync: time.Minute})
			for place := range test.open {
				switch {
				case place >= test.deleted:
					test.others(t, a, fake, place)
					continue
				case name == "erased people":
					a.erasePerson(t, guest(place))
				}
				require.NoError(t, fake.Delete(a.invitationOf(t, "spring", place)))
			}
			a.enqueue(t, "summer", to("a@example.com"))
			for range 3 {
				a.syncNow(t)
			}
			require.Equal(t, test.deleted, a.counts(t, "spring")[StateDeleted])
			require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
		})
	}
}

// TestRemindersWaitForTheRightKey, even if syncs are off and a person resumes too soon.
func TestRemindersWaitForTheRightKey(t *testing.T) {
	t.Parallel()
	a, _ := invited(t, 12, Config{})
	other := otherInstance()
	b := beside(t, a, other)
	b.config.Sync = -1
	a.mustRemind(t, "spring", "reminder", 12)
	for range 2 {
		b.work(t)
		require.Contains(t, b.paused(t), foreignWords)
		require.NoError(t, b.Resume(t.Context(), nil))
	}
	require.Empty(t, other.Invitations())
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 12}, a.counts(t, "reminder"))
}

// TestSyncChecksTheKey: reminders that are sent after it need no other check.
func TestSyncChecksTheKey(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 2, Config{Sync: time.Hour})
	require.NoError(t, fake.Delete(a.invitationOf(t, "spring", 0)))
	a.mustRemind(t, "spring", "reminder", 2)
	a.syncNow(t)
	require.Equal(t, 2, a.counts(t, "reminder")[StateCreated])
	for _, req := range fake.Requests() {
		require.Empty(t, req.Query.Get("query"))
	}
	require.Zero(t, a.counts(t, "spring")[StateDeleted], "there was one sync")
}

// TestRunInDoubtSendsAfterACompleteListing, in the same run: processes like cron jobs call Work
// once.
func TestRunInDoubtSendsAfterACompleteListing(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 2, Config{Sync: time.Hour})
	require.NoError(t, fake.Delete(a.invitationOf(t, "spring", 0)))
	require.NoError(t, fake.Delete(a.invitationOf(t, "spring", 1)))
	incomplete := true
	api := roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := fake.RoundTrip(req)
		if incomplete && req.URL.Query().Get("query") == "" && req.Method == http.MethodGet {
			resp.Body = io.NopCloser(strings.NewReader(`{"data": [], "total_count": 1}`)) // others were revoked meanwhile
		}
		return resp, err
	})
	a.enqueue(t, "summer", to("a@example.com"))
	beside(t, a, api).work(t)
	require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "summer"))
	incomplete = false
	beside(t, a, api).work(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
}

// TestRunThatLostItsLeasePausesNothing: it has not seen what others have sent since.
func TestRunThatLostItsLeasePausesNothing(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 1, Config{Sync: time.Hour})
	require.NoError(t, fake.Delete(a.invitationOf(t, "spring", 0)))
	stopped := false
	b := beside(t, a, roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := fake.RoundTrip(req)
		if req.URL.Query().Get("status") == "revoked" && !stopped {
			stopped = true // for some minutes
			expire(t, a)
			a.enqueue(t, "summer", guestsFrom(100, 30))
			a.work(t)
			a.syncNow(t)
		}
		return resp, err
	}))
	b.enqueue(t, "autumn", to("a@example.com"))
	_, _ = b.Work(t.Context(), b.client) // it has lost its lease
	require.True(t, stopped)
	require.Equal(t, map[State]int{StateCreated: 30}, a.counts(t, "summer"))
	require.Empty(t, a.paused(t))
}
