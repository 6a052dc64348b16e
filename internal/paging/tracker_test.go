package paging_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/paging"
)

// Each letter of a page is an element.
func TestTrackerReturnsEachElementOnce(t *testing.T) {
	type page struct {
		elements string
		total    int
		fresh    string
		more     bool
	}
	for name, test := range map[string]struct {
		offset      int
		pages       []page
		seen, total int
	}{
		"no page":                        {0, nil, 0, 1<<63 - 1},
		"a list":                         {0, []page{{"abc", 5, "abc", true}, {"de", 5, "de", true}}, 5, 5},
		"a part of a list":               {10, []page{{"abc", 13, "abc", true}}, 13, 13},
		"an empty list":                  {0, []page{{"", 0, "", true}}, 0, 0},
		"a new element shifts others":    {0, []page{{"abc", 5, "abc", true}, {"cde", 6, "de", true}}, 5, 5},
		"one left, and another is read":  {0, []page{{"abc", 5, "abc", true}, {"e", 4, "e", true}}, 4, 4},
		"a page has one twice":           {0, []page{{"aba", 3, "ab", true}}, 3, 3},
		"one of two pages ago":           {0, []page{{"ab", 5, "ab", true}, {"cd", 5, "cd", true}, {"a", 5, "a", true}}, 5, 5},
		"the last page is repeated":      {0, []page{{"ab", 4, "ab", true}, {"ab", 4, "", false}}, 2, 4},
		"it is repeated, but more exist": {0, []page{{"ab", 4, "ab", true}, {"ab", 5, "", true}}, 2, 4},
		"the total is unknown":           {0, []page{{"ab", -1, "ab", true}, {"", -1, "", false}}, 2, -1},
	} {
		t.Run(name, func(t *testing.T) {
			tracker := paging.NewTracker(test.offset, func(element string) string { return element })
			for _, page := range test.pages {
				fresh, more := tracker.Add(strings.Split(page.elements, ""), page.total)
				require.Equal(t, page.fresh, strings.Join(fresh, ""))
				require.Equal(t, page.more, more)
			}
			seen, total := tracker.Counts()
			require.Equal(t, test.seen, seen)
			require.Equal(t, test.total, total)
		})
	}
}
