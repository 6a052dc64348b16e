package match_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/match"
	"github.com/clerk-invitations/clerk-go/internal/search"
)

// sent is the time at which the write was sent. Its work was done a second later. It is
// unclear whose work an object is that was created up to a second before or after that.
var sent = time.UnixMilli(1_800_000_000_000)

// searchOf returns a search of lists of objects, by status. Like a server that matches parts
// of addresses, it lists the objects for a query, one on a page, and then fails with err.
func searchOf(lists map[string][]string, err error) *search.Search[string] {
	total := 0
	return &search.Search[string]{
		Since: sent, Until: sent.Add(3 * time.Second), Statuses: []string{"", "revoked"},
		Source: search.Source[string]{
			Total: func() int { return total },
			Convert: func(t time.Time) (clock.Instant, bool) {
				return clock.Instant{Earliest: t.Add(-time.Second), Latest: t.Add(time.Second)}, true
			},
			Describe: func(object string) search.Object {
				id, address := identify(object)
				created := sent.Add(1500 * time.Millisecond)
				switch {
				case strings.HasPrefix(id, "foreign"):
					created = sent.Add(-time.Hour)
				case strings.HasPrefix(id, "unclear"):
					created = sent
				}
				return search.Object{ID: id, Address: address, Created: created.UnixMilli(), IsRevoked: strings.HasSuffix(id, "revoked")}
			},
			Pages: func(_ context.Context, q search.Query) iter.Seq2[[]string, error] {
				return func(yield func([]string, error) bool) {
					isOther := func(object string) bool { return !strings.Contains(object, q.Text) }
					objects := slices.DeleteFunc(slices.Clone(lists[q.Status]), isOther)
					total = len(objects)
					for page := range slices.Chunk(objects, 1) {
						if !yield(page, nil) {
							return
						}
					}
					if err != nil {
						yield(nil, err)
					}
				}
			},
		},
	}
}

func TestFindTellsWhetherAnythingIsMissing(t *testing.T) {
	const tagged, untagged = "a+tag@gmail.com", "1:a@gmail.com"
	for name, test := range map[string]struct {
		wanted, list, revoked, foreign []string
		found                          []string // "" for missing
		want                           decide.Finding
		err                            error
	}{
		"all":                           {[]string{"a@x", "b@x"}, []string{"2:b@x", "1:a@x"}, nil, nil, []string{"1:a@x", "2:b@x"}, decide.FoundOwn, nil},
		"all, one of them revoked":      {[]string{"a@x", "b@x"}, []string{"2:b@x"}, []string{"1:a@x"}, nil, []string{"1:a@x", "2:b@x"}, decide.FoundOwn, nil},
		"a part":                        {[]string{"a@x", "b@x"}, []string{"2:b@x"}, nil, nil, []string{"", "2:b@x"}, decide.FoundNothing, nil},
		"nothing":                       {[]string{"a@x"}, nil, nil, nil, []string{""}, decide.FoundNothing, nil},
		"the work of others":            {[]string{"a@x"}, []string{"foreign:a@x"}, nil, nil, []string{""}, decide.FoundNothing, nil},
		"an address of others":          {[]string{"a@x"}, []string{"1:a@x"}, nil, []string{"A@x"}, []string{""}, decide.FoundNothing, nil},
		"unclear":                       {[]string{"a@x"}, []string{"unclear:a@x"}, nil, nil, []string{""}, decide.FoundUnclear, nil},
		"an unclear one beside its own": {[]string{"a@x"}, []string{"unclear:a@x", "1:a@x"}, nil, nil, []string{"1:a@x"}, decide.FoundUnclear, nil},
		"a part may be spelled so":      {[]string{tagged, "b@x"}, []string{untagged}, nil, nil, []string{"", ""}, decide.FoundUnclear, nil},
		"all may be spelled so":         {[]string{tagged}, []string{untagged}, nil, nil, []string{""}, decide.FoundNothing, search.ErrSpelled},
	} {
		t.Run(name, func(t *testing.T) {
			w := wanted(test.wanted...)
			s := searchOf(map[string][]string{"": test.list, "revoked": test.revoked}, nil)
			found, err := w.Find(t.Context(), s, test.foreign)
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.want, found)
			require.Equal(t, test.found, w.Objects())
		})
	}
}

func TestExplainTellsWhatARefusalIsAbout(t *testing.T) {
	for name, test := range map[string]struct {
		wanted, list, about []string
		want                decide.Finding
	}{
		"nothing is there":           {[]string{"a@x", "b@x"}, nil, nil, decide.FoundNothing},
		"an old one of any":          {[]string{"a@x", "b@x"}, []string{"foreign:b@x"}, nil, decide.FoundForeignSoFar},
		"an old one of the first":    {[]string{"a@x", "b@x"}, []string{"foreign:a@x"}, nil, decide.FoundForeignSoFar},
		"after what is new":          {[]string{"a@x"}, []string{"1:aa@x", "foreign:aa@x", "foreign:a@x"}, nil, decide.FoundForeignSoFar},
		"an old one that it names":   {[]string{"a@x", "b@x"}, []string{"foreign:b@x"}, []string{"b@x"}, decide.FoundForeignSoFar},
		"an old one of another":      {[]string{"a@x", "b@x"}, []string{"foreign:b@x"}, []string{"a@x"}, decide.FoundNothing},
		"an old one that is revoked": {[]string{"a@x"}, []string{"foreign revoked:a@x"}, nil, decide.FoundNothing},
		"unclear":                    {[]string{"a@x", "b@x"}, []string{"foreign:a@x", "unclear:b@x"}, nil, decide.FoundUnclear},
		"it shows up only now":       {[]string{"a@x", "b@x"}, []string{"foreign:a@x", "2:b@x"}, nil, decide.FoundNothing},
		"what was found before":      {[]string{"found@x", "b@x"}, nil, []string{"found@x"}, decide.FoundOwnPart},
	} {
		t.Run(name, func(t *testing.T) {
			w := wanted(test.wanted...)
			if test.wanted[0] == "found@x" {
				w.Found[0] = "1:found@x"
			}
			found, err := w.Explain(t.Context(), searchOf(map[string][]string{"": test.list}, nil), test.about)
			require.NoError(t, err)
			require.Equal(t, test.want, found)
		})
	}
}

func TestFailedListEndsFindAndExplain(t *testing.T) {
	failure := errors.New("refused")
	s := searchOf(map[string][]string{"": {"1:a@x"}}, failure)
	for name, look := range map[string]func(*match.Wanted[string]) (decide.Finding, error){
		"find":    func(w *match.Wanted[string]) (decide.Finding, error) { return w.Find(t.Context(), s, nil) },
		"explain": func(w *match.Wanted[string]) (decide.Finding, error) { return w.Explain(t.Context(), s, nil) },
	} {
		w := wanted("a@x")
		found, err := look(w)
		require.ErrorIs(t, err, failure, name)
		require.Equal(t, decide.FoundNothing, found, name)
		require.Empty(t, w.Found, name)
	}
}
