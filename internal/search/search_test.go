package search_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/search"
)

// The write was under way for a second, starting at sent. The clocks agree.
var sent = time.UnixMilli(1_800_000_000_000)

// at returns a time after the write was sent, in milliseconds by the server's clock.
func at(after time.Duration) int64 { return sent.Add(after).UnixMilli() }

func instant(t time.Time) clock.Instant {
	return clock.Instant{Earliest: t.Add(-time.Second), Latest: t.Add(time.Second), Likely: t, IsSharp: true}
}

// A server has a list of pages for each status. It records the pages that were read.
type server struct {
	lists  map[string][][]search.Object
	total  int // of the list, if it is more than its pages have
	noDate bool
	err    error // after the pages
	read   int
}

func (s *server) search() *search.Search[search.Object] {
	total := 0
	return &search.Search[search.Object]{
		Since: sent, Until: sent.Add(time.Second), Statuses: []string{""},
		Source: search.Source[search.Object]{
			Describe: func(o search.Object) search.Object { return o },
			Total:    func() int { return total },
			Convert:  func(t time.Time) (clock.Instant, bool) { return instant(t), !s.noDate },
			Pages: func(_ context.Context, q search.Query) iter.Seq2[[]search.Object, error] {
				return func(yield func([]search.Object, error) bool) {
					total = max(s.total, len(slices.Concat(s.lists[q.Status]...)))
					for _, page := range s.lists[q.Status] {
						s.read++
						if !yield(page, nil) {
							return
						}
					}
					if s.err != nil {
						yield(nil, s.err)
					}
				}
			},
		},
	}
}

// created returns objects that were created at times.
func created(times ...time.Duration) (objects []search.Object) {
	for i, after := range times {
		objects = append(objects, search.Object{ID: fmt.Sprint(after, i), Address: "a@x", Created: at(after)})
	}
	return objects
}

// The request is sent at 0 s, fails at 2 s, and may take effect until 7 s.
func TestSearchTellsWhoseWorkItIs(t *testing.T) {
	for name, test := range map[string]struct {
		at   time.Duration
		want decide.Finding
	}{
		"before it was sent":                 {-3 * time.Second, decide.FoundForeign},
		"while it was under way":             {time.Second, decide.FoundOwn},
		"at the end of the grace time":       {7 * time.Second, decide.FoundOwn},
		"after it, but clocks have seconds":  {8 * time.Second, decide.FoundOwn},
		"after the grace time":               {9 * time.Second, decide.FoundForeign},
		"long after the end of the request":  {20 * time.Minute, decide.FoundForeign},
		"long before the start of a request": {-20 * time.Minute, decide.FoundForeign},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				time.Sleep(time.Hour)
				header := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
				s := new(server).search()
				s.Convert = func(t time.Time) (clock.Instant, bool) { return new(clock.Skew).Convert(header, t, 0) }
				h := decide.History{FirstSent: start, FailedAt: start.Add(2 * time.Second)}
				s.Between(&h, &h)
				created := start.Add(test.at).UnixMilli()
				require.Equal(t, test.want == decide.FoundOwn, s.IsOwn(search.Object{Created: created}))
				require.Equal(t, test.want, s.Whose(created))
			})
		})
	}
}

// Three writes were sent, each a minute after the previous one. Each may have taken effect
// within 5 s.
func TestIsOfTellsWhetherAWriteCreatedAnObject(t *testing.T) {
	var writes []decide.History
	for i := range 3 {
		at := sent.Add(time.Duration(i) * time.Minute)
		writes = append(writes, decide.History{FirstSent: at, FailedAt: at})
	}
	for after, want := range map[time.Duration]bool{
		-time.Minute: false, time.Second: true, 30 * time.Second: false,
		61 * time.Second: true, 90 * time.Second: false, 121 * time.Second: true, 3 * time.Minute: false,
	} {
		require.Equal(t, want, new(server).search().IsOf(writes, created(after)[0]), after)
	}
}

func TestRefusedWriteHasCreatedNothingBefore(t *testing.T) {
	s := new(server).search()
	before := created(-900 * time.Millisecond)[0]
	require.True(t, s.IsOwn(before), "clocks have seconds")
	s.Refused = true
	require.False(t, s.IsOwn(before))
	s.RetryDuplicates = true
	require.False(t, s.IsOwn(before))
	require.Equal(t, decide.FoundUnclear, s.Whose(before.Created))
}

