package async_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/async"
)

// forever is longer than any test here takes.
const forever = math.MaxInt64

func TestPullerReturnsAllValues(t *testing.T) {
	p := async.NewPuller(slices.Values([]int{7, 8}))
	defer p.Close()
	for _, want := range []int{7, 8} {
		value, ok, err := p.Next(t.Context(), forever)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, value)
		require.False(t, p.Ended())
	}
	_, ok, err := p.Next(t.Context(), forever)
	require.NoError(t, err)
	require.False(t, ok)
	require.True(t, p.Ended())
}

func TestPullerStopsWaitingAfterItsTimeOrWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := async.NewPuller(func(yield func(int) bool) {
			time.Sleep(time.Minute)
			yield(7)
		})
		defer p.Close()
		start := time.Now()
		_, ok, err := p.Next(t.Context(), time.Second)
		require.NoError(t, err)
		require.False(t, ok)
		require.False(t, p.Ended())
		require.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, ok, err = p.Next(ctx, forever)
		require.NoError(t, err)
		require.False(t, ok)
		require.Equal(t, 3*time.Second, time.Since(start))

		value, ok, err := p.Next(t.Context(), forever)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, 7, value)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestPullerPassesOnGoexitAndPanics(t *testing.T) {
	p := async.NewPuller(func(func(int) bool) { runtime.Goexit() })
	_, ok, err := p.Next(t.Context(), forever)
	require.EqualError(t, err, "a function called runtime.Goexit")
	require.False(t, ok)
	require.True(t, p.Ended())
	p.Close()

	p = async.NewPuller(func(func(int) bool) { panic(errors.New("a cause")) })
	require.PanicsWithError(t, "a cause", func() { _, _, _ = p.Next(t.Context(), forever) })
	p.Close()
}

// The iterator waits in its yield, or blocks.
func TestPullerCloseStopsTheIterator(t *testing.T) {
	var stopped atomic.Bool
	numbers := func(yield func(int) bool) {
		for yield(7) {
		}
		stopped.Store(true)
	}
	p := async.NewPuller(numbers)
	_, _, err := p.Next(t.Context(), forever)
	require.NoError(t, err)
	p.Close()
	require.True(t, stopped.Load())

	for name, blocked := range map[string]func(func(int) bool){
		"stops":  func(yield func(int) bool) { time.Sleep(time.Minute); numbers(yield) },
		"panics": func(yield func(int) bool) { time.Sleep(time.Minute); numbers(yield); panic("nobody is left") },
	} {
		synctest.Test(t, func(t *testing.T) {
			stopped.Store(false)
			p := async.NewPuller(blocked)
			_, _, err := p.Next(t.Context(), time.Second)
			require.NoError(t, err)
			start := time.Now()
			p.Close()
			require.Zero(t, time.Since(start), name)
			require.False(t, stopped.Load(), name)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.True(t, stopped.Load(), name)
		})
	}
}

// The runtime crashes a program whose coroutines switch between locked threads.
func TestPullerWorksInGoroutinesLockedToTheirThreads(t *testing.T) {
	inThread := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			f()
		}()
		<-done
	}
	stopped := false
	p := async.NewPuller(func(yield func(int) bool) {
		defer func() { stopped = true }()
		for yield(7) {
		}
	})
	for range 2 {
		inThread(func() {
			value, ok, err := p.Next(t.Context(), forever)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, 7, value)
		})
	}
	inThread(p.Close)
	require.True(t, stopped)
}

func TestPullerCloseIsNotHeldUpByTheIterator(t *testing.T) {
	for name, source := range map[string]func(yield func(int) bool, end func()){
		"whose cleanup blocks": func(yield func(int) bool, end func()) {
			defer end()
			yield(7)
			time.Sleep(time.Hour)
		},
		"that ignores its end": func(yield func(int) bool, end func()) {
			defer end()
			for {
				yield(7)
			}
		},
		"that recovers and ignores its end": func(yield func(int) bool, end func()) {
			defer end()
			for {
				func() {
					defer func() { _ = recover() }()
					yield(7)
				}()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended atomic.Bool
				p := async.NewPuller(func(yield func(int) bool) { source(yield, func() { ended.Store(true) }) })
				_, ok, err := p.Next(t.Context(), forever)
				require.NoError(t, err)
				require.True(t, ok)
				start := time.Now()
				p.Close()
				require.Less(t, time.Since(start), time.Second)
				time.Sleep(2 * time.Hour)
				require.True(t, ended.Load())
			})
		})
	}
}

func TestPullerCloseIsIdleBeforeTheStartAndAfterTheEnd(t *testing.T) {
	async.NewPuller(func(func(int) bool) { panic("it is not started") }).Close()

	p := async.NewPuller(slices.Values([]int{}))
	_, ok, err := p.Next(t.Context(), forever)
	require.NoError(t, err)
	require.False(t, ok)
	_, ok, err = p.Next(t.Context(), forever)
	require.NoError(t, err)
	require.False(t, ok)
	p.Close()
}

func TestPullerCloseStopsBeforeAValueThatNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := false
		p := async.NewPuller(func(yield func(int) bool) {
			time.Sleep(time.Minute)
			stopped = !yield(7)
		})
		_, ok, err := p.Next(t.Context(), time.Second)
		require.NoError(t, err)
		require.False(t, ok)
		time.Sleep(time.Hour)
		p.Close()
		require.True(t, stopped)
	})
}

func TestPullerClosePassesOnPanicsOfTheCleanup(t *testing.T) {
	p := async.NewPuller(func(yield func(int) bool) {
		defer panic("a cause")
		yield(7)
	})
	_, _, err := p.Next(t.Context(), forever)
	require.NoError(t, err)
	require.PanicsWithValue(t, "a cause", p.Close)
}
