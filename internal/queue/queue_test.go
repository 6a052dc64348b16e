package queue

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
		"the rest, with as many single requests":   {queue{ready: append(sentAt(now, newItems("bc")), newItems("d")...)}, 2, 25, "1b", "ready:cd"},
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

// Single requests and batches have limits of their own, and only one of them may be used up.
func TestQueueAlternatesAfterRateLimits(t *testing.T) {
	q := queue{max: maxBatch, ready: newItems("A")}
	for i, wantSingle := range []bool{true, false, true, false, true} {
		at := now.Add(time.Duration(i) * time.Hour)
		b := q.Next(at, 90, 25)
		require.Equal(t, wantSingle, b.Single)
		require.Empty(t, q.Failed(b, b.Items, RateLimited, at))
	}
	q.SendSingly(func(name rune) bool { return name < 'a' })
	b := q.Next(now.Add(5*time.Hour), 90, 25)
	require.True(t, b.Single)

	q = queue{max: maxBatch, ready: newItems("A")}
	b = q.Next(now, 90, 25)
	require.Empty(t, q.Failed(b, b.Items, OtherReason, now))
	require.True(t, q.Next(now, 90, 25).Single, "no limit is the reason")

	q.parked = groups{{items{{Value: 'A', batchNext: true}}, now}}
	require.False(t, q.Next(now, 90, 25).Single)
	q.parked = groups{{items{{Value: 'A', batchNext: true}}, now}}
	q.SendSingly(func(name rune) bool { return name < 'a' })
	require.True(t, q.Next(now, 90, 25).Single)
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
		"bisecting, ready": {queue{bisecting: newItems("a"), ready: newItems("b")}, 0},
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
	two := queue{ready: newItems("a"), singly: newItems("B")}
	require.False(t, two.IsEmpty())

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
