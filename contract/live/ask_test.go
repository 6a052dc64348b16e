package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// The flips that a run against an empty instance cannot see, each with what it needs; and
// those that it takes for another one.
var (
	unseen = map[string]string{
		"bulks-ignore-users":           needsUsers,
		"duplicates=accepted":          needsUsers,
		"duplicates-first":             needsUsers,
		"duplicates=expired":           needsDay,
		"lapsed=pending":               needsDay,
		"lapsed=duplicate":             needsDay,
		"revoke-expired-fails":         needsDay,
		"email-limit-refuses":          "100 emails",
		"page-cap=100":                 "an instance with more than 100 invitations",
		"windows=sliding":              needsHour,
		"windows=clock":                needsHour,
		"windows=token-bucket":         needsHour,
		"faults-uncounted":             needsFault,
		"refusals-uncounted":           needsHour,
		"rate-limited-counted":         needsMore,
		"rate-limit-status=400":        needsHour,
		"rate-limit-status=403":        needsHour,
		"rate-limit-status=422":        needsHour,
		"rate-limit-body=empty-errors": needsHour,
		"rate-limit-body=text":         needsHour,
		"rate-limit-body=html":         needsHour,
		"rate-limit-body=none":         needsHour,
	}
	takenFor = map[string]string{"duplicates=any": "duplicates=revoked"}
)

func TestAskReportsExactlyTheFlip(t *testing.T) {
	inBubble(t, "none", func(t *testing.T) { checkFlip(t, "", clerktest.Behavior{}) })
	for name, behavior := range clerktest.Behaviors() {
		inBubble(t, name, func(t *testing.T) { checkFlip(t, name, behavior) })
	}
}

func checkFlip(t *testing.T, name string, behavior clerktest.Behavior) {
	t.Helper()
	fake := newFake(t, 3, clerktest.WithBehavior(behavior))
	begin := time.Now()
	r, err := runAgainst(t.Context(), fake)
	require.NoError(t, err)
	require.NoError(t, r.err)
	want := []string{name}
	if other := takenFor[name]; other != "" {
		want = []string{other}
	}
	if name == "" || unseen[name] != "" {
		want = []string{}
	}
	require.Equal(t, want, flips(r))
	require.Empty(t, left(fake))
	require.Len(t, fake.Invitations(), 3)
	require.LessOrEqual(t, r.sent, maxRequests)
	require.Less(t, time.Since(begin), 10*time.Minute)
	t.Log(r.sent, "requests in", time.Since(begin))
}
