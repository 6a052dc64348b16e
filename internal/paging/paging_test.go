package paging_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/paging"
)

type page struct {
	elements []int
	total    int
}

func (p page) Size() (n, total int) { return len(p.elements), p.total }

// A server has the elements 0 to n-1. It takes a second for each page.
type server struct {
	n     int
	size  func(offset int) int // of a page; nil for 10
	total func() int           // nil for n

	mu                         sync.Mutex
	open, most, sent, canceled int // requests; most is the highest number of open ones
}

func (s *server) get(ctx context.Context, offset int) (p page, err error) {
	s.record(func() {
		s.sent++
		s.open++
		s.most = max(s.most, s.open)
	})
	defer s.record(func() { s.open-- })
	select {
	case <-ctx.Done():
		s.record(func() { s.canceled++ })
		return p, ctx.Err()
	case <-time.After(time.Second):
	}
	size := 10
	if s.size != nil {
		size = s.size(offset)
	}
	if p.total = s.n; s.total != nil {
		p.total = s.total()
	}
	for i := offset; i < min(offset+size, s.n); i++ {
		p.elements = append(p.elements, i)
	}
	return p, nil
}

func (s *server) record(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *server) list(ahead int) paging.List[page] {
	return paging.List[page]{Get: s.get, Ahead: ahead, Wait: func(page) time.Duration { return 0 }}
}

func count(from, to int) (numbers []int) {
	for i := from; i < to; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

// The pages may have another size than expected, and the total may be wrong or missing.
func TestPagesReadsEveryElementOnce(t *testing.T) {
	for name, test := range map[string]struct {
		n     int
		size  func(int) int
		total func() int
		want  []int
	}{
		"as expected":       {97, nil, nil, count(5, 97)},
		"whole pages":       {95, nil, nil, count(5, 95)},
		"smaller pages":     {97, func(int) int { return 3 }, nil, count(5, 97)},
		"larger pages":      {97, func(int) int { return 17 }, nil, count(5, 97)},
		"everything":        {97, func(int) int { return 97 }, nil, count(5, 97)},
		"one small page":    {97, func(offset int) int { return map[bool]int{true: 4, false: 10}[offset == 25] }, nil, count(5, 97)},
		"no total":          {97, nil, func() int { return -1 }, count(5, 97)},
		"no total, small":   {97, func(int) int { return 3 }, func() int { return -1 }, count(5, 97)},
		"a total too high":  {97, nil, func() int { return 1000 }, count(5, 97)},
		"a total too low":   {97, nil, func() int { return 20 }, count(5, 25)},
		"a total of 0":      {97, nil, func() int { return 0 }, count(5, 15)},
		"nothing":           {0, nil, nil, nil},
		"nothing, no total": {0, nil, func() int { return -1 }, nil},
	} {
		for _, ahead := range []int{0, 1, 4} {
			t.Run(fmt.Sprint(name, ahead), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &server{n: test.n, size: test.size, total: test.total}
					pages := s.list(ahead).Pages(t.Context(), 5, 10)
					for range 2 { // each loop starts from the beginning
						var got []int
						for p, err := range pages {
							require.NoError(t, err)
							got = append(got, p.elements...)
						}
						require.Equal(t, test.want, got)
					}
				})
			})
		}
	}
}

// The loop is as fast as concurrent requests allow, and makes no unnecessary request.
func TestPagesRequestsPagesAheadConcurrently(t *testing.T) {
	for ahead, want := range map[int]struct {
		most int
		took time.Duration
	}{
		0: {1, 25 * time.Second},
		1: {1, 25 * time.Second},
		4: {4, (1 + 6) * time.Second},
		8: {8, (1 + 3) * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{n: 250}
			start := time.Now()
			for _, err := range s.list(ahead).Pages(t.Context(), 0, 10) {
				require.NoError(t, err)
			}
			require.Equal(t, want.took, time.Since(start))
			require.Equal(t, want.most, s.most)
			require.Equal(t, 25, s.sent)
		})
	}
}

// All pages are smaller than expected. No request is unnecessary.
func TestPagesAdaptsToTheSizeOfPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{n: 90, size: func(int) int { return 3 }}
		start := time.Now()
		for _, err := range s.list(4).Pages(t.Context(), 0, 10) {
			require.NoError(t, err)
		}
		require.Equal(t, 30, s.sent)
		require.Equal(t, (1+8)*time.Second, time.Since(start))
	})
}

