package clock_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
)

// dated returns the header of a response whose Date is ahead of the local clock.
func dated(ahead time.Duration) http.Header {
	return http.Header{"Date": {time.Now().Add(ahead).UTC().Format(http.TimeFormat)}}
}

// requireInstant checks how a time is converted, relative to that time.
func requireInstant(t *testing.T, skew *clock.Skew, header http.Header, at time.Time, earliest, latest time.Duration, isSharp bool) {
	t.Helper()
	got, ok := skew.Convert(header, at, 0)
	require.True(t, ok)
	require.Equal(t, earliest, got.Earliest.Sub(at), "earliest")
	require.Equal(t, latest, got.Latest.Sub(at), "latest")
	require.Equal(t, isSharp, got.IsSharp)
}

func TestConvertWithoutMeasurementUsesDateAndLocalClock(t *testing.T) {
	for name, test := range map[string]struct {
		date             time.Duration // ahead of the local clock
		earliest, latest time.Duration
		isSharp          bool
	}{
		"they agree":     {0, -time.Second, 2 * time.Second, true},
		"a second ahead": {time.Second, -time.Second, 3 * time.Second, true},
		"ahead":          {2 * time.Second, -time.Second, 4 * time.Second, false},
		"behind":         {-time.Minute, -time.Minute - time.Second, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := time.Now()
				time.Sleep(10 * time.Second)
				requireInstant(t, new(clock.Skew), dated(test.date), at, test.earliest, test.latest, test.isSharp)
			})
		})
	}
}

func TestConvertNeedsAMeasurementOrADate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		skew := new(clock.Skew)
		for _, header := range []http.Header{nil, {"Date": {"tomorrow"}}} {
			_, ok := skew.Convert(header, time.Now(), 0)
			require.False(t, ok)
		}
		skew.Measure(nil, time.Now(), 0, true)
		requireInstant(t, skew, nil, time.Now(), -time.Second, time.Second, true)
	})
}

func TestMeasureLearnsTheClockOfObjects(t *testing.T) {
	for name, test := range map[string]struct {
		date, set        time.Duration // ahead of the local clock
		took             time.Duration
		isNew            bool
		earliest, latest time.Duration
	}{
		"the same":                       {0, 0, 0, false, -time.Second, time.Second},
		"the Date is ahead":              {3 * time.Second, 0, 0, false, -time.Second, time.Second},
		"the Date is behind":             {-time.Minute, 0, 0, false, -time.Second, time.Second},
		"the local clock is behind":      {time.Hour, time.Hour, 0, false, time.Hour - time.Second, time.Hour + time.Second},
		"the request took half a second": {0, -time.Second / 2, time.Second / 2, false, -1500 * time.Millisecond, time.Second},
		"it is ahead of both":            {0, 3 * time.Second, 0, false, 2 * time.Second, 4 * time.Second},
		"it is between them":             {-time.Hour, -time.Minute, 0, false, -61 * time.Second, -59 * time.Second},
		"it is behind both":              {0, -time.Minute, 0, true, -61 * time.Second, -59 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				skew := new(clock.Skew)
				skew.Measure(dated(test.date), time.Now().Add(test.set), test.took, test.isNew)
				time.Sleep(time.Hour)
				requireInstant(t, skew, dated(test.date), time.Now(), test.earliest, test.latest, true)
			})
		})
	}
}

func TestMeasureIgnoresWhatTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		skew := new(clock.Skew)
		learn := func() { skew.Measure(dated(3*time.Second), time.Now(), 0, true) }
		for range 5 {
			learn()
		}
		skew.Measure(dated(0), time.Now().Add(-20*time.Second), 30*time.Second, true)
		skew.Measure(dated(0), time.Now().Add(-time.Hour), 0, false) // it may be older
		requireInstant(t, skew, dated(3*time.Second), time.Now(), -time.Second, time.Second, true)
	})
}

// The clocks of several servers differ, and one of them is set.
func TestMeasureKeepsTheLatestMeasurements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		skew, header := new(clock.Skew), dated(0)
		skew.Measure(header, time.Now(), 0, true)
		skew.Measure(header, time.Now().Add(time.Second/2), 0, true)
		requireInstant(t, skew, header, time.Now(), -time.Second, 1500*time.Millisecond, true)
		for range 4 {
			skew.Measure(header, time.Now().Add(2*time.Second), 0, true)
		}
		requireInstant(t, skew, header, time.Now(), time.Second, 3*time.Second, true)
		skew.Measure(header, time.Now().Add(-time.Second), 0, true)
		requireInstant(t, skew, header, time.Now(), -2*time.Second, 3*time.Second, false)
	})
}

// The machine is suspended, or its clock or the server's is changed.
func TestJumpsMakeTimesUnclear(t *testing.T) {
	for name, test := range map[string]struct {
		isMeasured       bool
		jump, date       time.Duration
		hasNoDate        bool
		earliest, latest time.Duration
		isSharp          bool
	}{
		"suspended":                     {false, 8 * time.Hour, 0, false, -time.Second, 8*time.Hour + 2*time.Second, false},
		"suspended, measured":           {true, 8 * time.Hour, 0, false, -time.Second, time.Second, true},
		"suspended, measured, no Date":  {true, 8 * time.Hour, 0, true, -8*time.Hour - time.Second, time.Second, false},
		"set forward a little":          {true, 700 * time.Millisecond, 0, false, -1700 * time.Millisecond, time.Second, true},
		"set forward, measured":         {true, 3 * time.Second, 0, false, -4 * time.Second, time.Second, false},
		"set back an hour, measured":    {true, -time.Hour, time.Hour, false, -time.Second, time.Hour + 2*time.Second, false},
		"the server is set, measured":   {true, 0, -time.Hour, false, -time.Hour - 2*time.Second, time.Second, false},
		"the server is set, unmeasured": {false, 0, -time.Hour, false, -time.Hour - time.Second, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				skew := &clock.Skew{Jumped: func(time.Time) time.Duration { return test.jump }}
				if test.isMeasured {
					skew.Measure(dated(0), time.Now(), 0, true)
				}
				header := dated(test.date)
				if test.hasNoDate {
					header = nil
				}
				requireInstant(t, skew, header, time.Now(), test.earliest, test.latest, test.isSharp)
			})
		})
	}
}

func TestClocksHaveNotJumpedByDefault(t *testing.T) {
	skew := new(clock.Skew)
	at := time.Now()
	got, ok := skew.Convert(dated(0), at, 0)
	require.True(t, ok)
	require.True(t, got.IsSharp)
	require.Equal(t, at.UnixNano(), got.Likely.UnixNano())
}
