package paging_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/paging"
)

// readOverlapping reads lists of letters on pages of three. Each request sees the next list,
// or the last one.
func readOverlapping(lists ...string) (pages []string, err error) {
	list := func(offset int) ([]string, int, error) {
		letters := strings.Split(lists[0], "")
		lists = lists[min(1, len(lists)-1):]
		from := min(offset, len(letters))
		return letters[from:min(from+3, len(letters))], len(letters), nil
	}
	for page, err := range paging.Overlapping(3, func(letter string) string { return letter }, list) {
		if err != nil {
			return pages, err
		}
		pages = append(pages, strings.Join(page, ""))
	}
	return pages, nil
}

func TestOverlappingReadsAPageAgainIfElementsHaveLeft(t *testing.T) {
	for name, test := range map[string]struct{ lists, pages []string }{
		"an empty list":             {[]string{""}, []string{""}},
		"one element":               {[]string{"a"}, []string{"a"}},
		"one page":                  {[]string{"abc"}, []string{"abc", "c"}},
		"three pages":               {[]string{"abcdef"}, []string{"abc", "cde", "ef"}},
		"one has left":              {[]string{"abcdef", "bcdef"}, []string{"abc", "bcd", "def", "f"}},
		"the overlap has left":      {[]string{"abcdef", "abdef"}, []string{"abc", "abd", "def", "f"}},
		"a page has left":           {[]string{"abcdef", "def"}, []string{"abc", "def", "f"}},
		"all have left":             {[]string{"abcdef", ""}, []string{"abc", ""}},
		"a new one is in front":     {[]string{"abcdef", "xabcdef"}, []string{"abc", "bcd", "def", "f"}},
		"two new ones are in front": {[]string{"abcdef", "xyabcdef"}, []string{"abc", "xya", "abc", "cde", "ef"}},
	} {
		t.Run(name, func(t *testing.T) {
			pages, err := readOverlapping(test.lists...)
			require.NoError(t, err)
			require.Equal(t, test.pages, pages)
		})
	}
}

func TestOverlappingEndsWithAnError(t *testing.T) {
	failure := errors.New("503")
	for page, err := range paging.Overlapping(3, func(int) string { return "" }, func(int) ([]int, int, error) { return nil, 0, failure }) {
		require.Equal(t, failure, err)
		require.Nil(t, page)
	}

	requests := 0
	empty := func(int) ([]int, int, error) {
		requests++
		return nil, 7, nil
	}
	for _, err := range paging.Overlapping(3, func(int) string { return "" }, empty) {
		require.Equal(t, paging.ErrChanging, err)
	}
	require.Equal(t, 101, requests)
}
