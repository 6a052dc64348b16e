package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// erasePerson erases an address in its own transaction.
func (a *app) erasePerson(t *testing.T, address string) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { return a.ErasePersonTx(t.Context(), tx, address) }))
}

// requireErased checks that no table of this package has the text.
func (a *app) requireErased(t *testing.T, text string) {
	t.Helper()
	for _, table := range []string{"campaigns", "rows", "counts", "slots", "untold", "erasures", "excluded", "instances"} {
		var n int
		require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM clerkriver_"+table+" x WHERE x::text LIKE $1", "%"+text+"%").Scan(&n))
		require.Zero(t, n, table)
	}
}

func TestErasedPersonIsNotSent(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", to(guest(0), guest(1)))
	a.work(t)
	a.enqueue(t, "summer", to(guest(2), "Guest0@example.com", guest(3)))
	a.erasePerson(t, " GUEST0@example.com")
	a.erasePerson(t, "nobody@example.com")
	a.requireErased(t, "uest0")
	require.Equal(t, map[State]int{StateCreated: 2}, a.counts(t, "spring"), "the outcome stays")
	first := a.all(t, "spring")[0]
	require.NotEmpty(t, first.InvitationID)
	require.Empty(t, first.EmailAddress+first.Ref)
	require.Equal(t, map[State]int{StateErased: 1, StateWaiting: 2}, a.counts(t, "summer"))
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateErased: 1, StateCreated: 2}, a.counts(t, "summer"))
	require.Len(t, fake.Sent(), 4)
	a.erasePerson(t, guest(0))
	a.enqueue(t, "autumn", to(guest(0)))
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateAlreadyInvited: 1}, a.counts(t, "autumn"), "it is sent to again")
}

// TestPersonErasedWhileSending: rows that a run has taken are not sent after the request under
// way. They are erased when the run ends.
func TestPersonErasedWhileSending(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var a *app
	posts := 0
	a = newApp(t, shared.database(t), Config{Budget: clerk.Budget{Creates: 1000, Window: time.Minute}},
		roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				if posts++; posts == 2 {
					a.erasePerson(t, guest(1))
					a.erasePerson(t, guest(4))
				}
			}
			return fake.RoundTrip(req)
		}))
	a.enqueue(t, "spring", guests(6))
	a.work(t)
	a.requireErased(t, guest(1))
	a.requireErased(t, guest(4))
	a.work(t)
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 5, StateErased: 1}, a.counts(t, "spring"))
	require.Empty(t, fake.SentTo(guest(4)))
	require.Equal(t, StateCreated, a.all(t, "spring")[1].State, "its request was under way")
}

// TestErasedPersonIsNotTold: what becomes of an erased person's invitation is recorded. Without
// the Ref, OnResult and OnChange could only fail, again and again.
func TestErasedPersonIsNotTold(t *testing.T) {
	t.Parallel()
	var heard []string
	refuse := func(result Result) error {
		heard = append(heard, fmt.Sprintf("%s %q", result.State, result.Ref))
		return errors.New("no such member")
	}
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{
		Sync: time.Minute, Wake: time.Minute,
		OnResult: func(_ context.Context, _ pgx.Tx, result Result) error { return refuse(result) },
		OnChange: func(_ context.Context, _ pgx.Tx, change Change) error { return refuse(change.Result) },
	}, fake)
	a.enqueue(t, "spring", guests(3))
	a.work(t)
	require.Equal(t, []string{`created "user_0"`, `created "user_1"`, `created "user_2"`}, heard)
	require.Equal(t, 3, a.untold(t, "spring"))
	a.erasePerson(t, guest(0))
	require.Equal(t, 2, a.untold(t, "spring"), "its result is not told anymore")

	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 1)))
	heard = nil
	a.syncNow(t)
	require.Equal(t, []string{`accepted "user_1"`}, heard)
	require.Equal(t, map[State]int{StateAccepted: 2, StateCreated: 1}, a.counts(t, "spring"))
	require.Equal(t, 3, a.untold(t, "spring"))
	a.erasePerson(t, guest(1))
	require.Equal(t, 1, a.untold(t, "spring"), "its result and its change are not told anymore")
	require.Equal(t, map[State]int{StateAccepted: 2, StateCreated: 1}, a.counts(t, "spring"))

	// The change is recorded while the person is erased, and OnChange fails.
	id, err := a.campaign(t.Context(), a.pool, "spring")
	require.NoError(t, err)
	_, err = a.pool.Exec(t.Context(), a.sql(queryAddUntold), id, 1, 1, "default", "accepted", time.Now(), time.Now(), time.Duration(0), "", 0)
	require.NoError(t, err)
	require.Equal(t, 2, a.untold(t, "spring"))
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_rows SET tell_at = 'epoch' WHERE tell_at IS NOT NULL")
	require.NoError(t, err)
	heard = nil
	a.work(t)
	require.Equal(t, []string{`created "user_2"`}, heard)
	require.Equal(t, 1, a.untold(t, "spring"))
}

// untold returns how many results and changes of a campaign were not told.
func (a *app) untold(t *testing.T, campaign string) int {
	t.Helper()
	s, err := a.Status(t.Context(), campaign)
	require.NoError(t, err)
	return s.Untold
}

// TestErasedWhileSendingIsNotToldAgain: OnResult gets the result before the row is erased. If it
// fails, perhaps as the caller has erased the person, too, the result is not told again.
func TestErasedWhileSendingIsNotToldAgain(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var heard []string
	var a *app
	a = newApp(t, shared.database(t), Config{OnResult: func(_ context.Context, _ pgx.Tx, result Result) error {
		heard = append(heard, result.Ref)
		return errors.New("no such member")
	}}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			a.erasePerson(t, guest(0))
		}
		return fake.RoundTrip(req)
	}))
	a.enqueue(t, "spring", guests(1))
	a.work(t)
	require.Equal(t, []string{"user_0"}, heard)
	require.Zero(t, a.untold(t, "spring"))
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "spring"))
	a.requireErased(t, "user_0")
}

