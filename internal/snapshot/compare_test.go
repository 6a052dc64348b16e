package snapshot

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
)

var errDown = errors.New("503")

// compare compares lists of items with a snapshot, stops after the change last, and returns a
// line for each change. An item without an ID stands for a failure.
func compare(s *Snapshot, last string, began func() (int64, int, error), lists ...[]Item) (changes []string, err error) {
	source := Source[Item]{Began: began, Item: func(item Item, now int64) Item {
		item.Created += now - start
		return item
	}}
	for _, items := range lists {
		var list iter.Seq2[Item, error] = func(yield func(Item, error) bool) {
			for _, item := range items {
				if item.ID == "" {
					yield(Item{}, errDown)
					return
				}
				if !yield(item, nil) {
					return
				}
			}
		}
		source.Lists = append(source.Lists, list)
	}
	for change, err := range Compare(s, source) {
		if err != nil {
			return changes, err
		}
		changes = append(changes, fmt.Sprint(change.Item.ID, " ", map[Kind]string{New: "new", Reached: "reached", Gone: "gone"}[change.Kind]))
		if changes[len(changes)-1] == last {
			break
		}
	}
	return changes, nil
}

func at(now int64, total int) func() (int64, int, error) {
	return func() (int64, int, error) { return now, total, nil }
}

func TestCompareReadsAllLists(t *testing.T) {
	var s Snapshot
	changes, err := compare(&s, "", at(start, 1), []Item{open("a")}, []Item{open("b")})
	require.NoError(t, err)
	require.Empty(t, changes)

	late := Item{ID: "c", State: Accepted, Created: start, Updated: start + 1}
	changes, err = compare(&s, "", at(start+1, 1), []Item{late}, []Item{with(open("b"), Revoked, start+1)})
	require.NoError(t, err)
	require.Equal(t, []string{"c new", "c reached", "b reached"}, changes)
}

// A change that was yielded is recorded. The next Compare yields later changes.
func TestCompareStopsWithTheLoop(t *testing.T) {
	for _, last := range []string{"c new", "c reached", "a gone"} {
		var s Snapshot
		_, err := compare(&s, "", at(start, 2), []Item{open("a"), open("b")})
		require.NoError(t, err)
		_, err = compare(&s, "", at(start+hour, 0), nil) // the first time that they are missing
		require.NoError(t, err)
		late := Item{ID: "c", State: Accepted, Created: start, Updated: start + 1}
		changes, err := compare(&s, last, at(start+2*hour, 0), []Item{late})
		require.NoError(t, err)
		require.Equal(t, last, changes[len(changes)-1])
		_, isKnown := s.known["c"]
		require.True(t, isKnown)
		_, isKnown = s.known["b"]
		require.True(t, isKnown, "it is gone, but that was not yielded")
	}
}

func TestCompareEndsWithAnError(t *testing.T) {
	failing := func() (int64, int, error) { return 0, 0, errDown }
	for name, test := range map[string]struct {
		began func() (int64, int, error)
		items []Item
	}{
		"of the list":               {at(start, 2), []Item{open("a"), {}}},
		"of the list, at its begin": {failing, []Item{{}}},
		"of Began":                  {failing, []Item{open("a")}},
		"of Began, an empty list":   {failing, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var s Snapshot
			changes, err := compare(&s, "", test.began, test.items, []Item{open("b")})
			require.Equal(t, errDown, err)
			require.Empty(t, changes)
			require.NotContains(t, s.known, "b")
			require.Zero(t, s.since, "the first listing has not ended")
		})
	}
}
