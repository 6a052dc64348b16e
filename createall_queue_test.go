package clerk

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/limiter"
)

var (
	now     = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	later   = now.Add(time.Minute)
	refusal = &ClerkErrors{class: classRefused}
)

// newItems returns items with the names' letters as their indices.
func newItems(names string) (items []item) {
	for _, name := range names {
		items = append(items, item{index: int(name)})
	}
	return items
}

// sentAt makes items ambiguous since a time.
func sentAt(at time.Time, items []item) []item {
	for i := range items {
		items[i].ambiguity = ambiguity{firstSent: at, failure: refusal}
	}
	return items
}

// failedBefore sets how often items have failed, together and alone, when nothing else
// was settled.
func failedBefore(failures, alone int, items []item) []item {
	for i := range items {
		items[i].failures, items[i].alone, items[i].firstFailed = failures, alone, now
	}
	return items
}

func namesOf(items []item) string {
	var b strings.Builder
	for _, it := range items {
		b.WriteRune(rune(it.index))
	}
	return b.String()
}

// describe returns the parts of a queue that are not empty. A parked group that is not due
// is followed by its wait.
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
	due := func(names string) parkedGroup { return parkedGroup{newItems(names), now} }
	for name, test := range map[string]struct {
		queue          queue
		creates, bulks int
		batch          string // single creates are marked with a 1
		others, left   string
	}{
		"a full bulk":               {queue{ready: newItems("abcdefghijkl")}, 90, 25, "abcdefghij", "", "ready:kl"},
		"what there is":             {queue{ready: newItems("abc")}, 90, 25, "abc", "", ""},
		"one, by a create":          {queue{ready: newItems("a")}, 90, 25, "1a", "", ""},
		"one, by a bulk":            {queue{ready: newItems("a")}, 0, 25, "a", "", ""},
		"no bulks left":             {queue{ready: newItems("abc")}, 90, 0, "1a", "", "ready:bc"},
		"new before ambiguous":      {queue{ready: append(newItems("ab"), sentAt(now, newItems("c"))...)}, 90, 25, "ab", "", "ready:c"},
		"ambiguous since one time":  {queue{ready: sentAt(now, newItems("abc"))}, 90, 25, "abc", "", ""},
		"ambiguous since two times": {queue{ready: append(sentAt(now, newItems("a")), sentAt(later, newItems("bc"))...)}, 0, 25, "a", "", "ready:bc"},

		"bisecting, by creates":           {queue{bisecting: newItems("abcdefghij")}, 90, 25, "1a", "bcdefghij", ""},
		"bisecting, by as many creates":   {queue{bisecting: newItems("abcd")}, 25, 25, "1a", "bcd", ""},
		"bisecting, by bulks":             {queue{bisecting: newItems("abcdefghij")}, 4, 25, "abcde", "fghij", ""},
		"an odd number of bisecting":      {queue{bisecting: newItems("abcde")}, 4, 25, "abc", "de", ""},
		"two bisecting":                   {queue{bisecting: newItems("ab")}, 1, 25, "1a", "b", ""},
		"two bisecting, without creates":  {queue{bisecting: newItems("ab")}, 0, 25, "a", "b", ""},
		"bisecting, without bulks":        {queue{bisecting: newItems("abc")}, 1, 0, "1a", "bc", ""},
		"bisecting before the others":     {queue{bisecting: newItems("ab"), ready: newItems("c"), parked: []parkedGroup{due("d")}, turn: true}, 0, 25, "a", "b", "ready:c parked:d"},
		"parked, alone":                   {queue{parked: []parkedGroup{due("ab")}}, 90, 25, "ab", "", ""},
		"parked, one":                     {queue{parked: []parkedGroup{due("a")}}, 90, 25, "1a", "", ""},
		"parked, by creates":              {queue{parked: []parkedGroup{due("ab")}}, 90, 0, "1a", "", "parked:b"},
		"parked, in their turn":           {queue{ready: newItems("a"), parked: []parkedGroup{due("bc")}, turn: true}, 90, 25, "bc", "", "ready:a"},
		"parked, not in their turn":       {queue{ready: newItems("ab"), parked: []parkedGroup{due("cd")}}, 90, 25, "ab", "", "parked:cd"},
		"parked, not due":                 {queue{ready: newItems("ab"), parked: []parkedGroup{{newItems("cd"), later}}, turn: true}, 90, 25, "ab", "", "parked:cd+1m0s"},
		"the first that is due of parked": {queue{parked: []parkedGroup{{newItems("ab"), later}, due("cd"), due("ef")}}, 90, 25, "cd", "", "parked:ab+1m0s parked:ef"},
		"parked, of two ambiguities": {
			queue{parked: []parkedGroup{{append(sentAt(now, newItems("ab")), newItems("c")...), now}}}, 90, 25, "ab", "", "parked:c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := test.queue
			b, single := q.next(now, test.creates, test.bulks)
			got := namesOf(b.items)
			if single {
				got = "1" + got
			}
			require.Equal(t, test.batch, got)
			require.Equal(t, test.others, namesOf(b.others))
			require.Equal(t, test.left, describe(&q))
		})
	}
}

