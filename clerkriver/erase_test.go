package clerkriver

import (
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
