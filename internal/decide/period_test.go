package decide_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
)

var sent = time.UnixMilli(1_800_000_000_000)

// instant returns a time with a second of tolerance. The likely time is 100 ms later.
func instant(at time.Time, isSharp, isMeasured bool) clock.Instant {
	return clock.Instant{
		Earliest: at.Add(-time.Second), Latest: at.Add(time.Second), Likely: at.Add(100 * time.Millisecond),
		IsSharp: isSharp, IsMeasured: isMeasured,
	}
}

// A write is sent, and has done its work 10 s later. Each bound is tried together with the
// millisecond before or after it.
func TestPeriodTellsWhoseWorkItIs(t *testing.T) {
	const own, unclear, foreign = decide.FoundOwn, decide.FoundUnclear, decide.FoundForeign
	type bound struct {
		at   int64 // milliseconds since it was sent
		want decide.Finding
	}
	for name, test := range map[string]struct {
		isSharp, isMeasured, sharpen, retryDuplicates bool
		bounds                                        []bound
	}{
		"the clocks differ": {bounds: []bound{
			{-1001, foreign}, {-1000, unclear}, {999, unclear}, {1000, own}, {9000, own}, {9001, unclear}, {11000, unclear}, {11001, foreign},
		}},
		"the clocks differ, and it was refused": {sharpen: true, bounds: []bound{{-1001, foreign}, {-1000, unclear}, {1000, own}}},
		"the clocks agree": {isSharp: true, bounds: []bound{
			{-1001, foreign}, {-1000, own}, {11100, own}, {11101, foreign},
		}},
		"refused": {isSharp: true, sharpen: true, bounds: []bound{{-1, foreign}, {0, own}, {11100, own}, {11101, foreign}}},
		"refused, and a retry would be a duplicate": {isSharp: true, sharpen: true, retryDuplicates: true, bounds: []bound{
			{-1001, foreign}, {-1000, unclear}, {-1, unclear}, {0, own},
		}},
		"refused, and the difference was measured": {isSharp: true, isMeasured: true, sharpen: true, retryDuplicates: true, bounds: []bound{
			{-1, foreign}, {0, own},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			start := instant(sent, test.isSharp, test.isMeasured)
			p := decide.NewPeriod(start, instant(sent.Add(10*time.Second), test.isSharp, test.isMeasured))
			if test.sharpen {
				p.Sharpen(start, test.retryDuplicates)
			}
			for _, bound := range test.bounds {
				at := sent.UnixMilli() + bound.at
				require.Equal(t, bound.want, p.Whose(at), bound.at)
				require.Equal(t, bound.want == foreign && bound.at < 0, p.IsPast(at), bound.at)
			}
		})
	}
}

// A list was slow, so its Date leaves open whether the clocks agree.
func TestPeriodClaimsLittleAfterTheEnd(t *testing.T) {
	end := instant(sent.Add(10*time.Second), true, false)
	end.Latest = sent.Add(15 * time.Second)
	p := decide.NewPeriod(instant(sent, true, false), end)
	require.Equal(t, decide.FoundOwn, p.Whose(sent.UnixMilli()+11100))
	require.Equal(t, decide.FoundForeign, p.Whose(sent.UnixMilli()+11101))
}

// So does a list that was slow before the write was sent.
func TestPeriodClaimsLittleBeforeTheStart(t *testing.T) {
	start := instant(sent, true, false)
	start.Earliest = sent.Add(-5 * time.Second)
	p := decide.NewPeriod(start, instant(sent.Add(10*time.Second), true, false))
	for at, want := range map[int64]decide.Finding{
		-5001: decide.FoundForeign, -5000: decide.FoundUnclear, -1901: decide.FoundUnclear, -1900: decide.FoundOwn,
	} {
		require.Equal(t, want, p.Whose(sent.UnixMilli()+at), at)
	}
}
