package queue

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const maxBatch = 10

var (
	now   = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	later = now.Add(time.Minute)
)

type (
	items  = []*Item[rune]
	groups = []group[rune]
	queue  = Queue[rune]
)

// newItems returns items with the letters of names as their values.
func newItems(names string) (all items) {
	for _, name := range names {
		all = append(all, &Item[rune]{Value: name})
	}
	return all
}

// sentAt makes items ambiguous since a time.
func sentAt(at time.Time, all items) items {
	for _, it := range all {
		it.AmbiguousSince = at
	}
	return all
}

// failedBefore sets how often items have failed, in all and alone. Nothing was settled
// before.
func failedBefore(failures, alone int, all items) items {
	for _, it := range all {
		it.failures, it.alone, it.firstFailed = failures, alone, now
	}
	return all
}

// limitedBefore sets how often items have failed alone by a rate limit.
func limitedBefore(limited int, all items) items {
	for _, it := range all {
		it.limited = limited
	}
	return all
}

func namesOf(all items) string {
	var b strings.Builder
	for _, it := range all {
		b.WriteRune(it.Value)
	}
	return b.String()
}

// A sent is a batch that was taken from a queue.
type sent struct {
	items  string
	others string // items under bisection that are left in the queue
	from   origin
}

// leave returns the batch, and sets what it left in the queue.
func (s sent) leave(q *queue) Batch[rune] {
	q.bisecting = newItems(s.others)
	return Batch[rune]{Items: newItems(s.items), from: s.from}
}

