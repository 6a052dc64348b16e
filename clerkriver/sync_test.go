package clerkriver

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// syncNow makes a run whose sync is due, a few seconds after the rows were created.
func (a *app) syncNow(t *testing.T) {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), `UPDATE clerkriver_instances SET synced_at = synced_at - interval '1 day';`+
		`UPDATE clerkriver_campaigns SET enqueued_at = enqueued_at - interval '1 day' WHERE enqueued_at > now() - interval '1 hour';`+
		`UPDATE clerkriver_rows SET changed_at = changed_at - interval '1 day' WHERE state = 'created' AND changed_at > now() - interval '1 hour'`)
	require.NoError(t, err)
	a.work(t)
}

// heardChanges is an OnChange that stores each change in the table changes.
func heardChanges(ctx context.Context, tx pgx.Tx, change Change) error {
	_, err := tx.Exec(ctx, "INSERT INTO changes (campaign, place, number, state) VALUES ($1, $2, $3, $4)",
		change.Campaign, change.Place, change.Number, string(change.State))
	return err
}

func newChangesTable(t *testing.T, a *app) {
	t.Helper()
	_, err := a.pool.Exec(t.Context(), `CREATE TABLE changes (campaign text, place integer, number integer, state text,
		PRIMARY KEY (campaign, place, number))`)
	require.NoError(t, err)
}

// changes returns the states of a campaign's rows that OnChange got.
func (a *app) changes(t *testing.T, campaign string) map[int][]State {
	t.Helper()
	rows, err := a.pool.Query(t.Context(), "SELECT place, state FROM changes WHERE campaign = $1 ORDER BY place, number", campaign)
	require.NoError(t, err)
	heard := map[int][]State{}
	var place int
	var state State
	_, err = pgx.ForEachRow(rows, []any{&place, &state}, func() error {
		heard[place] = append(heard[place], state)
		return nil
	})
	require.NoError(t, err)
	return heard
}

// invitationOf returns the id of the invitation of a row.
func (a *app) invitationOf(t *testing.T, campaign string, place int) string {
	t.Helper()
	id := a.all(t, campaign)[place].InvitationID
	require.NotEmpty(t, id)
	return id
}

func TestSyncRecordsWhatBecameOfInvitations(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var heard []Change
	a := newApp(t, shared.database(t), Config{Sync: time.Minute, OnChange: func(ctx context.Context, tx pgx.Tx, change Change) error {
		heard = append(heard, change)
		return heardChanges(ctx, tx, change)
	}}, fake)
	newChangesTable(t, a)
	a.enqueue(t, "spring", guests(6))
	require.WithinDuration(t, time.Now().Add(time.Minute), a.work(t), 5*time.Second)
	id := func(place int) string { return a.invitationOf(t, "spring", place) }
	require.NoError(t, fake.Accept(id(0)))
	require.NoError(t, fake.Expire(id(1)))
	require.NoError(t, fake.Revoke(id(2)))
	require.NoError(t, fake.Delete(id(3)))
	before := len(fake.Requests())
	a.syncNow(t)
	require.Len(t, fake.Requests()[before:], 2)
	require.Equal(t, map[State]int{StateAccepted: 1, StateExpired: 1, StateRevoked: 1, StateCreated: 3}, a.counts(t, "spring"))
	a.syncNow(t)
	a.syncNow(t)
	require.Equal(t, map[State]int{StateAccepted: 1, StateExpired: 1, StateRevoked: 1, StateDeleted: 1, StateCreated: 2}, a.counts(t, "spring"))
	require.Equal(t, map[int][]State{0: {StateAccepted}, 1: {StateExpired}, 2: {StateRevoked}, 3: {StateDeleted}}, a.changes(t, "spring"))
	require.Len(t, heard, 4)
	for _, change := range heard {
		require.Equal(t, 1, change.Number)
		require.Equal(t, guest(change.Place), change.EmailAddress)
		require.WithinDuration(t, time.Now(), change.BecameAt, time.Minute)
		require.WithinDuration(t, time.Now(), change.ChangedAt, time.Minute)
	}
	var open []Result
	for result, err := range a.Results(t.Context(), "spring", 0, StateCreated, StateExpired) {
		require.NoError(t, err)
		open = append(open, result)
	}
	require.Len(t, open, 3)
	require.Equal(t, heard[0].BecameAt.IsZero(), open[1].BecameAt.After(time.Now()))
}

// TestExpiryCountsByClerksClock: Clerk's clock decides, whatever the list says. An expired
// invitation can be found accepted later, and nothing overwrites that.
func TestExpiryCountsByClerksClock(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	listed := clerk.InvitationStatusPending
	a := newApp(t, shared.database(t), Config{Sync: time.Minute, OnChange: heardChanges}, fake)
	api := withLists(func(inv *clerk.Invitation) {
		if inv.EmailAddress == guest(0) {
			inv.Status = listed
		}
	}, fake)
	var err error
	a.client, err = a.NewClient(clerktest.SecretKey, api)
	require.NoError(t, err)
	newChangesTable(t, a)
	a.enqueue(t, "spring", guests(1))
	a.work(t)
	require.NoError(t, fake.ExpireAt(a.invitationOf(t, "spring", 0), time.Now().Add(-time.Second)))
	a.syncNow(t)
	require.Equal(t, map[State]int{StateExpired: 1}, a.counts(t, "spring"))
	a.enqueue(t, "summer", to("other@example.com")) // an open row, so that syncs continue
	a.work(t)
	for _, listed = range []clerk.InvitationStatus{"pending", "expired", "accepted", "expired", "revoked"} {
		a.syncNow(t)
	}
	require.Equal(t, map[int][]State{0: {StateExpired, StateAccepted}}, a.changes(t, "spring"))
}

