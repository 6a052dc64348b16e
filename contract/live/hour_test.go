package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestAskHourReportsExactlyTheFlip(t *testing.T) {
	for name, behavior := range clerktest.Behaviors() {
		inBubble(t, name, func(t *testing.T) {
			time.Sleep(23 * time.Minute) // a bubble's time begins at a full hour
			fake := newFake(t, 3, clerktest.WithBehavior(behavior))
			r := newRun(newClient(fake, "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Now())
			require.NoError(t, r.cleanAfter(t.Context(), r.askHour))
			require.NoError(t, r.err)
			want := []string{}
			if unseen[name] == needsHour {
				want = []string{name}
			}
			require.Equal(t, want, flips(r))
			require.LessOrEqual(t, r.sent, maxRequests)
			require.Len(t, fake.Invitations(), 3)
		})
	}
}

func TestAskHourSaysWhatDisturbsIt(t *testing.T) {
	for want, test := range map[string]struct {
		past  time.Duration // since the full hour
		bulks int           // sent before, one a minute
	}{
		"there were other bulks in the hour before": {23 * time.Minute, 20},
		"the run began at a full hour":              {},
	} {
		inBubble(t, want, func(t *testing.T) {
			time.Sleep(test.past)
			fake := newFake(t, 3)
			r := newRun(newClient(fake, "https://api.clerk.com/v1", clerktest.SecretKey), testRun, time.Now())
			for range test.bulks {
				r.emptyBulk(t.Context())
			}
			r.sent = 0
			time.Sleep(time.Duration(test.bulks) * time.Minute)
			r.askHour(t.Context())
			require.Equal(t, want, r.answers["windows"].none)
		})
	}
}
