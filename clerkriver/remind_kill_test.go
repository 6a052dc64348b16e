package clerkriver

import (
	"math/rand/v2"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// people plays the invitees of a campaign, and others, while reminders are sent.
type people struct {
	fake    *clerktest.Fake
	old     []string // ids, by place
	gone    map[string]bool
	revoked map[string]bool // addresses
	lapsed  map[string]bool // addresses whose old invitation has expired
}

// act makes n of the invitees accept an invitation, or makes their old one expire or be
// revoked.
func (p *people) act(n int) {
	for range n {
		place := rand.IntN(len(p.old))
		id, address := p.old[place], guest(place)
		switch choice := rand.IntN(10); {
		case p.gone[id]:
		case choice < 5 && p.fake.Accept(id) == nil:
		case choice < 8 && p.fake.Expire(id) == nil:
			p.lapsed[address] = true
		case p.fake.Revoke(id) == nil:
			p.revoked[address] = true
		}
		p.gone[id] = true
	}
}

// requireLinks checks that nobody who had a link is left without one, and returns how many
// people have two.
func (p *people) requireLinks(t *testing.T, finally bool) (withTwo int) {
	t.Helper()
	links, used := map[string]int{}, map[string]bool{}
	for _, inv := range p.fake.Invitations() {
		switch inv.Status {
		case clerk.InvitationStatusPending:
			links[inv.EmailAddress]++
		case clerk.InvitationStatusAccepted:
			used[inv.EmailAddress] = true
		}
	}
	for place := range p.old {
		address := guest(place)
		if !p.revoked[address] && !used[address] && (finally || !p.lapsed[address]) {
			require.Positive(t, links[address], address)
		}
		if links[address] > 1 || links[address] > 0 && used[address] {
			withTwo++
		}
	}
	return withTwo
}

// TestRemindersAreSentOnceWhateverDies: people accept, and their invitations expire and are
// revoked by others, while a reminder is sent by three processes that are killed, even inside
// OnChange, and every tenth request fails.
func TestRemindersAreSentOnceWhateverDies(t *testing.T) {
	t.Parallel()
	const rows = 1500
	url := shared.database(t)
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	fake := clerktest.New()
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	first := newApp(t, url, Config{}, fake)
	first.enqueue(t, "spring", guests(rows))
	first.work(t)
	require.Equal(t, map[State]int{StateCreated: rows}, first.counts(t, "spring"))
	p := &people{fake: fake, gone: map[string]bool{}, revoked: map[string]bool{}, lapsed: map[string]bool{}}
	for _, inv := range first.all(t, "spring") {
		p.old = append(p.old, inv.InvitationID)
	}
	p.act(2 * rows)
	known := map[string]clerk.InvitationStatus{} // before the reminder
	for _, inv := range fake.Invitations() {
		known[inv.EmailAddress] = inv.Status
	}
	_, err := first.pool.Exec(t.Context(), "DELETE FROM clerkriver_slots")
	require.NoError(t, err)
	fake.SetRateLimits(slidingLimits(hurried))
	fake.SetFaults(clerktest.FaultMix{Share: 0.1, Seed: seed})

	a := newListener(t, url)
	newChangesTable(t, a)
	a.mustRemind(t, "spring", "reminder", rows)
	team := startTeam(t, a.pool)
	crew := startCrew(t, url, api.URL+"/v1", "TEST_SYNC=no faults")
	for i := 0; i < 8 || !a.done(t, "reminder"); i++ {
		time.Sleep(time.Second + rand.N(2*time.Second))
		p.act(30)
		p.requireLinks(t, false)
		if i < 8 {
			crew.kill()
		}
		require.Less(t, i, 120, "%v", a.counts(t, "reminder"))
	}
	fake.ClearFaults()
	a.wait(t, "reminder", func(s *Status) bool {
		var left int
		require.NoError(t, a.pool.QueryRow(t.Context(), "SELECT count(*) FROM clerkriver_rows WHERE revoke IS NOT NULL").Scan(&left))
		return s.Untold == 0 && left == 0
	})
	crew.stop()
	team.requireUntouched(t)
	require.Zero(t, p.requireLinks(t, true), "everybody has one link or has accepted")
	requireHeard(t, a, rows)
	reminded, all := 0, map[string]int{}
	for _, inv := range fake.Invitations() {
		all[inv.EmailAddress]++
	}
	for _, result := range a.all(t, "reminder") {
		status := known[result.EmailAddress]
		switch n := all[result.EmailAddress]; {
		case status == clerk.InvitationStatusAccepted || status == clerk.InvitationStatusRevoked:
			require.Equal(t, 1, n, "%v was known to be %s", result, status)
			require.Equal(t, StateSkipped, result.State)
		case result.State == StateSkipped || result.State == StateUserExists:
			require.Equal(t, 1, n, "%v", result)
		default:
			require.Equal(t, 2, n, "%v", result)
			reminded++
		}
	}
	t.Log(a.counts(t, "spring"), a.counts(t, "reminder"))
	require.Greater(t, reminded, rows/5)
}