// TestErasingHoldsUpNobody: erasing delays neither other people of the campaign nor other
// campaigns.
func TestErasingHoldsUpNobody(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	a.enqueue(t, "spring", guests(5))
	a.enqueue(t, "summer", to("other@example.com"))
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		require.NoError(t, a.ErasePersonTx(t.Context(), tx, guest(0)))
		begun := time.Now()
		a.erasePerson(t, guest(1))
		a.work(t)
		require.Less(t, time.Since(begun), 5*time.Second)
		require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
		require.Equal(t, map[State]int{StateErased: 1, StateWaiting: 4}, a.counts(t, "spring"))
		return nil
	}))
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateErased: 2, StateCreated: 3}, a.counts(t, "spring"))
}

// TestErasingHoldsUpNoRun: no statement of a run waits for the rows of the person. With a
// lock_timeout, one that did would fail.
func TestErasingHoldsUpNoRun(t *testing.T) {
	t.Parallel()
	refuses := func(context.Context, pgx.Tx, Result) error { return errors.New("not now") }
	refusesChange := func(context.Context, pgx.Tx, Change) error { return errors.New("not now") }
	now := func(t *testing.T, a *app, assignment string) {
		t.Helper()
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_"+assignment)
		require.NoError(t, err)
	}
	for name, test := range map[string]struct {
		config  Config
		prepare func(*testing.T, *app, *clerktest.Fake)
	}{
		"a row that was given back": {Config{Limits: clerk.Budget{Creates: 5, BulkCreates: 1, Window: time.Hour}}, func(t *testing.T, a *app, _ *clerktest.Fake) {
			t.Helper()
			a.work(t)
			now(t, a, "rows SET request = jsonb_set(request::jsonb, '{email_address}', '\"erased@example.com\"'), person = "+
				fmt.Sprint(personOf("erased@example.com"))+" WHERE run > 0 AND state = 'waiting'")
		}},
		"an invitation to be revoked": {Config{}, func(t *testing.T, a *app, _ *clerktest.Fake) {
			t.Helper()
			a.work(t)
			a.mustRemind(t, "spring", "reminder", 20)
			a.work(t)
			now(t, a, "rows SET revoke = replaces, revoke_at = 'epoch' WHERE replaces IS NOT NULL")
		}},
		"a result that was not told": {Config{OnResult: refuses}, func(t *testing.T, a *app, _ *clerktest.Fake) {
			t.Helper()
			a.work(t)
			now(t, a, "rows SET tell_at = 'epoch'")
		}},
		"a change that was not told": {Config{Sync: time.Minute, OnChange: refusesChange}, func(t *testing.T, a *app, fake *clerktest.Fake) {
			t.Helper()
			a.work(t)
			require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
			a.syncNow(t)
			now(t, a, "untold SET tell_at = 'epoch'")
		}},
		"a campaign to be deleted": {Config{Sync: time.Minute, Keep: time.Hour}, func(t *testing.T, a *app, fake *clerktest.Fake) {
			t.Helper()
			a.work(t)
			for _, inv := range fake.Invitations() {
				require.NoError(t, fake.Expire(inv.ID))
			}
			a.syncNow(t)
			now(t, a, "campaigns SET ended_at = 'epoch'")
		}},
		"a person erased while they were sent to": {Config{}, func(t *testing.T, a *app, _ *clerktest.Fake) {
			t.Helper()
			interrupted(t, a)
			a.erasePerson(t, "erased@example.com")
			now(t, a, "rows SET state = 'waiting' WHERE state = 'sending'")
			expire(t, a)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := clerktest.New()
			a := newApp(t, shared.database(t)+"?lock_timeout=1", test.config, fake)
			a.timing.listLag = 10 * time.Millisecond
			a.enqueue(t, "spring", to(append([]string{"erased@example.com"}, addresses(19)...)...))
			test.prepare(t, a, fake)
			a.enqueue(t, "summer", to("other@example.com"))
			now(t, a, "campaigns SET priority = -1 WHERE name = 'summer'")
			require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
				require.NoError(t, a.ErasePersonTx(t.Context(), tx, "erased@example.com"))
				a.nextWindow(t)
				a.nextWindow(t)
				require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
				return nil
			}))
			a.requireErased(t, "erased@")
			for range 4 {
				a.nextWindow(t)
			}
			a.requireErased(t, "erased@")
			if s, err := a.Status(t.Context(), "spring"); err == nil {
				require.True(t, s.Done(), "%v", s)
			}
		})
	}
}

func addresses(n int) (all []string) {
	for i := range n {
		all = append(all, guest(i))
	}
	return all
}

// TestKeep: a campaign's rows are erased a time after its last invitation ended.
func TestKeep(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{Sync: time.Minute, Keep: time.Hour}, fake)
	a.enqueue(t, "spring", guests(2))
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	a.syncNow(t)
	require.NoError(t, fake.Expire(a.invitationOf(t, "spring", 1)))
	a.syncNow(t)
	require.WithinDuration(t, time.Now().Add(time.Hour), a.work(t), time.Minute)
	require.Len(t, a.all(t, "spring"), 2)
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_campaigns SET ended_at = ended_at - interval '1 hour'")
	require.NoError(t, err)
	require.Zero(t, a.work(t))
	_, err = a.Status(t.Context(), "spring")
	require.ErrorIs(t, err, ErrNoCampaign)
	a.requireErased(t, "@")
}
