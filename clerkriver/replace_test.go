package clerkriver

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestReminderFindsWhatAKilledRunSent: nobody is reminded twice, whatever has happened to the
// new invitation.
func TestReminderFindsWhatAKilledRunSent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		act    func(fake *clerktest.Fake, id string) error
		cancel bool
		want   statuses
		counts map[State]int
	}{
		"open":      {nil, false, statuses{revoked, pending}, map[State]int{StateCreated: 12}},
		"accepted":  {(*clerktest.Fake).Accept, false, statuses{revoked, accepted}, map[State]int{StateCreated: 11, StateAccepted: 1}},
		"revoked":   {(*clerktest.Fake).Revoke, false, statuses{revoked, revoked}, map[State]int{StateCreated: 11, StateRevoked: 1}},
		"cancelled": {nil, true, statuses{revoked, pending}, map[State]int{StateCreated: 1, StateCancelled: 11}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, fake := invited(t, 12, Config{})
			a.mustRemind(t, "spring", "reminder", 12)
			interrupted(t, a)
			require.Equal(t, statuses{pending, pending}, links(fake, guest(0)))
			if test.act != nil {
				require.NoError(t, test.act(fake, fake.Invitations()[12].ID))
			}
			if test.cancel {
				cancel(t, a, "reminder")
			}
			expire(t, a)
			a.work(t)
			a.work(t)
			require.Equal(t, test.counts, a.counts(t, "reminder"))
			require.Equal(t, test.want, links(fake, guest(0)))
			if !test.cancel {
				require.Len(t, fake.Sent(), 24)
			}
		})
	}
}

// through makes the app send through a function.
func (a *app) through(t *testing.T, api roundTrip) {
	t.Helper()
	var err error
	a.client, err = a.NewClient(clerktest.SecretKey, api, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.NoError(t, err)
}

func isRevocation(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/revoke") }

// TestOldInvitationIsRevokedLater: after a failure, both links work until a later run. An
// invitation that cannot be revoked does not hold up the others.
func TestOldInvitationIsRevokedLater(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 5, Config{})
	a.mustRemind(t, "spring", "reminder", 5)
	failing := map[string]bool{}
	for _, inv := range fake.Invitations() {
		failing[inv.ID] = true
	}
	a.through(t, func(req *http.Request) (*http.Response, error) {
		if isRevocation(req) && failing[path.Base(path.Dir(req.URL.Path))] {
			return nil, errors.New("the network is down")
		}
		return fake.RoundTrip(req)
	})
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 5}, a.counts(t, "reminder"))
	require.Equal(t, statuses{pending, pending}, links(fake, guest(4)))
	first := fake.Invitations()[0].ID
	clear(failing)
	failing[first] = true
	var pause time.Duration
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT min(revoke_at) - now() FROM clerkriver_rows").Scan(&pause))
	require.Positive(t, pause)
	a.enqueue(t, "summer", to("other@example.com"))
	for range 3 {
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke_at = now() WHERE revoke_at IS NOT NULL")
		require.NoError(t, err)
		_, _ = a.Work(t.Context(), a.client)
	}
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
	require.Equal(t, statuses{pending, pending}, links(fake, guest(0)))
	for place := 1; place < 5; place++ {
		require.Equal(t, statuses{revoked, pending}, links(fake, guest(place)))
	}
	clear(failing)
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke_at = now() WHERE revoke_at IS NOT NULL")
	require.NoError(t, err)
	require.Zero(t, a.work(t))
	require.Equal(t, statuses{revoked, pending}, links(fake, guest(0)))
}

// TestOldInvitationAcceptedMeanwhile: the row has ended, and the new invitation is revoked,
// even if the run is killed in between.
func TestOldInvitationAcceptedMeanwhile(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 2, Config{OnChange: heardChanges})
	newChangesTable(t, a)
	a.mustRemind(t, "spring", "reminder", 2)
	old, other := a.invitationOf(t, "spring", 0), a.invitationOf(t, "spring", 1)
	var accepts sync.Once
	var fails atomic.Bool // to revoke the new one, once
	fails.Store(true)
	a.through(t, func(req *http.Request) (*http.Response, error) {
		switch id := path.Base(path.Dir(req.URL.Path)); {
		case !isRevocation(req):
		case id == old:
			accepts.Do(func() { require.NoError(t, fake.Accept(old)) })
		case id != other && fails.Swap(false):
			return nil, errors.New("the network is down")
		}
		return fake.RoundTrip(req)
	})
	_, _ = a.Work(t.Context(), a.client)
	require.Equal(t, statuses{accepted, pending}, links(fake, guest(0)))
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke_at = now() WHERE revoke_at IS NOT NULL")
	require.NoError(t, err)
	a.work(t)
	require.Equal(t, statuses{accepted, revoked}, links(fake, guest(0)))
	require.Equal(t, statuses{revoked, pending}, links(fake, guest(1)))
	require.Equal(t, map[State]int{StateCreated: 1, StateAccepted: 1}, a.counts(t, "reminder"))
	a.timing.listLag = 0
	a.config.Sync = time.Minute
	a.syncNow(t)
	require.Equal(t, map[State]int{StateRevoked: 1, StateAccepted: 1}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateCreated: 1, StateAccepted: 1}, a.counts(t, "reminder"))
	require.Equal(t, map[int][]State{0: {StateAccepted}}, a.changes(t, "reminder"))
	require.Empty(t, a.changes(t, "spring"), "it is one acceptance")
	require.True(t, fake.Invitations()[0].UpdatedAt.Time().Equal(a.all(t, "reminder")[0].BecameAt))
}

