package clerkriver

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// remind adds a reminder in its own transaction.
func (a *app) remind(t *testing.T, of, name string, reminder Reminder) (added int, err error) {
	t.Helper()
	err = pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) (err error) {
		added, err = a.RemindTx(t.Context(), a.river, tx, of, name, reminder)
		return err
	})
	return added, err
}

// mustRemind adds a reminder of n rows.
func (a *app) mustRemind(t *testing.T, of, name string, n int) {
	t.Helper()
	added, err := a.remind(t, of, name, Reminder{})
	require.NoError(t, err)
	require.Equal(t, n, added)
}

// exclude excludes an address in its own transaction.
func (a *app) exclude(t *testing.T, address string) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { return a.ExcludeTx(t.Context(), tx, address) }))
}

// invited returns an app with a campaign "spring" of n people that was sent.
func invited(t *testing.T, n int, config Config, opts ...clerktest.Option) (*app, *clerktest.Fake) {
	t.Helper()
	fake := clerktest.New(opts...)
	a := newApp(t, shared.database(t), config, fake)
	a.timing.listLag = 10 * time.Millisecond
	a.enqueue(t, "spring", guests(n))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: n}, a.counts(t, "spring"))
	return a, fake
}

// links returns the states of the invitations of an address, oldest first.
func links(fake *clerktest.Fake, address string) (all []clerk.InvitationStatus) {
	for _, inv := range fake.Invitations() {
		if inv.EmailAddress == address {
			all = append(all, inv.Status)
		}
	}
	return all
}

type statuses = []clerk.InvitationStatus

const (
	pending  = clerk.InvitationStatusPending
	accepted = clerk.InvitationStatusAccepted
	expired  = clerk.InvitationStatusExpired
	revoked  = clerk.InvitationStatusRevoked
)

func TestReminderGoesToThoseWhoHaveNotAccepted(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 25, Config{})
	id := func(place int) string { return a.invitationOf(t, "spring", place) }
	require.NoError(t, fake.Accept(id(0)))
	require.NoError(t, fake.Expire(id(1)))
	require.NoError(t, fake.Revoke(id(2)))
	a.mustRemind(t, "spring", "reminder", 25)
	require.Equal(t, map[State]int{StateWaiting: 25}, a.counts(t, "reminder"))
	before := len(fake.Requests())
	require.Zero(t, a.work(t))
	require.Equal(t, map[State]int{StateCreated: 23, StateSkipped: 2}, a.counts(t, "reminder"))
	require.Equal(t, "the invitation was accepted", a.all(t, "reminder")[0].Problem)
	require.Empty(t, a.all(t, "reminder")[1].Problem)
	require.Equal(t, "the invitation was revoked", a.all(t, "reminder")[2].Problem)
	requests := map[clerk.Operation]int{}
	for _, req := range fake.Requests()[before:] {
		requests[req.Operation]++
	}
	require.LessOrEqual(t, requests[clerk.OperationBulkCreate], 3, "it is sent like any campaign")
	require.Equal(t, 2, requests[clerk.OperationList])
	require.Equal(t, 23, requests[clerk.OperationRevoke])
	require.Equal(t, statuses{accepted}, links(fake, guest(0)))
	require.Equal(t, statuses{revoked, pending}, links(fake, guest(1)))
	require.Equal(t, statuses{revoked}, links(fake, guest(2)))
	require.Equal(t, statuses{revoked, pending}, links(fake, guest(3)))
	require.Len(t, fake.Sent(), 25+23)
	require.Equal(t, []string{id(0), id(2)}, []string{a.invitationOf(t, "reminder", 0), a.invitationOf(t, "reminder", 2)})
	for _, result := range a.all(t, "reminder")[3:] {
		require.NotEqual(t, id(result.Place), result.InvitationID)
		require.Equal(t, a.all(t, "spring")[result.Place].Ref, result.Ref)
	}
}

