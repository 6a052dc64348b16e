package clerkriver

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestResultsFromAPlaceOn(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(2500))
	place := 1499
	for result, err := range a.Results(t.Context(), "spring", 1499) {
		require.NoError(t, err)
		require.Equal(t, place, result.Place)
		require.Equal(t, fmt.Sprint("user_", place), result.Ref)
		require.Equal(t, guest(place), result.EmailAddress)
		require.NotContains(t, fmt.Sprintf("%+v %#v %s", result, result, result.LogValue()), "@")
		place++
	}
	require.Equal(t, 2500, place)
	for row := range guests(1) {
		require.NotContains(t, fmt.Sprintf("%+v %#v %s", row, row, row), "@")
	}
	for range a.Results(t.Context(), "spring", 0) {
		break
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var last error
	for _, err := range a.Results(ctx, "spring", 0) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
}

// TestResultsOfNoState: a misspelt state must not look like a campaign without such rows.
func TestResultsOfNoState(t *testing.T) {
	t.Parallel()
	a := newApp(t, shared.database(t), Config{}, clerktest.New())
	a.enqueue(t, "spring", guests(3))
	for _, state := range []State{"already invited", "Waiting", ""} {
		n := 0
		for result, err := range a.Results(t.Context(), "spring", 0, StateWaiting, state) {
			require.ErrorContains(t, err, fmt.Sprintf("clerkriver: %q is not a State", state))
			require.Zero(t, result)
			n++
		}
		require.Equal(t, 1, n)
	}
	for _, state := range states {
		for _, err := range a.Results(t.Context(), "spring", 0, state) {
			require.NoError(t, err)
		}
	}
}