// The limit applies while the loop is busy as well. With Ahead 0, nothing is requested early.
func TestPagesRequestsAtMostAheadPagesEarly(t *testing.T) {
	for _, ahead := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{n: 100}
			pages := s.list(ahead).Pages(t.Context(), 0, 10)
			require.Zero(t, s.sent)
			for p, err := range pages {
				require.NoError(t, err)
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Equal(t, p.elements[0]/10+1+min(ahead, 9-p.elements[0]/10), s.sent)
			}
		})
	}
}

// Each request ahead waits a minute longer than the previous one.
func TestPagesWaitsBeforeRequestsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{n: 60}
		start := time.Now()
		var lasts []int
		l := s.list(2)
		l.Wait = func(last page) time.Duration {
			lasts = append(lasts, last.elements[0])
			return time.Duration(len(lasts)) * time.Minute
		}
		var at []time.Duration
		for _, err := range l.Pages(t.Context(), 0, 10) {
			require.NoError(t, err)
			at = append(at, time.Since(start).Truncate(time.Minute))
		}
		const minute = time.Minute
		require.Equal(t, []time.Duration{0, 1 * minute, 2 * minute, 4 * minute, 6 * minute, 9 * minute}, at)
		require.Equal(t, []int{0, 0, 10, 20, 30}, lasts)
	})
}

// The loop ends by a break, by an error, and by its deadline while a request ahead waits.
func TestPagesCancelsRequestsAheadWhenTheLoopEnds(t *testing.T) {
	failure := errors.New("failure")
	for name, loop := range map[string]func(*testing.T, paging.List[page]){
		"break": func(t *testing.T, l paging.List[page]) {
			t.Helper()
			for range l.Pages(t.Context(), 0, 10) {
				synctest.Wait()
				break
			}
		},
		"error": func(t *testing.T, l paging.List[page]) {
			t.Helper()
			get := l.Get
			l.Get = func(ctx context.Context, offset int) (page, error) {
				if offset == 10 {
					return page{total: 7}, failure
				}
				return get(ctx, offset)
			}
			var errs []error
			for p, err := range l.Pages(t.Context(), 0, 10) {
				if errs = append(errs, err); err != nil {
					require.Equal(t, page{total: 7}, p)
				}
				synctest.Wait()
			}
			require.Equal(t, []error{nil, failure}, errs)
		},
		"wait": func(t *testing.T, l paging.List[page]) {
			t.Helper()
			l.Wait = func(page) time.Duration { return time.Hour }
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var last error
			for _, last = range l.Pages(ctx, 0, 10) {
				synctest.Wait()
			}
			require.ErrorIs(t, last, context.DeadlineExceeded)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{n: 100}
				start := time.Now()
				loop(t, s.list(3))
				synctest.Wait()
				require.Positive(t, s.canceled)
				require.Zero(t, s.open)
				require.LessOrEqual(t, time.Since(start), time.Minute)
			})
		})
	}
}

func TestPagesPanicsInTheLoopWhenARequestAheadPanics(t *testing.T) {
	l := paging.List[page]{Ahead: 1, Wait: func(page) time.Duration { return 0 }}
	l.Get = func(_ context.Context, offset int) (page, error) {
		if offset > 0 {
			panic("a cause")
		}
		return page{elements: []int{1}, total: 2}, nil
	}
	require.PanicsWithValue(t, "a cause", func() {
		for _, err := range l.Pages(t.Context(), 0, 1) {
			require.NoError(t, err)
		}
	})

	l.Get = func(_ context.Context, offset int) (page, error) {
		if offset > 0 {
			runtime.Goexit()
		}
		return page{elements: []int{1}, total: 2}, nil
	}
	var last error
	for _, err := range l.Pages(t.Context(), 0, 1) {
		last = err
	}
	require.EqualError(t, last, "a function called runtime.Goexit")
}

func TestElementsEndsWithAnErrorOrTheLoop(t *testing.T) {
	failure, read := errors.New("failed"), 0
	pages := func(yield func([]int, error) bool) {
		for _, page := range [][]int{{1, 2}, {}, {3}} {
			if read++; !yield(page, nil) {
				return
			}
		}
		if yield([]int{4}, failure) {
			yield([]int{5}, nil)
		}
	}
	var got []int
	var errs []error
	for e, err := range paging.Elements(pages) {
		got, errs = append(got, e), append(errs, err)
	}
	require.Equal(t, []int{1, 2, 3, 0}, got)
	require.Equal(t, []error{nil, nil, nil, failure}, errs)

	read = 0
	for e := range paging.Elements(pages) {
		if e == 2 {
			break
		}
	}
	require.Equal(t, 1, read)
}