// TestQueueTakesTurns has ready and parked items sent alternately.
func TestQueueTakesTurns(t *testing.T) {
	q := queue{ready: newItems("abc"), parked: []parkedGroup{{newItems("d"), now}, {newItems("e"), now}}}
	var order string
	for !q.isEmpty() {
		b, single := q.next(now, 90, 0)
		require.True(t, single)
		order += namesOf(b.items)
	}
	require.Equal(t, "adbec", order)
}

func TestQueueSucceeded(t *testing.T) {
	parked := []parkedGroup{{failedBefore(2, 1, newItems("c")), later}}
	long := failedBefore(2, 1, newItems("c"))
	long[0].settledBefore = -1 // other items were settled after it failed
	for name, test := range map[string]struct {
		queue queue
		batch batch
		want  string
	}{
		"all":                   {queue{ready: newItems("c")}, batch{items: newItems("ab")}, "ready:c"},
		"half of the bisecting": {queue{ready: newItems("c")}, batch{items: newItems("a"), others: newItems("b"), from: fromBisecting}, "bisecting:b ready:c"},
		"after few failures":    {queue{parked: parked, streak: outageFailures - 1}, batch{items: newItems("a")}, "parked:c+1m0s"},
		"after an outage":       {queue{ready: newItems("b"), parked: parked, streak: outageFailures}, batch{items: newItems("a")}, "ready:cb"},
		"after an outage, and one that failed before": {
			queue{parked: []parkedGroup{{long, later}}, streak: outageFailures}, batch{items: newItems("a")}, "parked:c+1m0s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := test.queue
			q.succeeded(test.batch)
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
		batch  batch
		rest   string
		blamed bool
		want   string // z is ready before
	}{
		"one, and it is blamed":              {batch{items: newItems("a")}, "", true, "ready:z"},
		"one of the bisecting":               {batch{items: newItems("a"), others: newItems("bc"), from: fromBisecting}, "", true, "ready:bcz"},
		"a bulk without names":               {batch{items: newItems("abcd")}, "abcd", false, "bisecting:abcd ready:z"},
		"a bulk with names":                  {batch{items: newItems("abcd")}, "acd", true, "ready:acdz"},
		"a bulk with everybody's names":      {batch{items: newItems("abcd")}, "", true, "ready:z"},
		"a bulk of which part was created":   {batch{items: newItems("abcd")}, "cd", false, "bisecting:cd ready:z"},
		"half of the bisecting":              {batch{items: newItems("ab"), others: newItems("cd"), from: fromBisecting}, "ab", false, "bisecting:ab ready:cdz"},
		"half of the bisecting, with names":  {batch{items: newItems("ab"), others: newItems("cd"), from: fromBisecting}, "b", true, "bisecting:bcd ready:z"},
		"half of the bisecting, all blamed":  {batch{items: newItems("ab"), others: newItems("cd"), from: fromBisecting}, "", true, "bisecting:cd ready:z"},
		"half of the bisecting, all created": {batch{items: newItems("ab"), others: newItems("cd"), from: fromBisecting}, "", false, "bisecting:cd ready:z"},
		"a parked group":                     {batch{items: newItems("ab"), from: fromParked}, "ab", false, "bisecting:ab ready:z"},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue{ready: newItems("z"), streak: 3}
			q.refused(test.batch, newItems(test.rest), test.blamed)
			require.Equal(t, test.want, describe(&q))
			require.Zero(t, q.streak, "Clerk has answered")
			require.Equal(t, len(test.batch.items), q.settled)
		})
	}
}