// TestReminderIsLikeTheOldInvitation: parameters that Clerk does not return are taken from the
// row.
func TestReminderIsLikeTheOldInvitation(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{}, fake)
	row := Row{Ref: "user_1", Request: clerk.CreateInvitationRequest{
		EmailAddress: guest(1), RedirectURL: "https://app.example.com/join", ExpiresInDays: 3, Notify: new(true),
		PublicMetadata: map[string]any{"team": 12345678901234567}, TemplateSlug: clerk.TemplateSlugInvitation,
	}}
	a.enqueue(t, "spring", slices.Values([]Row{row}))
	a.work(t)
	a.mustRemind(t, "spring", "reminder", 1)
	a.work(t)
	sent := fake.Sent()
	require.Len(t, sent, 2)
	require.Equal(t, "user_1", a.all(t, "reminder")[0].Ref)
	require.Equal(t, statuses{revoked, pending}, links(fake, guest(1)))
	var bodies []string
	for _, req := range fake.Requests() {
		if req.Operation == clerk.OperationCreate {
			bodies = append(bodies, string(req.Body))
		}
	}
	require.Len(t, bodies, 2)
	require.JSONEq(t, strings.Replace(bodies[0], "{", `{"ignore_existing":true,`, 1), bodies[1])
	require.Contains(t, bodies[1], "12345678901234567")
}

func TestRemindTxAddsOneReminder(t *testing.T) {
	t.Parallel()
	a, _ := invited(t, 3, Config{})
	week := Reminder{After: 7 * 24 * time.Hour, EnqueueOpts: EnqueueOpts{Priority: 3}}
	_, err := a.remind(t, "winter", "reminder", week)
	require.ErrorIs(t, err, ErrNoCampaign)
	_, err = a.remind(t, "spring", "", week)
	require.ErrorContains(t, err, "not a name")
	_, err = a.remind(t, "spring", "reminder", Reminder{After: -1})
	require.ErrorContains(t, err, "negative")
	_, err = a.remind(t, "spring", "spring", week)
	require.ErrorIs(t, err, ErrCampaignExists)
	added, err := a.remind(t, "spring", "reminder", week)
	require.NoError(t, err)
	require.Equal(t, 3, added)
	added, err = a.remind(t, "spring", "reminder", week)
	require.NoError(t, err)
	require.Zero(t, added)
	_, err = a.remind(t, "spring", "reminder", Reminder{After: time.Hour})
	require.ErrorIs(t, err, ErrCampaignExists)
	err = pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := a.EnqueueTx(t.Context(), a.river, tx, "reminder", guests(3), nil)
		require.ErrorIs(t, err, ErrCampaignExists)
		return nil
	})
	require.NoError(t, err)
	s, err := a.Status(t.Context(), "reminder")
	require.NoError(t, err)
	require.EqualValues(t, 3, s.Priority)
	require.WithinDuration(t, time.Now().Add(week.After), s.NotBefore, time.Minute)
	require.WithinDuration(t, time.Now().Add(week.After), a.work(t), time.Minute, "nobody is reminded before")
	require.Equal(t, map[State]int{StateWaiting: 3}, a.counts(t, "reminder"))
	require.NoError(t, a.Reschedule(t.Context(), a.river, "reminder", EnqueueOpts{}))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 3}, a.counts(t, "reminder"))
	_, err = a.remind(t, "spring", "again", week)
	require.ErrorIs(t, err, ErrEmpty)
	_, err = a.Status(t.Context(), "again")
	require.ErrorIs(t, err, ErrNoCampaign)
}

// TestNobodyIsRemindedTwiceOfACampaign: another reminder does not remind them, even if the old
// invitation has expired and so stays as it is. A reminder of the reminder does.
func TestNobodyIsRemindedTwiceOfACampaign(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 12, Config{})
	for _, inv := range fake.Invitations() {
		require.NoError(t, fake.Expire(inv.ID))
	}
	a.mustRemind(t, "spring", "first", 12)
	a.mustRemind(t, "spring", "second", 12)
	for range 3 {
		a.work(t)
	}
	require.Equal(t, map[State]int{StateCreated: 12}, a.counts(t, "first"))
	require.Equal(t, map[State]int{StateSkipped: 12}, a.counts(t, "second"))
	require.Equal(t, "the person was reminded before", a.all(t, "second")[0].Problem)
	require.NoError(t, fake.Accept(a.invitationOf(t, "first", 0)))
	a.mustRemind(t, "first", "third", 12)
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 11, StateSkipped: 1}, a.counts(t, "third"))
	require.Len(t, fake.SentTo(guest(0)), 2)
	require.Len(t, fake.SentTo(guest(1)), 3)
	_, err := a.remind(t, "spring", "fourth", Reminder{})
	require.ErrorIs(t, err, ErrEmpty)
}

