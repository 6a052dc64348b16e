package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestAskDayReportsExactlyTheFlip(t *testing.T) {
	for name, behavior := range clerktest.Behaviors() {
		inBubble(t, name, func(t *testing.T) {
			fake := newFake(t, 3, clerktest.WithBehavior(behavior))
			r := newRun(newClient(fake, "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Now())
			r.leave = true
			require.NoError(t, r.cleanAfter(t.Context(), r.ask))
			require.NoError(t, r.err)
			require.LessOrEqual(t, r.sent, maxRequests)
			require.Len(t, left(fake), 1)
			time.Sleep(25 * time.Hour)

			r = newRun(newClient(fake, "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Time{})
			require.NoError(t, r.cleanAfter(t.Context(), r.askDay))
			require.NoError(t, r.err)
			want := []string{}
			switch {
			case name == "duplicates=any":
				want = []string{"duplicates=expired"}
			case unseen[name] == needsDay:
				want = []string{name}
			}
			require.Equal(t, want, flips(r))
			require.Empty(t, left(fake))
			require.Len(t, fake.Invitations(), 3)
		})
	}
}

func TestExecuteLeavesAnInvitationForADayLater(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 3)
		cfg := config{url: "https://api.clerk.com/v1", key: clerktest.SecretKey, leave: true}
		var first, early bytes.Buffer
		require.NoError(t, execute(t.Context(), cfg, fake, &first, &bytes.Buffer{}))
		require.Len(t, left(fake), 1)
		require.Contains(t, first.String(), "All but one invitation that it created was revoked and deleted: run it with -day ")
		cfg.leave, cfg.day = false, first.String()[bytes.Index(first.Bytes(), []byte("Run "))+4:][:12]
		require.ErrorContains(t, execute(t.Context(), cfg, fake, &early, &bytes.Buffer{}), "not a day old yet")
		require.Empty(t, left(fake))
	})
}
