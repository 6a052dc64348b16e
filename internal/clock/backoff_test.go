package clock_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

func TestBackoffWait(t *testing.T) {
	b := clock.Backoff{Initial: 500 * time.Millisecond, Max: time.Minute, Factor: 1.5}
	for name, test := range map[string]struct {
		attempt int
		asked   time.Duration
		random  float64
		want    time.Duration
	}{
		"the first":               {1, 0, 1, 500*time.Millisecond + 1},
		"the third":               {3, 0, 1, 1125*time.Millisecond + 1},
		"a random part":           {3, 0, 0.5, 562500*time.Microsecond + 1},
		"never zero":              {3, 0, 0, 1},
		"at most Max":             {13, 0, 1, time.Minute + 1},
		"a number that overflows": {math.MaxInt, 0, 1, time.Minute + 1},
		"asked":                   {9, time.Minute, 0, time.Minute},
		"asked, with jitter":      {9, time.Minute, 1, time.Minute + time.Second},
		"asked for a short wait":  {9, time.Second, 1, 1500 * time.Millisecond},
		"asked for the longest":   {1, math.MaxInt64, 1, math.MaxInt64},
	} {
		require.Equal(t, test.want, b.Wait(test.attempt, test.asked, test.random), name)
	}
	require.Equal(t, time.Duration(2), clock.Backoff{}.Wait(1, 0, 1))
}
