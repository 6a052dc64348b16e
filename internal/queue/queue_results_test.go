package queue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQueueSucceeded(t *testing.T) {
	parked := func() groups { return groups{{failedBefore(2, 1, newItems("c")), later}} }
	long := failedBefore(2, 1, newItems("c"))
	long[0].settledBefore = -1 // other items were settled after it failed
	for name, test := range map[string]struct {
		queue queue
		batch sent
		want  string
	}{
		"all":                   {queue{ready: newItems("c")}, sent{items: "ab"}, "ready:c"},
		"half of the bisecting": {queue{ready: newItems("c")}, sent{items: "a", others: "b", from: fromBisecting}, "bisecting:b ready:c"},
		"after few failures":    {queue{parked: parked(), streak: outageFailures - 1}, sent{items: "a"}, "parked:c+1m0s"},
		"after an outage":       {queue{ready: newItems("b"), parked: parked(), streak: outageFailures}, sent{items: "a"}, "ready:cb"},
		"after an outage, and one that failed before": {
			queue{parked: groups{{long, later}}, streak: outageFailures}, sent{items: "a"}, "parked:c+1m0s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := test.queue
			q.Succeeded(test.batch.leave(&q))
			require.Equal(t, test.want, describe(&q))
			require.Zero(t, q.streak)
			require.Equal(t, len(test.batch.items), q.settled)
			for _, it := range q.ready {
				require.Zero(t, it.failures)
				require.Zero(t, it.alone)
			}
		})
	}
}

func TestQueueRefused(t *testing.T) {
	for name, test := range map[string]struct {
		batch  sent
		rest   string
		blamed bool
		want   string // z is ready before
	}{
		"one, and it is blamed":                  {sent{items: "a"}, "", true, "ready:z"},
		"one of the bisecting":                   {sent{items: "a", others: "bc", from: fromBisecting}, "", true, "ready:bcz"},
		"a batch, none blamed":                   {sent{items: "abcd"}, "abcd", false, "bisecting:abcd ready:z"},
		"a batch, one blamed":                    {sent{items: "abcd"}, "acd", true, "ready:acdz"},
		"a batch, all blamed":                    {sent{items: "abcd"}, "", true, "ready:z"},
		"a batch carried out in part":            {sent{items: "abcd"}, "cd", false, "bisecting:cd ready:z"},
		"half of the bisecting":                  {sent{items: "ab", others: "cd", from: fromBisecting}, "ab", false, "bisecting:ab ready:cdz"},
		"half of the bisecting, one blamed":      {sent{items: "ab", others: "cd", from: fromBisecting}, "b", true, "bisecting:bcd ready:z"},
		"half of the bisecting, all blamed":      {sent{items: "ab", others: "cd", from: fromBisecting}, "", true, "bisecting:cd ready:z"},
		"half of the bisecting, all carried out": {sent{items: "ab", others: "cd", from: fromBisecting}, "", false, "bisecting:cd ready:z"},
		"a parked group":                         {sent{items: "ab", from: fromParked}, "ab", false, "bisecting:ab ready:z"},
		"a parked group, one blamed":             {sent{items: "ab", from: fromParked}, "b", true, "ready:z parked:b"},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue{ready: newItems("z"), streak: 3}
			q.Refused(test.batch.leave(&q), newItems(test.rest), test.blamed)
			require.Equal(t, test.want, describe(&q))
			require.Zero(t, q.streak, "it got an answer")
			require.Equal(t, len(test.batch.items), q.settled)
		})
	}
}

func TestQueueRefusedEndsAnOutage(t *testing.T) {
	it := newItems("a")
	it[0].failures, it[0].alone, it[0].firstFailed = 9, 9, now
	q := queue{max: 10, parked: groups{{it, later}}, streak: outageFailures}
	q.Refused(sent{items: "b"}.leave(&q), nil, true)
	require.Equal(t, "ready:a", describe(&q))
}