func TestWhoAcceptedAnotherInvitationIsNotReminded(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 2, Config{})
	for _, inv := range fake.Invitations() {
		require.NoError(t, fake.Expire(inv.ID))
	}
	a.enqueue(t, "summer", to("Guest0@example.com"))
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "summer", 0)))
	a.mustRemind(t, "spring", "reminder", 2)
	a.work(t)
	require.Equal(t, map[State]int{StateSkipped: 1, StateCreated: 1}, a.counts(t, "reminder"))
	require.Equal(t, StateSkipped, a.all(t, "reminder")[0].State)
	require.Equal(t, "the person has accepted another invitation", a.all(t, "reminder")[0].Problem)
}

// TestReminderOfLapsedInvitations: no invitation is open, so only the reminder needs a
// listing.
func TestReminderOfLapsedInvitations(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 2, Config{Sync: time.Minute})
	for _, inv := range fake.Invitations() {
		require.NoError(t, fake.Expire(inv.ID))
	}
	a.syncNow(t)
	require.Equal(t, map[State]int{StateExpired: 2}, a.counts(t, "spring"))
	a.mustRemind(t, "spring", "reminder", 2)
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 2}, a.counts(t, "reminder"))
}

func TestExcludedPersonIsNotReminded(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 4, Config{})
	a.exclude(t, " GUEST0@example.com")
	a.exclude(t, guest(0))
	a.mustRemind(t, "spring", "reminder", 3)
	a.exclude(t, guest(1))
	a.erasePerson(t, guest(2))
	a.work(t)
	require.Equal(t, map[State]int{StateSkipped: 1, StateErased: 1, StateCreated: 1}, a.counts(t, "reminder"))
	require.Equal(t, "the person was excluded from reminders", a.all(t, "reminder")[0].Problem)
	require.Len(t, fake.Sent(), 5)
	require.NotEmpty(t, a.all(t, "spring")[0].EmailAddress, "they are not erased")

	a.erasePerson(t, guest(0))
	require.NoError(t, a.client.Invitations.Erase(t.Context(), guest(0)))
	a.enqueue(t, "summer", to(guest(0), guest(1)))
	a.work(t)
	a.mustRemind(t, "summer", "summer reminder", 1)
	a.work(t)
	require.Equal(t, statuses{revoked, pending}, links(fake, guest(0)), "nothing was kept of them")
}

// TestExcludingHoldsUpNobody, not even a transaction that excludes the same person.
func TestExcludingHoldsUpNobody(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t)+"?lock_timeout=1", Config{}, nil)
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		require.NoError(t, a.ExcludeTx(t.Context(), tx, guest(0)))
		a.exclude(t, guest(0))
		a.exclude(t, guest(0))
		return nil
	}))
	a.erasePerson(t, guest(0))
	var n int
	require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM clerkriver_excluded").Scan(&n))
	require.Zero(t, n)
}

// TestReminderNeedsAFreshSync: one of the last minutes is enough, if it began after the
// reminder was enqueued. Rows that were taken before are looked at again.
func TestReminderNeedsAFreshSync(t *testing.T) {
	t.Parallel()
	limits := clerk.Budget{BulkCreates: 1, Window: time.Hour}
	a, fake := invited(t, 1, Config{Limits: limits, Budget: limits})
	a.enqueue(t, "summer", guestsFrom(100, 30))
	for !a.done(t, "summer") {
		a.nextWindow(t)
	}
	a.mustRemind(t, "summer", "reminder", 30)
	lists := sent(fake, clerk.OperationList)
	a.nextWindow(t)
	require.Equal(t, lists+2, sent(fake, clerk.OperationList))
	require.Equal(t, 10, a.counts(t, "reminder")[StateCreated])
	a.nextWindow(t)
	require.Equal(t, lists+2, sent(fake, clerk.OperationList))
	require.Equal(t, 20, a.counts(t, "reminder")[StateCreated])
	for _, inv := range fake.Invitations() {
		if inv.Status == pending {
			require.NoError(t, fake.Accept(inv.ID))
		}
	}
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET fresh_at = fresh_at - interval '6 minutes'")
	require.NoError(t, err)
	a.nextWindow(t)
	require.Equal(t, lists+4, sent(fake, clerk.OperationList))
	require.Equal(t, map[State]int{StateAccepted: 20, StateSkipped: 10}, a.counts(t, "reminder"))
}