// TestAcceptanceFoundBeforeTheOldInvitationIsRevoked is told for the old row alone.
func TestAcceptanceFoundBeforeTheOldInvitationIsRevoked(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 1, Config{OnChange: heardChanges})
	newChangesTable(t, a)
	a.mustRemind(t, "spring", "reminder", 1)
	a.through(t, func(req *http.Request) (*http.Response, error) {
		if isRevocation(req) {
			return nil, errors.New("the network is down")
		}
		return fake.RoundTrip(req)
	})
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke_at = 'infinity' WHERE revoke_at IS NOT NULL")
	require.NoError(t, err)
	a.config.Sync = time.Minute
	a.syncNow(t)
	require.Equal(t, map[int][]State{0: {StateAccepted}}, a.changes(t, "spring"))
	a.through(t, fake.RoundTrip)
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET revoke_at = now() WHERE revoke_at IS NOT NULL")
	require.NoError(t, err)
	a.work(t)
	require.Equal(t, map[State]int{StateAccepted: 1}, a.counts(t, "reminder"))
	require.Empty(t, a.changes(t, "reminder"))
}

// TestWhatBecomesOfReplacedInvitationsIsNotTold: a table with a row for each person would
// say that those who have just been reminded have no invitation.
func TestWhatBecomesOfReplacedInvitationsIsNotTold(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 4, Config{OnChange: heardChanges})
	newChangesTable(t, a)
	a.mustRemind(t, "spring", "reminder", 4)
	isKept := map[string]bool{a.invitationOf(t, "spring", 2): true, a.invitationOf(t, "spring", 3): true}
	a.through(t, func(req *http.Request) (*http.Response, error) {
		if isRevocation(req) && isKept[path.Base(path.Dir(req.URL.Path))] {
			return clerktest.New().RoundTrip(req) // which does not know it
		}
		return fake.RoundTrip(req)
	})
	a.work(t)
	require.NoError(t, fake.Expire(a.invitationOf(t, "spring", 2)))
	require.NoError(t, fake.Delete(a.invitationOf(t, "spring", 3)))
	require.NoError(t, fake.Accept(a.invitationOf(t, "reminder", 0)))
	require.NoError(t, fake.Revoke(a.invitationOf(t, "reminder", 1)))
	a.timing.listLag = 0
	a.config.Sync = time.Minute
	for range 3 {
		a.syncNow(t)
	}
	require.Equal(t, map[State]int{StateRevoked: 2, StateExpired: 1, StateDeleted: 1}, a.counts(t, "spring"))
	spring, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, 2, spring.Replaced, "a part of the revoked rows")
	require.Equal(t, map[State]int{StateAccepted: 1, StateRevoked: 1, StateCreated: 2}, a.counts(t, "reminder"))
	require.Empty(t, a.changes(t, "spring"))
	require.Equal(t, map[int][]State{0: {StateAccepted}, 1: {StateRevoked}}, a.changes(t, "reminder"))
}

// TestReplacedInvitationsAreCounted: what a reminder has revoked can be told from what somebody
// has revoked. They count once among the rows that have an outcome.
func TestReplacedInvitationsAreCounted(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 4, Config{})
	require.NoError(t, fake.Revoke(a.invitationOf(t, "spring", 0)))
	a.mustRemind(t, "spring", "reminder", 4)
	a.work(t)
	a.timing.listLag = 0
	a.config.Sync = time.Minute
	require.NoError(t, fake.Accept(a.invitationOf(t, "reminder", 1)))
	a.syncNow(t)
	a.syncNow(t)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, map[State]int{StateRevoked: 4}, s.Counts)
	require.Equal(t, 3, s.Replaced)
	require.Equal(t, "spring, 4 rows: 4 revoked (3 for a reminder)", s.String())
	for _, result := range a.all(t, "spring") {
		require.Equal(t, result.Place > 0, result.Replaced)
	}
	s, err = a.Status(t.Context(), "reminder")
	require.NoError(t, err)
	require.Zero(t, s.Replaced)
	for _, result := range a.all(t, "reminder") {
		require.False(t, result.Replaced)
	}
	var id, ahead int64
	require.NoError(t, a.pool.QueryRow(t.Context(),
		"UPDATE clerkriver_campaigns SET finished_at = NULL, total = 10 WHERE name = 'spring' RETURNING id").Scan(&id))
	require.NoError(t, a.pool.QueryRow(t.Context(), a.sql(queryAhead), a.config.Instance, 0, id).Scan(&ahead))
	require.EqualValues(t, 6, ahead)
}

// TestReminderWhateverIgnoreExistingDoes: Clerk documents that it creates another invitation.
// Nobody is left without a link otherwise.
func TestReminderWhateverIgnoreExistingDoes(t *testing.T) {
	t.Parallel()
	for effect, want := range map[clerktest.IgnoreExisting]statuses{
		clerktest.IgnoreExistingReturns:  {pending},
		clerktest.IgnoreExistingReplaces: {revoked, pending},
		clerktest.IgnoreExistingRefused:  {pending},
	} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			a, fake := invited(t, 12, Config{}, clerktest.WithBehavior(clerktest.Behavior{IgnoreExisting: effect}))
			a.mustRemind(t, "spring", "reminder", 12)
			for range 2 {
				a.work(t)
			}
			state := StateAlreadyInvited
			if effect == clerktest.IgnoreExistingReplaces {
				state = StateCreated
			}
			require.Equal(t, map[State]int{state: 12}, a.counts(t, "reminder"))
			for place := range 12 {
				require.Equal(t, want, links(fake, guest(place)))
			}
		})
	}
}