func TestQueueFailed(t *testing.T) {
	bisecting := sent{items: "ab", others: "cd", from: fromBisecting}
	parked := sent{items: "ab", from: fromParked}
	one, two := sent{items: "a"}, sent{items: "ab"}
	for name, test := range map[string]struct {
		batch   sent
		rest    items
		why     Reason
		settled int
		at      time.Time
		want    string // z is ready before
		givenUp string
	}{
		"a batch, all of which was carried out":   {two, nil, OtherReason, 0, now, "ready:z", ""},
		"bisecting, all of which was carried out": {bisecting, nil, OtherReason, 0, now, "ready:cdz", ""},

		"not sent":                    {two, newItems("ab"), NotSent, 0, now, "ready:abz", ""},
		"not sent, again":             {two, failedBefore(5, 5, newItems("ab")), NotSent, 9, now, "ready:abz", ""},
		"bisecting not sent":          {bisecting, newItems("ab"), NotSent, 0, now, "bisecting:abcd ready:z", ""},
		"the last bisecting not sent": {sent{items: "a", from: fromBisecting}, newItems("a"), NotSent, 0, now, "bisecting:a ready:z", ""},
		"a parked group not sent":     {parked, newItems("ab"), NotSent, 0, now, "ready:z parked:ab", ""},

		"together, for the first time":        {two, newItems("ab"), OtherReason, 0, now, "ready:abz", ""},
		"rate limited, for the first time":    {two, newItems("ab"), RateLimited, 0, now, "ready:zab", ""},
		"rate limited, nobody succeeds":       {two, failedBefore(1, 0, newItems("ab")), RateLimited, 0, now, "ready:zab", ""},
		"rate limited, others succeed":        {two, failedBefore(1, 0, newItems("ab")), RateLimited, 1, now, "ready:z parked:a parked:b", ""},
		"refused without explanation":         {two, newItems("ab"), OtherReason, 0, now, "ready:abz", ""},
		"bisecting, for the first time":       {bisecting, newItems("ab"), OtherReason, 0, now, "bisecting:abcd ready:z", ""},
		"ambiguous bisecting":                 {bisecting, sentAt(now, newItems("ab")), OtherReason, 0, now, "ready:abcdz", ""},
		"together, for the second time":       {two, failedBefore(1, 0, newItems("ab")), OtherReason, 0, now, "ready:z parked:a parked:b", ""},
		"three, for the second time":          {sent{items: "abc"}, failedBefore(1, 0, newItems("abc")), OtherReason, 0, now, "ready:z parked:ab parked:c", ""},
		"bisecting, for the second time":      {bisecting, failedBefore(1, 0, newItems("ab")), OtherReason, 0, now, "ready:cdz parked:a parked:b", ""},
		"one left of two, the second time":    {two, failedBefore(1, 0, newItems("a")), OtherReason, 0, now, "ready:z parked:a", ""},
		"a parked group, the second time":     {parked, failedBefore(1, 0, newItems("ab")), OtherReason, 0, now, "ready:z parked:a parked:b", ""},
		"one left of a parked group":          {parked, failedBefore(1, 0, newItems("a")), OtherReason, 0, now, "ready:z parked:a+2m0s", ""},
		"alone, for the first time":           {one, newItems("a"), OtherReason, 0, now, "ready:za", ""},
		"alone, for the second time":          {one, failedBefore(1, 1, newItems("a")), OtherReason, 0, now, "ready:z parked:a+4m0s", ""},
		"alone, for the fourth time":          {one, failedBefore(3, 3, newItems("a")), OtherReason, 9, now, "ready:z parked:a+15m0s", ""},
		"alone for the seventieth time":       {one, failedBefore(69, 69, newItems("a")), OtherReason, 0, now, "ready:z parked:a+15m0s", ""},
		"alone five times, others succeed":    {one, failedBefore(4, 4, newItems("a")), OtherReason, 1, now, "ready:z", "a"},
		"alone five times, nobody succeeds":   {one, failedBefore(4, 4, newItems("a")), OtherReason, 0, now, "ready:z parked:a+15m0s", ""},
		"alone for a day, nobody succeeds":    {one, failedBefore(9, 9, newItems("a")), OtherReason, 0, now.Add(outagePatience), "ready:z", "a"},
		"alone for a day, but only twice":     {one, failedBefore(1, 1, newItems("a")), OtherReason, 0, now.Add(outagePatience), "ready:z parked:a+24h4m0s", ""},
		"alone and limited, others succeed":   {one, failedBefore(4, 4, newItems("a")), RateLimited, 1, now, "ready:z parked:a+15m0s", ""},
		"alone and limited for a day":         {one, failedBefore(9, 9, newItems("a")), RateLimited, 0, now.Add(outagePatience), "ready:z parked:a+24h15m0s", ""},
		"limited four times, then failed":     {one, limitedBefore(4, failedBefore(4, 4, newItems("a"))), OtherReason, 1, now, "ready:z parked:a+15m0s", ""},
		"limited, then failed five times":     {one, limitedBefore(4, failedBefore(8, 8, newItems("a"))), OtherReason, 1, now, "ready:z", "a"},
		"alone of bisecting, the first time":  {sent{items: "a", others: "bc", from: fromBisecting}, newItems("a"), OtherReason, 0, now, "bisecting:abc ready:z", ""},
		"alone of bisecting, the second time": {sent{items: "a", others: "bc", from: fromBisecting}, failedBefore(1, 0, newItems("a")), OtherReason, 0, now, "ready:bcz parked:a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue{ready: newItems("z"), settled: test.settled, streak: 2}
			givenUp := q.Failed(test.batch.leave(&q), test.rest, test.why, test.at)
			require.Equal(t, test.want, describe(&q))
			require.Equal(t, test.givenUp, nameOf(givenUp))
			require.Equal(t, 3, q.streak)
			require.Equal(t, test.settled, q.settled, "it is not settled")
		})
	}
}