// TestReminderReadsAShiftedListingAgain: an invitation is revoked between two pages, so an
// accepted one moves to a page already read.
func TestReminderReadsAShiftedListingAgain(t *testing.T) {
	t.Parallel()
	fake := clerktest.New(clerktest.WithBehavior(clerktest.Behavior{PageCap: 3}))
	var a *app
	reminds := false
	a = newApp(t, shared.database(t), Config{}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if reminds && req.URL.Query().Get("offset") == "3" {
			reminds = false
			require.NoError(t, fake.Revoke(a.invitationOf(t, "spring", 5)))
		}
		return fake.RoundTrip(req)
	}))
	a.timing.listLag = 10 * time.Millisecond
	a.enqueue(t, "spring", guests(6))
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 2)))
	a.mustRemind(t, "spring", "reminder", 6)
	reminds = true
	a.nextWindow(t)
	require.False(t, reminds)
	require.Equal(t, statuses{accepted}, links(fake, guest(2)))
	require.Equal(t, map[State]int{StateCreated: 4, StateSkipped: 2}, a.counts(t, "reminder"))
}

// guestsFrom is n rows, from a guest on.
func guestsFrom(first, n int) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for i := range n {
			if !yield(Row{Request: clerk.CreateInvitationRequest{EmailAddress: guest(first + i)}}) {
				return
			}
		}
	}
}

// TestCampaignIsKeptForItsReminder: neither Delete nor Keep ends a reminder that waits.
func TestCampaignIsKeptForItsReminder(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 3, Config{Sync: time.Minute, Keep: time.Millisecond})
	for _, inv := range fake.Invitations() {
		require.NoError(t, fake.Expire(inv.ID))
	}
	_, err := a.remind(t, "spring", "reminder", Reminder{EnqueueOpts: EnqueueOpts{NotBefore: time.Now().Add(time.Hour)}})
	require.NoError(t, err)
	a.syncNow(t)
	require.WithinDuration(t, time.Now().Add(time.Hour), a.work(t), time.Minute)
	require.EqualError(t, a.Delete(t.Context(), "spring"), `clerkriver: the campaign has not finished: "reminder"; cancel it first`)
	require.ErrorIs(t, a.Delete(t.Context(), "reminder"), ErrActive)
	require.Equal(t, map[State]int{StateExpired: 3}, a.counts(t, "spring"))

	require.NoError(t, a.Reschedule(t.Context(), nil, "reminder", EnqueueOpts{}))
	a.work(t)
	require.Equal(t, map[State]int{StateCreated: 3}, a.counts(t, "reminder"))
	a.work(t)
	_, err = a.Status(t.Context(), "spring")
	require.ErrorIs(t, err, ErrNoCampaign, "Keep has erased it")
}

// TestCancelledReminderKeepsNothing: a wake a day finds out that it was cancelled.
func TestCancelledReminderKeepsNothing(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 3, Config{Sync: time.Minute, Keep: time.Hour})
	for _, inv := range fake.Invitations() {
		require.NoError(t, fake.Accept(inv.ID))
	}
	_, err := a.remind(t, "spring", "reminder", Reminder{After: 60 * 24 * time.Hour})
	require.NoError(t, err)
	a.syncNow(t)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), a.work(t), time.Minute)
	cancel(t, a, "reminder")
	require.WithinDuration(t, time.Now().Add(time.Hour), a.work(t), time.Minute)
	_, err = a.pool.Exec(t.Context(), "UPDATE clerkriver_campaigns SET ended_at = ended_at - interval '1 hour'")
	require.NoError(t, err)
	a.work(t)
	_, err = a.Status(t.Context(), "spring")
	require.ErrorIs(t, err, ErrNoCampaign)
}

// TestReminderOfADeletedCampaignHoldsUpNobody: the campaign was deleted while RemindTx was open.
func TestReminderOfADeletedCampaignHoldsUpNobody(t *testing.T) {
	t.Parallel()
	a, _ := invited(t, 3, Config{Sync: time.Hour})
	require.NoError(t, pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := a.RemindTx(t.Context(), nil, tx, "spring", "reminder", Reminder{})
		require.NoError(t, err)
		return a.Delete(t.Context(), "spring")
	}))
	a.enqueue(t, "summer", to("other@example.com"))
	a.work(t)
	a.work(t)
	require.Equal(t, map[State]int{StateSkipped: 3}, a.counts(t, "reminder"))
	require.Equal(t, "the campaign was deleted", a.all(t, "reminder")[0].Problem)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
}
