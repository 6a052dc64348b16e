package clerkriver

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// changeInProcess stores a change under a primary key, so that a second call for it would
// fail. Sometimes it fails, panics or is killed.
func changeInProcess(ctx context.Context, tx pgx.Tx, change Change) error {
	err := heardChanges(ctx, tx, change)
	switch rand.IntN(200) {
	case 0:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case 1:
		return errors.New("the application's table is full")
	case 2:
		panic("the application's fault")
	}
	return err
}

// TestChangesAreToldOnceWhateverDies: three processes send a campaign while people accept, and
// invitations expire and are revoked. The processes are killed, even inside OnChange, and
// every tenth request fails.
func TestChangesAreToldOnceWhateverDies(t *testing.T) {
	t.Parallel()
	const rows = 1500
	url := shared.database(t)
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	fake := clerktest.New(strict(hurried), clerktest.WithFaults(clerktest.FaultMix{Share: 0.1, Seed: seed}))
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	a := newListener(t, url)
	newChangesTable(t, a)
	a.enqueue(t, "spring", guests(rows))
	crew := startCrew(t, url, api.URL+"/v1", "TEST_SYNC=1")
	ended := map[string]bool{}
	open, since := 0, time.Now()
	for i := 0; i < 10 || !a.done(t, "spring"); i++ {
		time.Sleep(time.Second + rand.N(2*time.Second))
		endSome(t, fake, ended)
		if i < 10 {
			crew.kill()
		}
		counts := a.counts(t, "spring")
		if n := counts[StateWaiting] + counts[StateSending]; n != open {
			open, since = n, time.Now()
		}
		require.Less(t, time.Since(since), time.Minute, "%v", counts)
	}
	endSome(t, fake, ended)
	states := map[string]State{}
	for _, inv := range fake.Invitations() {
		states[inv.ID] = State(inv.Status)
		if inv.Status == clerk.InvitationStatusPending {
			states[inv.ID] = StateCreated
		}
	}
	want := map[State]int{} // without invitations that ended before a killed process could keep their id
	for _, result := range a.all(t, "spring") {
		want[states[result.InvitationID]]++
	}
	a.wait(t, "spring", func(s *Status) bool {
		return s.Untold == 0 && s.Counts[StateAccepted] == want[StateAccepted] && s.Counts[StateRevoked] == want[StateRevoked] &&
			s.Counts[StateExpired] == want[StateExpired]
	})
	crew.stop()
	require.Equal(t, want, a.counts(t, "spring"))
	told := a.changes(t, "spring")
	for _, result := range a.all(t, "spring") {
		require.Equal(t, states[result.InvitationID], result.State)
		if result.State == StateCreated {
			require.Empty(t, told[result.Place])
		} else {
			require.Equal(t, []State{result.State}, told[result.Place])
		}
	}
}

func (a *app) done(t *testing.T, name string) bool {
	t.Helper()
	s, err := a.Status(t.Context(), name)
	require.NoError(t, err)
	return s.Done()
}

// endSome accepts, expires and revokes most of the invitations that it has not handled before,
// and leaves every tenth open.
func endSome(t *testing.T, fake *clerktest.Fake, ended map[string]bool) {
	t.Helper()
	for _, inv := range fake.Invitations() {
		if ended[inv.ID] {
			continue
		}
		ended[inv.ID] = true
		switch n := rand.IntN(10); {
		case n < 5:
			require.NoError(t, fake.Accept(inv.ID))
		case n < 8:
			require.NoError(t, fake.Expire(inv.ID))
		case n < 9:
			require.NoError(t, fake.Revoke(inv.ID))
		}
	}
}