// TestShiftedListingDeletesNobody: an invitation that leaves the list while it is read
// shifts others onto pages already read, in sync after sync.
func TestShiftedListingDeletesNobody(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	var a *app
	gone := 0
	a = newApp(t, shared.database(t), Config{Sync: time.Minute}, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("offset") == "500" && gone < 3 {
			require.NoError(t, fake.Delete(fake.Invitations()[len(fake.Invitations())-1].ID))
			gone++
		}
		return fake.RoundTrip(req)
	}))
	a.enqueue(t, "spring", guests(1100))
	a.work(t)
	before := len(fake.Requests())
	for range 3 {
		a.syncNow(t)
	}
	require.LessOrEqual(t, len(fake.Requests()[before:]), 3*4)
	require.Equal(t, 3, gone)
	require.Equal(t, map[State]int{StateCreated: 1100}, a.counts(t, "spring"))
	a.syncNow(t)
	a.syncNow(t)
	require.Equal(t, map[State]int{StateCreated: 1097, StateDeleted: 3}, a.counts(t, "spring"))
}

// TestChangeIsRecordedWithoutOnChange: OnChange is called again until it accepts the change,
// without another request.
func TestChangeIsRecordedWithoutOnChange(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	fails := 3
	a := newApp(t, shared.database(t), Config{Sync: time.Minute, OnChange: func(ctx context.Context, tx pgx.Tx, change Change) error {
		err := heardChanges(ctx, tx, change)
		if fails--; fails == 1 {
			panic("the application's fault")
		} else if fails >= 0 {
			return errors.New("the table is full")
		}
		return err
	}}, fake)
	newChangesTable(t, a)
	a.enqueue(t, "spring", guests(2))
	a.work(t)
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	a.syncNow(t)
	require.Equal(t, map[State]int{StateAccepted: 1, StateCreated: 1}, a.counts(t, "spring"))
	require.Equal(t, "the table is full", a.all(t, "spring")[0].Untold)
	s, err := a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Equal(t, 1, s.Untold)
	before := len(fake.Requests())
	for range 4 {
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_untold SET tell_at = now()")
		require.NoError(t, err)
		a.work(t)
	}
	require.Len(t, fake.Requests(), before)
	require.Equal(t, map[int][]State{0: {StateAccepted}}, a.changes(t, "spring"))
	s, err = a.Status(t.Context(), "spring")
	require.NoError(t, err)
	require.Zero(t, s.Untold)
	require.Empty(t, a.all(t, "spring")[0].Untold)
}

// TestSyncStopsAtOldestOpenRow: older invitations are not listed.
func TestSyncStopsAtOldestOpenRow(t *testing.T) {
	t.Parallel()
	fake := clerktest.New()
	a := newApp(t, shared.database(t), Config{Sync: time.Minute}, fake)
	a.enqueue(t, "old", guests(1500))
	a.work(t)
	for _, inv := range fake.Invitations() {
		require.NoError(t, fake.Accept(inv.ID))
	}
	a.syncNow(t)
	require.Equal(t, map[State]int{StateAccepted: 1500}, a.counts(t, "old"))
	require.Zero(t, a.work(t), "no row is open")
	_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_instances SET synced_at = 'epoch'")
	require.NoError(t, err)
	require.Zero(t, a.work(t))
}

// TestSyncsLetCampaignsBeSent: if each run is late for a sync, every second one sends.
func TestSyncsLetCampaignsBeSent(t *testing.T) {
	t.Parallel()
	a, fake := invited(t, 1, Config{Sync: time.Minute})
	a.enqueue(t, "summer", to("a@example.com"))
	a.syncNow(t)
	require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "summer"), "a sync is a run of its own")
	a.syncNow(t)
	require.Equal(t, map[State]int{StateCreated: 1}, a.counts(t, "summer"))
	require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
	a.enqueue(t, "autumn", to("b@example.com"))
	a.syncNow(t)
	require.Equal(t, map[State]int{StateAccepted: 1}, a.counts(t, "spring"))
	require.Equal(t, map[State]int{StateWaiting: 1}, a.counts(t, "autumn"))
}

// TestSyncNeedsNoPreparedStatement: as the other queries.
func TestSyncNeedsNoPreparedStatement(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol"} {
		fake := clerktest.New()
		fails := 1
		a := newApp(t, shared.database(t)+"?default_query_exec_mode="+mode, Config{Sync: time.Minute, OnChange: func(context.Context, pgx.Tx, Change) error {
			if fails--; fails == 0 {
				return errors.New("once")
			}
			return nil
		}}, fake)
		a.river = nil
		a.enqueue(t, "spring", guests(3))
		a.work(t)
		require.NoError(t, fake.Accept(a.invitationOf(t, "spring", 0)))
		require.NoError(t, fake.Delete(a.invitationOf(t, "spring", 1)))
		a.syncNow(t)
		_, err := a.pool.Exec(t.Context(), "UPDATE clerkriver_untold SET tell_at = now()")
		require.NoError(t, err)
		a.syncNow(t)
		require.Equal(t, map[State]int{StateAccepted: 1, StateDeleted: 1, StateCreated: 1}, a.counts(t, "spring"), mode)
		require.Negative(t, fails)
	}
}