func TestListStopsAtWhatIsOlder(t *testing.T) {
	const s, m = time.Second, time.Minute
	for name, test := range map[string]struct {
		pages   [][]search.Object
		onlyNew bool
		read    int
	}{
		"newest first":           {[][]search.Object{created(s), created(0, -m), created(-2 * m)}, true, 2},
		"all are wanted":         {[][]search.Object{created(s), created(0, -m), created(-2 * m)}, false, 3},
		"oldest first":           {[][]search.Object{created(-2*m, -m), created(0), created(s)}, true, 3},
		"one time shows nothing": {[][]search.Object{created(-m, -m), created(-m), created(s)}, true, 3},
		"in no order":            {[][]search.Object{created(s, -m, 0, -2*m), created(0)}, true, 2},
		"empty":                  {nil, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := server{lists: map[string][][]search.Object{"": test.pages}}
			got, err := server.search().List(t.Context(), "", "", test.onlyNew)
			require.NoError(t, err)
			require.Equal(t, test.read, server.read)
			require.Equal(t, slices.Concat(test.pages[:test.read]...), got)
		})
	}
}

func TestListIsBounded(t *testing.T) {
	var pages [][]search.Object
	for range 21 {
		pages = append(pages, created(0))
	}
	server := server{lists: map[string][][]search.Object{"": pages}}
	_, err := server.search().List(t.Context(), "", "", true)
	require.ErrorIs(t, err, search.ErrTooMany)
	require.Equal(t, 20, server.read)

	isAbsent, err := server.search().IsAbsent(t.Context(), "other", "")
	require.ErrorIs(t, err, search.ErrTooMany)
	require.False(t, isAbsent)

	server.lists[""] = pages[:20]
	_, err = server.search().List(t.Context(), "", "", true)
	require.NoError(t, err, "all were read")
	isAbsent, err = server.search().IsAbsent(t.Context(), "other", "")
	require.NoError(t, err)
	require.True(t, isAbsent)

	server.lists[""] = append(pages[:19:19], created(0, -time.Minute))
	server.total = 1000
	_, err = server.search().List(t.Context(), "", "", true)
	require.NoError(t, err, "the rest is older")
}

func TestListNeedsATime(t *testing.T) {
	for _, pages := range [][][]search.Object{nil, {created(0), created(0)}} {
		server := server{lists: map[string][][]search.Object{"": pages}, noDate: true}
		_, err := server.search().List(t.Context(), "", "", true)
		require.ErrorIs(t, err, search.ErrNoDate)
		require.Equal(t, min(1, len(pages)), server.read)
		require.False(t, server.search().IsOwn(created(0)[0]))
	}
}

func TestFailureEndsASearch(t *testing.T) {
	server := server{lists: map[string][][]search.Object{"": {created(0)}}, err: errors.New("refused")}
	s := server.search()
	_, err := s.List(t.Context(), "", "", true)
	require.ErrorIs(t, err, server.err)
	inv, found, err := s.Created(t.Context(), "a@x", "", true)
	require.ErrorIs(t, err, server.err)
	require.Nil(t, inv)
	require.Equal(t, decide.FoundNothing, found)
	_, err = s.IsAbsent(t.Context(), "other", "")
	require.ErrorIs(t, err, server.err)
}

func TestCreatedTellsWhoseObjectAnAddressHas(t *testing.T) {
	object := func(id, address string, after time.Duration, isRevoked bool) []search.Object {
		return []search.Object{{ID: id, Address: address, Created: at(after), IsRevoked: isRevoked}}
	}
	for name, test := range map[string]struct {
		list, revoked []search.Object
		id            string
		want          decide.Finding
	}{
		"none":                      {},
		"own":                       {list: object("own", "A@x", 0, false), id: "own", want: decide.FoundOwn},
		"own, revoked since":        {revoked: object("own", "a@x", 0, true), id: "own", want: decide.FoundOwn},
		"of another address":        {list: object("own", "b@x", 0, false)},
		"the one known to be older": {list: object("older", "a@x", 0, false)},
		"of others":                 {list: object("1", "a@x", -time.Hour, false), want: decide.FoundForeignSoFar},
		"of others, revoked":        {revoked: object("1", "a@x", -time.Hour, true)},
		"own after that of others": {
			list: slices.Concat(object("1", "a@x", -time.Hour, false), object("own", "a@x", 0, false)), id: "own", want: decide.FoundOwn,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := server{lists: map[string][][]search.Object{}}
			if test.list != nil {
				server.lists[""] = [][]search.Object{test.list}
			}
			if test.revoked != nil {
				server.lists["revoked"] = [][]search.Object{test.revoked}
			}
			s := server.search()
			s.Statuses = []string{"", "revoked"}
			got, found, err := s.Created(t.Context(), "a@x", "older", false)
			require.NoError(t, err)
			require.Equal(t, test.want, found)
			if test.id == "" {
				require.Nil(t, got)
			} else {
				require.Equal(t, test.id, got.ID)
			}
		})
	}
}