// describe returns the parts of a queue that are not empty. A parked group that is not
// due is followed by its wait.
func describe(q *queue) string {
	var parts []string
	if len(q.bisecting) > 0 {
		parts = append(parts, "bisecting:"+namesOf(q.bisecting))
	}
	if len(q.ready) > 0 {
		parts = append(parts, "ready:"+namesOf(q.ready))
	}
	for _, group := range q.parked {
		part := "parked:" + namesOf(group.items)
		if group.after.After(now) {
			part += "+" + group.after.Sub(now).String()
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

func TestQueueNext(t *testing.T) {
	due := func(names string) group[rune] { return group[rune]{newItems(names), now} }
	for name, test := range map[string]struct {
		queue            queue
		singles, batches int
		batch            string // begins with 1 if Single is set
		left             string
	}{
		"a full batch":              {queue{ready: newItems("abcdefghijkl")}, 90, 25, "abcdefghij", "ready:kl"},
		"less than a batch":         {queue{ready: newItems("abc")}, 90, 25, "abc", ""},
		"one, by a single request":  {queue{ready: newItems("a")}, 90, 25, "1a", ""},
		"one, by a batch":           {queue{ready: newItems("a")}, 0, 25, "a", ""},
		"no batches left":           {queue{ready: newItems("abc")}, 90, 0, "1a", "ready:bc"},
		"new before ambiguous":      {queue{ready: append(newItems("ab"), sentAt(now, newItems("c"))...)}, 90, 25, "ab", "ready:c"},
		"ambiguous since one time":  {queue{ready: sentAt(now, newItems("abc"))}, 90, 25, "abc", ""},
		"ambiguous since two times": {queue{ready: append(sentAt(now, newItems("a")), sentAt(later, newItems("bc"))...)}, 0, 25, "a", "ready:bc"},

		"the rest of an ambiguous batch":           {queue{ready: append(sentAt(now, newItems("bc")), newItems("d")...)}, 90, 25, "1b", "ready:cd"},
		"the rest, without enough single requests": {queue{ready: append(sentAt(now, newItems("bc")), newItems("d")...)}, 1, 25, "bc", "ready:d"},

		"bisecting, by single requests":          {queue{bisecting: newItems("abcdefghij")}, 90, 25, "1a", "bisecting:bcdefghij"},
		"bisecting, by as many single requests":  {queue{bisecting: newItems("abcd")}, 25, 25, "1a", "bisecting:bcd"},
		"bisecting, by batches":                  {queue{bisecting: newItems("abcdefghij")}, 4, 25, "abcde", "bisecting:fghij"},
		"an odd number of bisecting":             {queue{bisecting: newItems("abcde")}, 4, 25, "abc", "bisecting:de"},
		"two bisecting":                          {queue{bisecting: newItems("ab")}, 1, 25, "1a", "bisecting:b"},
		"two bisecting, without single requests": {queue{bisecting: newItems("ab")}, 0, 25, "a", "bisecting:b"},
		"bisecting, without batches":             {queue{bisecting: newItems("abc")}, 1, 0, "1a", "bisecting:bc"},
		"bisecting before the others":            {queue{bisecting: newItems("ab"), ready: newItems("c"), parked: groups{due("d")}, parkedNext: true}, 0, 25, "a", "bisecting:b ready:c parked:d"},
		"parked, alone":                          {queue{parked: groups{due("ab")}}, 90, 25, "ab", ""},
		"parked, one":                            {queue{parked: groups{due("a")}}, 90, 25, "1a", ""},
		"parked, by single requests":             {queue{parked: groups{due("ab")}}, 90, 0, "1a", "parked:b"},
		"parked, when it is their turn":          {queue{ready: newItems("a"), parked: groups{due("bc")}, parkedNext: true}, 90, 25, "bc", "ready:a"},
		"parked, when it is not their turn":      {queue{ready: newItems("ab"), parked: groups{due("cd")}}, 90, 25, "ab", "parked:cd"},
		"parked, not due":                        {queue{ready: newItems("ab"), parked: groups{{newItems("cd"), later}}, parkedNext: true}, 90, 25, "ab", "parked:cd+1m0s"},
		"the first parked group that is due":     {queue{parked: groups{{newItems("ab"), later}, due("cd"), due("ef")}}, 90, 25, "cd", "parked:ab+1m0s parked:ef"},
		"parked, ambiguous and new": {
			queue{parked: groups{{append(sentAt(now, newItems("ab")), newItems("c")...), now}}}, 90, 25, "ab", "parked:c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := test.queue
			q.max = maxBatch
			b := q.Next(now, test.singles, test.batches)
			got := namesOf(b.Items)
			if b.Single {
				got = "1" + got
			}
			require.Equal(t, test.batch, got)
			require.Equal(t, test.left, describe(&q))
		})
	}
}

func TestQueueAlternatesReadyAndParkedItems(t *testing.T) {
	q := queue{max: maxBatch, ready: newItems("abc"), parked: groups{{newItems("d"), now}, {newItems("e"), now}}}
	var order string
	for !q.IsEmpty() {
		b := q.Next(now, 90, 0)
		require.True(t, b.Single)
		order += namesOf(b.Items)
	}
	require.Equal(t, "adbec", order)
}

func TestQueueRefusedEndsAnOutage(t *testing.T) {
	it := newItems("a")
	it[0].failures, it[0].alone, it[0].firstFailed = 9, 9, now
	q := queue{max: 10, parked: groups{{it, later}}, streak: outageFailures}
	q.Refused(sent{items: "b"}.leave(&q), nil, true)
	require.Equal(t, "ready:a", describe(&q))
}

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
			require.Equal(t, test.givenUp, namesOf(givenUp))
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

func TestQueueHasBatch(t *testing.T) {
	many := newItems(strings.Repeat("a", maxParked))
	for name, test := range map[string]struct {
		queue queue
		want  bool
	}{
		"nothing":                          {queue{}, false},
		"less than a batch":                {queue{ready: many[:maxBatch-1]}, false},
		"a batch":                          {queue{ready: many[:maxBatch]}, true},
		"bisecting":                        {queue{bisecting: newItems("a")}, true},
		"a few are held":                   {queue{held: make([]rune, maxHeld-1)}, false},
		"many are held":                    {queue{held: make([]rune, maxHeld)}, true},
		"a few parked items":               {queue{parked: groups{{many[1:], later}}}, false},
		"many parked items":                {queue{parked: groups{{many[:50], later}, {many[50:], later}}}, true},
		"due parked items":                 {queue{parked: groups{{newItems("a"), later}, {newItems("b"), now}}}, true},
		"due parked items, their turn":     {queue{ready: newItems("a"), parked: groups{{newItems("b"), now}}, parkedNext: true}, true},
		"due parked items, not their turn": {queue{ready: newItems("a"), parked: groups{{newItems("b"), now}}}, false},
		"parked items, not due":            {queue{ready: newItems("a"), parked: groups{{newItems("b"), later}}, parkedNext: true}, false},
	} {
		test.queue.max = maxBatch
		require.Equal(t, test.want, test.queue.HasBatch(now), name)
	}
}

func TestQueueWait(t *testing.T) {
	for name, test := range map[string]struct {
		queue queue
		want  time.Duration
	}{
		"nothing":          {queue{}, math.MaxInt64},
		"a ready item":     {queue{ready: newItems("a"), parked: groups{{newItems("b"), later}}}, 0},
		"bisecting":        {queue{bisecting: newItems("a")}, 0},
		"parked items":     {queue{parked: groups{{newItems("a"), later.Add(1)}, {newItems("b"), later}}}, time.Minute},
		"due parked items": {queue{parked: groups{{newItems("a"), later}, {newItems("b"), now}}}, 0},
		"overdue items":    {queue{parked: groups{{newItems("a"), now.Add(-time.Hour)}}}, 0},
	} {
		untilBatch, untilSingle := test.queue.Wait(now)
		require.Equal(t, test.want, untilBatch, name)
		require.Equal(t, time.Duration(math.MaxInt64), untilSingle, name)
		require.Equal(t, name == "nothing", test.queue.IsEmpty(), name)
	}
}

func TestQueueSendsSingly(t *testing.T) {
	q := queue{max: maxBatch, ready: newItems("aBcD"), bisecting: newItems("eF")}
	q.ready = append(q.ready, sentAt(now, newItems("G"))...)
	q.SendSingly(func(name rune) bool { return name < 'a' })
	q.Add('h')
	q.Add('I')
	require.False(t, q.HasBatch(now))

	b := q.Next(now, 0, 1)
	require.False(t, b.Single)
	require.Equal(t, "eac", namesOf(b.Items))
	q.Refused(b, b.Items, true)
	b = q.Next(now, 1, 1)
	require.True(t, b.Single)
	require.Equal(t, "F", namesOf(b.Items))
	q.Failed(b, b.Items, NotSent, now)
	for _, name := range []string{"F", "B", "D", "I"} {
		untilBatch, untilSingle := q.Wait(now)
		require.Zero(t, untilBatch)
		require.Zero(t, untilSingle)
		b = q.Next(now, 1, 1)
		require.True(t, b.Single)
		require.Equal(t, name, namesOf(b.Items))
		q.Succeeded(b)
	}
	require.Equal(t, "eac", namesOf(q.Next(now, 1, 1).Items))
	require.Equal(t, "G", namesOf(q.Next(now, 0, 1).Items), "it was sent before")
	require.Equal(t, "h", namesOf(q.Next(now, 0, 1).Items))
	require.True(t, q.IsEmpty())

	for range maxHeld {
		require.False(t, q.HasBatch(now))
		q.Add('J')
	}
	require.True(t, q.HasBatch(now))
	untilBatch, untilSingle := q.Wait(now)
	require.Equal(t, time.Duration(math.MaxInt64), untilBatch)
	require.Zero(t, untilSingle)
	require.False(t, q.IsEmpty())
}

func TestQueueHoldsValuesUntilRelease(t *testing.T) {
	q := New[rune](maxBatch)
	q.Hold('a')
	q.Hold('b')
	require.True(t, q.IsEmpty())
	require.Equal(t, []rune("ab"), q.Release())
	require.Empty(t, q.Release())
	q.Add('c')
	require.False(t, q.IsEmpty())
	require.Equal(t, "ready:c", describe(q))
}

func TestQueueHasAmbiguous(t *testing.T) {
	a, b := newItems("a"), sentAt(now, newItems("b"))
	for name, test := range map[string]struct {
		queue queue
		want  bool
	}{
		"nothing":   {queue{}, false},
		"none":      {queue{bisecting: a, ready: a, parked: groups{{a, later}}}, false},
		"bisecting": {queue{bisecting: append(a, b...)}, true},
		"ready":     {queue{ready: append(a, b...)}, true},
		"parked":    {queue{parked: groups{{a, now}, {append(a, b...), later}}}, true},
	} {
		require.Equal(t, test.want, test.queue.HasAmbiguous(), name)
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