func TestQueueFailed(t *testing.T) {
	const notSent, limited, ambiguous = classNotSent, classRateLimited, classAmbiguous
	bisecting := batch{items: newItems("ab"), others: newItems("cd"), from: fromBisecting}
	parked := batch{items: newItems("ab"), from: fromParked}
	one, two := batch{items: newItems("a")}, batch{items: newItems("ab")}
	for name, test := range map[string]struct {
		batch   batch
		rest    []item
		class   class
		settled int
		at      time.Time
		want    string // z is ready before
		ended   string
	}{
		"a bulk, all of which was created": {two, nil, ambiguous, 0, now, "ready:z", ""},
		"bisecting, all of which created":  {bisecting, nil, ambiguous, 0, now, "ready:cdz", ""},

		"not sent":                {two, newItems("ab"), notSent, 0, now, "ready:abz", ""},
		"not sent, again":         {two, failedBefore(5, 5, newItems("ab")), notSent, 9, now, "ready:abz", ""},
		"bisecting not sent":      {bisecting, newItems("ab"), notSent, 0, now, "bisecting:abcd ready:z", ""},
		"a parked group not sent": {parked, newItems("ab"), notSent, 0, now, "ready:z parked:ab", ""},

		"together, for the first time":        {two, newItems("ab"), ambiguous, 0, now, "ready:abz", ""},
		"rate limited, for the first time":    {two, newItems("ab"), limited, 0, now, "ready:zab", ""},
		"rate limited, nobody gets through":   {two, failedBefore(1, 0, newItems("ab")), limited, 0, now, "ready:zab", ""},
		"rate limited, others get through":    {two, failedBefore(1, 0, newItems("ab")), limited, 1, now, "ready:z parked:a parked:b", ""},
		"refused without explanation":         {two, newItems("ab"), classRefused, 0, now, "ready:abz", ""},
		"bisecting, for the first time":       {bisecting, newItems("ab"), classFailed, 0, now, "bisecting:abcd ready:z", ""},
		"ambiguous bisecting":                 {bisecting, sentAt(now, newItems("ab")), ambiguous, 0, now, "ready:abcdz", ""},
		"together, for the second time":       {two, failedBefore(1, 0, newItems("ab")), ambiguous, 0, now, "ready:z parked:a parked:b", ""},
		"three, for the second time":          {batch{items: newItems("abc")}, failedBefore(1, 0, newItems("abc")), ambiguous, 0, now, "ready:z parked:ab parked:c", ""},
		"bisecting, for the second time":      {bisecting, failedBefore(1, 0, newItems("ab")), ambiguous, 0, now, "ready:cdz parked:a parked:b", ""},
		"one left of two, the second time":    {two, failedBefore(1, 0, newItems("a")), ambiguous, 0, now, "ready:z parked:a", ""},
		"one left of a parked group":          {parked, failedBefore(1, 0, newItems("a")), ambiguous, 0, now, "ready:z parked:a+2m0s", ""},
		"alone, for the first time":           {one, newItems("a"), ambiguous, 0, now, "ready:za", ""},
		"alone, for the second time":          {one, failedBefore(1, 1, newItems("a")), ambiguous, 0, now, "ready:z parked:a+4m0s", ""},
		"alone, for the fourth time":          {one, failedBefore(3, 3, newItems("a")), ambiguous, 9, now, "ready:z parked:a+15m0s", ""},
		"alone five times, others succeed":    {one, failedBefore(4, 4, newItems("a")), ambiguous, 1, now, "ready:z", "a"},
		"alone five times, nobody succeeds":   {one, failedBefore(4, 4, newItems("a")), ambiguous, 0, now, "ready:z parked:a+15m0s", ""},
		"alone for a day, nobody succeeds":    {one, failedBefore(9, 9, newItems("a")), ambiguous, 0, now.Add(longPatience), "ready:z", "a"},
		"alone for a day, but not so often":   {one, failedBefore(1, 1, newItems("a")), ambiguous, 0, now.Add(longPatience), "ready:z parked:a+24h4m0s", ""},
		"alone and limited, others succeed":   {one, failedBefore(4, 4, newItems("a")), limited, 1, now, "ready:z", "a"},
		"alone of bisecting, the first time":  {batch{items: newItems("a"), others: newItems("bc"), from: fromBisecting}, newItems("a"), classFailed, 0, now, "bisecting:abc ready:z", ""},
		"alone of bisecting, the second time": {batch{items: newItems("a"), others: newItems("bc"), from: fromBisecting}, failedBefore(1, 0, newItems("a")), classFailed, 0, now, "ready:bcz parked:a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue{ready: newItems("z"), settled: test.settled, streak: 2}
			ended := q.failed(test.batch, test.rest, &SDKError{class: test.class}, test.at)
			require.Equal(t, test.want, describe(&q))
			require.Equal(t, test.ended, namesOf(ended))
			require.Equal(t, 3, q.streak)
			require.Equal(t, test.settled, q.settled, "it is not settled")
		})
	}
}