func TestQueueSendsTheOnlyItemAgain(t *testing.T) {
	q := queue{max: maxBatch}
	require.Empty(t, q.Failed(sent{items: "a"}.leave(&q), newItems("a"), OtherReason, now))
	require.Equal(t, "ready:a", describe(&q))
	require.Equal(t, 1, q.ready[0].failures)
	require.Equal(t, 1, q.ready[0].alone)
	require.Zero(t, q.ready[0].limited)
	b := q.Next(now, 90, 25)
	require.Empty(t, q.Failed(b, b.Items, RateLimited, now))
	require.Equal(t, []int{2, 1}, []int{b.Items[0].alone, b.Items[0].limited})
	require.Equal(t, now, q.ready[0].firstFailed)
}

// Items fail twice. The second failure may not count.
func TestQueueCountsFailures(t *testing.T) {
	for name, test := range map[string]struct {
		why           Reason
		streak        int // before
		othersSucceed bool
		want          int
	}{
		"not sent":                        {NotSent, 0, true, 1},
		"another reason":                  {OtherReason, 0, false, 2},
		"rate limited, nobody succeeds":   {RateLimited, 0, false, 1},
		"rate limited, others succeed":    {RateLimited, 0, true, 2},
		"rate limited, not yet an outage": {RateLimited, outageFailures - 2, false, 1},
		"rate limited, an outage":         {RateLimited, outageFailures - 1, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			q, rest := queue{settled: 5}, newItems("ab")
			q.Failed(Batch[rune]{Items: rest}, rest, OtherReason, now)
			if test.othersSucceed {
				q.Succeeded(sent{items: "c"}.leave(&q))
			}
			q.streak = test.streak
			q.Failed(Batch[rune]{Items: rest}, rest, test.why, now)
			for _, it := range rest {
				require.Equal(t, test.want, it.failures)
				require.Equal(t, 5, it.settledBefore)
			}
		})
	}
}

func TestQueueIsStuck(t *testing.T) {
	for name, test := range map[string]struct {
		streak, settled int // 3 were settled when the items first failed
		failed          items
		want            bool
	}{
		"everything fails":                 {stuckFailures, 3, newItems("ab"), true},
		"few failures":                     {stuckFailures - 1, 3, newItems("ab"), false},
		"others succeeded since the first": {stuckFailures, 4, newItems("ab"), false},
		"all was carried out":              {stuckFailures, 3, nil, false},
	} {
		for _, it := range test.failed {
			it.settledBefore = 3
		}
		q := queue{streak: test.streak, settled: test.settled}
		require.Equal(t, test.want, q.IsStuck(test.failed), name)
		require.Equal(t, test.streak, q.Streak())
	}
}