func TestCreatedIsUnclearWhenClocksDiffer(t *testing.T) {
	server := server{lists: map[string][][]search.Object{"": {created(0, -time.Hour)}}}
	s := server.search()
	s.Convert = func(t time.Time) (clock.Instant, bool) {
		return clock.Instant{Earliest: t.Add(-time.Minute), Latest: t.Add(time.Minute)}, true
	}
	for _, isRevoked := range []bool{false, true} { // by somebody else, meanwhile
		server.lists[""][0][0].IsRevoked = isRevoked
		got, found, err := s.Created(t.Context(), "a@x", "", true)
		require.NoError(t, err)
		require.Equal(t, decide.FoundUnclear, found)
		require.Nil(t, got)
	}
}

func TestCreatedKnowsThatAnAddressMayBeSpelledInAnotherWay(t *testing.T) {
	const address, spelled = "first.last+tag@gmail.com", "firstlast@gmail.com"
	for name, test := range map[string]struct {
		object search.Object
		want   error
	}{
		"created meanwhile":         {search.Object{ID: "1", Address: spelled, Created: at(0)}, search.ErrSpelled},
		"older":                     {search.Object{ID: "1", Address: spelled, Created: at(-time.Hour)}, nil},
		"the one known to be older": {search.Object{ID: "older", Address: spelled, Created: at(0)}, nil},
		"of another address":        {search.Object{ID: "1", Address: "other@gmail.com", Created: at(0)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := server{lists: map[string][][]search.Object{"": {{test.object}}}}
			got, _, err := server.search().Created(t.Context(), address, "older", true)
			require.ErrorIs(t, err, test.want)
			require.Nil(t, got)
		})
	}

	server := server{lists: map[string][][]search.Object{"": {{
		{ID: "1", Address: spelled, Created: at(0)}, {ID: "2", Address: address, Created: at(-time.Hour)},
	}}}}
	got, found, err := server.search().Created(t.Context(), address, "", false)
	require.NoError(t, err, "one has the address")
	require.Equal(t, decide.FoundForeignSoFar, found)
	require.Nil(t, got)
}

// The list for other spellings has no query, so it is as long as there are objects.
func TestCreatedReadsOnlyWhatIsNewForAnotherSpelling(t *testing.T) {
	server := server{lists: map[string][][]search.Object{"": {created(0, -time.Minute), created(-time.Hour)}}}
	_, _, err := server.search().Created(t.Context(), "first.last@gmail.com", "", false)
	require.NoError(t, err)
	require.Equal(t, 2+1, server.read, "a list for the address, and a page of the other")

	server.read = 0
	_, _, err = server.search().Created(t.Context(), "first@gmail.com", "", false)
	require.NoError(t, err)
	require.Equal(t, 2, server.read, "it has no other spelling")
}

// An object is deleted while the list is read, so another one moves to a page already read.
func TestIsAbsentTrustsTheLargestTotal(t *testing.T) {
	server := server{lists: map[string][][]search.Object{"": {{{ID: "1"}}, {{ID: "2"}}}}}
	s := server.search()
	s.Total = func() int { return 4 - server.read }
	isAbsent, err := s.IsAbsent(t.Context(), "it", "")
	require.NoError(t, err)
	require.False(t, isAbsent)
}

func TestIsAbsentTrustsOnlyCompleteLists(t *testing.T) {
	for name, test := range map[string]struct {
		pages [][]search.Object
		total int
		want  bool
	}{
		"an empty list":     {nil, 0, true},
		"others":            {[][]search.Object{{{ID: "1"}}, {{ID: "2"}}}, 0, true},
		"it is there":       {[][]search.Object{{{ID: "1"}}, {{ID: "it"}}}, 0, false},
		"one was not shown": {[][]search.Object{{{ID: "1"}}, {{ID: "2"}}}, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := server{lists: map[string][][]search.Object{"revoked": test.pages}, total: test.total}
			got, err := server.search().IsAbsent(t.Context(), "it", "revoked")
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}