// TestQueueSendsTheOnlyItemAgainFirst has nothing to send before an item that has failed.
func TestQueueSendsTheOnlyItemAgainFirst(t *testing.T) {
	var q queue
	require.Empty(t, q.failed(batch{items: newItems("a")}, newItems("a"), &SDKError{class: classAmbiguous}, now))
	require.Equal(t, "ready:a", describe(&q))
	require.Equal(t, 1, q.ready[0].failures)
	require.Equal(t, 1, q.ready[0].alone)
	require.Equal(t, now, q.ready[0].firstFailed)
}

func TestQueueIsFull(t *testing.T) {
	many := parkedGroup{make([]item, maxParked), now}
	for name, test := range map[string]struct {
		queue queue
		want  bool
	}{
		"nothing":            {queue{}, false},
		"less than a bulk":   {queue{ready: make([]item, MaxBulkInvitations-1)}, false},
		"a bulk":             {queue{ready: make([]item, MaxBulkInvitations)}, true},
		"bisecting":          {queue{bisecting: newItems("a")}, true},
		"a few repeats":      {queue{repeats: make([]item, maxRepeats-1)}, false},
		"many repeats":       {queue{repeats: make([]item, maxRepeats)}, true},
		"a few parked items": {queue{parked: []parkedGroup{{many.items[1:], now}}}, false},
		"many parked items":  {queue{parked: []parkedGroup{{many.items[:50], now}, {many.items[50:], later}}}, true},
	} {
		require.Equal(t, test.want, test.queue.isFull(), name)
	}
}

func TestQueueWait(t *testing.T) {
	for name, test := range map[string]struct {
		queue queue
		want  time.Duration
		isDue bool
	}{
		"nothing":          {queue{}, limiter.Never, false},
		"a ready item":     {queue{ready: newItems("a"), parked: []parkedGroup{{newItems("b"), later}}}, 0, false},
		"bisecting":        {queue{bisecting: newItems("a")}, 0, false},
		"parked items":     {queue{parked: []parkedGroup{{newItems("a"), later.Add(1)}, {newItems("b"), later}}}, time.Minute, false},
		"due parked items": {queue{parked: []parkedGroup{{newItems("a"), later}, {newItems("b"), now}}}, 0, true},
		"overdue items":    {queue{parked: []parkedGroup{{newItems("a"), now.Add(-time.Hour)}}}, 0, true},
	} {
		require.Equal(t, test.want, test.queue.wait(now), name)
		require.Equal(t, test.isDue, test.queue.isDue(now), name)
	}
	all := queue{bisecting: newItems("a"), ready: newItems("b"), parked: []parkedGroup{{newItems("cd"), later}}, repeats: newItems("e")}
	require.Equal(t, "abcd", namesOf(all.all()))
	require.False(t, all.isEmpty())
	require.True(t, (&queue{repeats: newItems("a")}).isEmpty(), "a repeat waits for the others")
}
