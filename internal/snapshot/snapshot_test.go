package snapshot

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// list records a listing of items in one list that had total items, and returns a line for
// each change, such as "a new", "a changed" or "a gone".
func list(s *Snapshot, now int64, total int, items ...Item) (changes []string) {
	l := s.List()
	l.Begin(now, total)
	for _, item := range items {
		isNew, changed := l.Record(item)
		if isNew {
			changes = append(changes, item.ID+" new")
		}
		if changed {
			changes = append(changes, item.ID+" changed")
		}
	}
	gone := l.End()
	slices.Sort(gone)
	for _, id := range gone {
		s.Remove(id)
		changes = append(changes, id+" gone")
	}
	return changes
}

const start, hour = int64(1_800_000_000_000), int64(3_600_000)

func open(id string) Item { return Item{ID: id, Created: start - hour} }

func with(item Item, state State, updated int64) Item {
	item.State, item.Updated = state, updated
	return item
}

func TestFirstListingOnlyRecords(t *testing.T) {
	var s Snapshot
	require.Empty(t, list(&s, start, 2, open("a"), with(open("b"), Accepted, start-1)))
	require.Empty(t, list(&s, start+1, 2, open("a"), with(open("b"), Accepted, start-1)))
}

func TestChangesAreReportedOnce(t *testing.T) {
	var s Snapshot
	list(&s, start, 2, open("a"), open("b"))
	accepted, late := with(open("a"), Accepted, start+1), Item{ID: "c", Created: start + 1}
	require.Equal(t, []string{"a changed", "c new"}, list(&s, start+2, 3, accepted, open("b"), late))
	require.Empty(t, list(&s, start+3, 3, accepted, open("b"), late))
}

func TestNewItemCanHaveChangedAlready(t *testing.T) {
	var s Snapshot
	list(&s, start, 0)
	require.Equal(t, []string{"a new", "a changed"}, list(&s, start+2, 1, Item{ID: "a", State: Accepted, Created: start + 1, Updated: start + 1}))
}

func TestStatesThatAreKept(t *testing.T) {
	for _, test := range []struct {
		from, to State
		changes  bool
	}{
		{Open, Expired, true},
		{Open, Revoked, true},
		{Open, Accepted, true},
		{Expired, Accepted, true},
		{Expired, Revoked, true},
		{Expired, Open, false},
		{Revoked, Accepted, false},
		{Revoked, Open, false},
		{Accepted, Revoked, false},
		{Accepted, Expired, false},
	} {
		var s Snapshot
		list(&s, start, 1, with(open("a"), test.from, start))
		require.Equal(t, test.changes, list(&s, start+1, 1, with(open("a"), test.to, start)) != nil, test)
		back := list(&s, start+2, 1, with(open("a"), test.from, start))
		require.Empty(t, back, test)
	}
}

func TestAbsenceCountsWhenASecondListingConfirmsIt(t *testing.T) {
	var s Snapshot
	list(&s, start, 2, open("a"), open("b"))
	require.Empty(t, list(&s, start+1, 1, open("b")))
	require.Equal(t, []string{"a gone"}, list(&s, start+2, 1, open("b")))
	require.Empty(t, list(&s, start+3, 1, open("b")))
}

func TestItemThatIsSeenAgainWasNotGone(t *testing.T) {
	var s Snapshot
	list(&s, start, 2, open("a"), open("b"))
	require.Empty(t, list(&s, start+1, 1, open("b")))
	require.Empty(t, list(&s, start+2, 2, open("a"), open("b")))
	require.Empty(t, list(&s, start+3, 1, open("b")))
}

func TestItemThatWasSkippedHasChangedSince(t *testing.T) {
	for updated, want := range map[int64][]string{start - 1: nil, start: {"a changed"}} {
		var s Snapshot
		list(&s, start, 1)
		require.Equal(t, want, list(&s, start+hour, 1, with(open("a"), Accepted, updated)))
	}
}

func TestListThatShiftedProvesNoAbsence(t *testing.T) {
	var s Snapshot
	list(&s, start, 2, open("a"), open("b"))
	for _, created := range []int64{start + hour - 5000, start + hour, start + 2*hour} { // this item does not make up for a
		added := Item{ID: "c", Created: created}
		for range 3 {
			require.NotContains(t, list(&s, start+hour, 2, open("b"), added), "a gone")
		}
	}
	for range 3 {
		require.Empty(t, list(&s, start+hour, -1, open("b")), "the total is not known")
	}
}

func TestEveryListOfAListingCounts(t *testing.T) {
	var s Snapshot
	list(&s, start, 2, open("a"), open("b"))
	for range 3 {
		l := s.List()
		l.Begin(start+1, 2)
		l.Record(open("b")) // a was skipped
		l.Begin(start+2, 0)
		require.Empty(t, l.End())
	}
}

func TestItemThatTheFirstListingSkippedIsNotNew(t *testing.T) {
	var s Snapshot
	list(&s, start, 2, open("b"))
	require.Empty(t, list(&s, start+1, 2, open("a"), open("b")))
	require.Equal(t, []string{"c changed"}, list(&s, start+2, 3, open("a"), open("b"), with(open("c"), Accepted, start+1)))
	require.Empty(t, list(&s, start+3, 4, open("a"), open("b"), with(open("d"), Accepted, start-1)))
	require.Equal(t, []string{"e new"}, list(&s, start+4, 4, Item{ID: "e", Created: start - lag}), "lists may show it late")
}

func TestSnapshotIsKeptAsBytes(t *testing.T) {
	var s, read Snapshot
	list(&s, start, 4, open("inv_2abcdefghijklmnopqrstuvwxyz"), with(open("inv_b"), Expired, start), with(open("other"), Revoked, start), with(open(""), Accepted, start))
	list(&s, start+1, 3, open("inv_2abcdefghijklmnopqrstuvwxyz"), with(open("inv_b"), Expired, start), with(open("other"), Revoked, start))
	data, err := s.MarshalBinary()
	require.NoError(t, err)
	require.NoError(t, read.UnmarshalBinary(data))
	require.Equal(t, s, read)
	for n := range data {
		require.Error(t, new(Snapshot).UnmarshalBinary(data[:n]))
	}
	require.Error(t, read.UnmarshalBinary(append(data, 0)))
	require.Equal(t, s, read, "unchanged after an error")
	data[0] = 2
	require.ErrorIs(t, read.UnmarshalBinary(data), errFormat)
}

func TestSnapshotTakesAboutThirtyBytesAnItem(t *testing.T) {
	var s Snapshot
	l := s.List()
	for i := range 1000 {
		l.Record(Item{ID: "inv_" + string(rune('a'+i%26)) + "2345678901234567890123" + string(rune('A'+i/26%26)) + "23"})
	}
	data, err := s.MarshalBinary()
	require.NoError(t, err)
	require.Less(t, len(data)/len(s.known), 35)
}

func FuzzUnmarshal(f *testing.F) {
	var s Snapshot
	list(&s, start, 2, open("inv_a"), open("other"))
	data, _ := s.MarshalBinary()
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var s, again Snapshot
		if s.UnmarshalBinary(data) != nil {
			return
		}
		data, err := s.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalBinary(data))
		require.Equal(t, s, again)
	})
}
