package outage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/outage"
)

func half() float64 { return 0.5 }

// send passes the gate and returns when the request was sent, since start.
func send(t *testing.T, g *outage.Gate, r outage.Request, result outage.Result) time.Duration {
	t.Helper()
	start := time.Now()
	ticket := g.Enter(r)
	if err := ticket.Wait(context.Background(), time.Time{}); err != nil {
		t.Error(err)
	}
	waited := time.Since(start)
	ticket.Done(result, outage.Failure{Cause: "503"})
	return waited
}

// fail makes n requests fail at once, each of its own call.
func fail(t *testing.T, g *outage.Gate, operation string, isRead bool, n int) {
	t.Helper()
	for i := range n {
		require.Zero(t, send(t, g, outage.Request{Operation: operation, IsRead: isRead, Call: i}, outage.Failed))
	}
}

// TestGate makes requests that succeed or fail, and then checks how long the next one waits.
func TestGate(t *testing.T) {
	type request struct {
		operation string
		call      int
		repeat    bool
		result    outage.Result
		after     time.Duration // since the previous one
	}
	const failed, answered, unclear = outage.Failed, outage.Answered, outage.Unclear
	for name, test := range map[string]struct {
		before []request
		next   request
		waits  time.Duration
	}{
		"the first":                 {nil, request{"create", 1, false, answered, 0}, 0},
		"after two failures":        {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}}, request{"create", 3, false, answered, 0}, 0},
		"after three failures":      {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, failed, 0}}, request{"create", 4, false, answered, 0}, 3325 * time.Millisecond},
		"of another operation":      {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, failed, 0}}, request{"revoke", 4, false, answered, 0}, 0},
		"three failures of a call":  {[]request{{"create", 1, false, failed, 0}, {"create", 1, true, failed, 0}, {"create", 1, true, failed, 0}}, request{"create", 2, false, answered, 0}, 0},
		"their repetition":          {[]request{{"create", 1, false, failed, 0}, {"create", 1, true, failed, 0}, {"create", 1, true, failed, 0}}, request{"create", 1, true, answered, 0}, 3325 * time.Millisecond},
		"a success between":         {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, answered, 0}, {"create", 4, false, failed, 0}}, request{"create", 5, false, answered, 0}, 0},
		"what says nothing between": {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, unclear, 0}, {"create", 4, false, failed, 0}}, request{"create", 5, false, answered, 0}, 3325 * time.Millisecond},
		"a success just before":     {[]request{{"create", 0, false, answered, 0}, {"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, failed, 0}}, request{"create", 4, false, answered, 0}, 0},
		"a success long before":     {[]request{{"create", 0, false, answered, 0}, {"create", 1, false, failed, time.Minute}, {"create", 2, false, failed, 0}, {"create", 3, false, failed, 0}}, request{"create", 4, false, answered, 0}, 3325 * time.Millisecond},
		"after a while":             {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, failed, 0}}, request{"create", 4, false, answered, time.Hour}, 0},
		"after the outage":          {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, failed, 0}, {"create", 4, false, answered, time.Minute}}, request{"create", 5, false, answered, 0}, 0},
		"after another probe":       {[]request{{"create", 1, false, failed, 0}, {"create", 2, false, failed, 0}, {"create", 3, false, failed, 0}, {"create", 4, false, failed, time.Minute}}, request{"create", 5, false, answered, 0}, 7125 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := outage.New(half)
				for _, r := range test.before {
					time.Sleep(r.after)
					require.Zero(t, send(t, g, outage.Request{Operation: r.operation, Call: r.call, IsRepeat: r.repeat}, r.result))
				}
				time.Sleep(test.next.after)
				waited := send(t, g, outage.Request{Operation: test.next.operation, Call: test.next.call, IsRepeat: test.next.repeat}, test.next.result)
				require.Equal(t, test.waits, waited.Round(time.Millisecond))
			})
		})
	}
}

func TestReadsAreInAnOutageLaterAndAreTestedMoreOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := outage.New(half)
		fail(t, g, "list", true, 8)
		r := outage.Request{Operation: "list", IsRead: true, Call: "next"}
		require.Equal(t, 950*time.Millisecond, send(t, g, r, outage.Failed))
		require.InDelta(t, 1.06, send(t, g, r, outage.Failed).Seconds(), 0.01)
		time.Sleep(time.Minute)
		require.Zero(t, send(t, g, r, outage.Failed))
		require.Equal(t, 3800*time.Millisecond, send(t, g, r, outage.Failed), "the longest")
	})
}

func TestRetryAfterDelaysTheProbe(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{time.Second: 3325 * time.Millisecond, 20 * time.Second: 20 * time.Second, time.Hour: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			g := outage.New(half)
			for call := range 3 {
				ticket := g.Enter(outage.Request{Operation: "create", Call: call})
				ticket.Done(outage.Failed, outage.Failure{RetryAfter: asked})
			}
			require.Equal(t, want, send(t, g, outage.Request{Operation: "create", Call: 4}, outage.Answered))
		})
	}
}

// TestRepeatsPassInOrder, at a limited rate, with first requests in between.
func TestRepeatsPassInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, start := outage.New(half), time.Now()
		var mu sync.Mutex
		var order []int
		var group sync.WaitGroup
		for i := range 200 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				send(t, g, outage.Request{Operation: "list", IsRead: true, Call: i, IsRepeat: true}, outage.Answered)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
		}
		time.Sleep(time.Second)
		require.Zero(t, send(t, g, outage.Request{Operation: "list", IsRead: true, Call: -1}, outage.Answered))
		group.Wait()
		require.IsIncreasing(t, order)
		require.InDelta(t, 2.0, time.Since(start).Seconds(), 0.1)
	})
}

// TestFewWritesAreUnderWayBeforeTheFirstSuccess: more of them pass with each success.
func TestFewWritesAreUnderWayBeforeTheFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := outage.New(half)
		free := g.Enter(outage.Request{Operation: "create", Call: -1, NeverWaits: true})
		require.NoError(t, free.Wait(t.Context(), time.Time{}), "it takes nobody's place")
		passed := make(chan outage.Ticket, 100)
		for call := range 100 {
			go func() {
				ticket := g.Enter(outage.Request{Operation: "create", Call: call})
				if ticket.Wait(context.Background(), time.Time{}) == nil {
					passed <- ticket
				}
			}()
		}
		for _, want := range []int{12, 24, 48, 16} {
			synctest.Wait()
			require.Len(t, passed, want)
			for range want {
				ticket := <-passed
				ticket.Done(outage.Answered, outage.Failure{})
			}
		}
		free = g.Enter(outage.Request{Operation: "create", Call: -1, NeverWaits: true})
		require.NoError(t, free.Wait(t.Context(), time.Time{}))
	})
}

// TestProbesPreferFirstRequests, as a request that has failed before may be the reason for the
// outage.
func TestProbesPreferFirstRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, start := outage.New(half), time.Now()
		fail(t, g, "create", false, 3)
		for i := range 3 {
			go send(t, g, outage.Request{Operation: "create", Call: i, IsRepeat: true}, outage.Failed)
		}
		synctest.Wait()
		send(t, g, outage.Request{Operation: "create", Call: 4}, outage.Answered)
		require.Equal(t, 3325*time.Millisecond, time.Since(start))
		time.Sleep(time.Second)
	})
}

// TestProbesAreInOrder: the first of the requests that failed before tests the server.
func TestProbesAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := outage.New(half)
		fail(t, g, "create", false, 3)
		order := make(chan int, 3)
		for i := range 3 {
			go func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				send(t, g, outage.Request{Operation: "create", Call: i, IsRepeat: true}, outage.Failed)
				order <- i
			}()
		}
		for want := range 3 {
			require.Equal(t, want, <-order)
		}
	})
}

func TestProbesGetRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := outage.New(half)
		fail(t, g, "create", false, 3)
		for _, want := range []int64{3325, 3957, 4709, 5603, 6668, 7125, 7125} {
			waited := send(t, g, outage.Request{Operation: "create", Call: -1}, outage.Failed)
			require.Equal(t, want, waited.Round(time.Millisecond).Milliseconds())
		}
	})
}

// TestOlderSuccessesWeighLess: after six successes, an outage takes nine failures; a
// half-life later, six.
func TestOlderSuccessesWeighLess(t *testing.T) {
	for age, failures := range map[time.Duration]int{0: 9, 5 * time.Second: 6, 10 * time.Second: 4} {
		synctest.Test(t, func(t *testing.T) {
			g := outage.New(half)
			for range 6 {
				send(t, g, outage.Request{Operation: "create"}, outage.Answered)
			}
			time.Sleep(age)
			fail(t, g, "create", false, failures)
			require.Positive(t, send(t, g, outage.Request{Operation: "create", Call: -1}, outage.Failed))
		})
	}
}

// TestNoOutageIsNamedWithoutOne: repeats wait because of the rate, not because of a failure.
func TestNoOutageIsNamedWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := outage.New(half)
		fail(t, g, "list", true, 1)
		for i := range 200 {
			ticket := g.Enter(outage.Request{Operation: "list", IsRead: true, Call: i, IsRepeat: true})
			require.Empty(t, ticket.Outage)
		}
	})
}

// TestEndOfAnOutageLetsOtherOperationsTest: most likely, the server is back for them as well.
func TestEndOfAnOutageLetsOtherOperationsTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, start := outage.New(half), time.Now()
		fail(t, g, "list", true, 8)
		fail(t, g, "create", false, 3)
		done := make(chan time.Duration)
		go func() {
			send(t, g, outage.Request{Operation: "create", Call: 4}, outage.Answered)
			done <- time.Since(start)
		}()
		synctest.Wait()
		send(t, g, outage.Request{Operation: "list", IsRead: true, Call: 4}, outage.Answered)
		require.Equal(t, 950*time.Millisecond, <-done)
	})
}

func TestHeldBackRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := outage.New(half)
		fail(t, g, "create", false, 3)
		ticket := g.Enter(outage.Request{Operation: "create", Call: 4})
		require.Equal(t, "503", ticket.Outage)
		err := ticket.Wait(t.Context(), time.Now().Add(time.Second))
		require.EqualError(t, err, "held back for 1s, as the server seems to be down (503)")

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		ticket = g.Enter(outage.Request{Operation: "create", Call: 4})
		err = ticket.Wait(ctx, time.Time{})
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "held back for 1s, as the server seems to be down (503): context canceled")
		_, ok := errors.AsType[*outage.Error](err)
		require.True(t, ok)

		require.Less(t, send(t, g, outage.Request{Operation: "create", Call: 5}, outage.Answered), 2*time.Second, "they have left the queue")
	})
}

func TestGatesAreForAServerEach(t *testing.T) {
	gates := outage.NewGates()
	first := gates.For("https://a.example.com", half)
	require.Same(t, first, gates.For("https://a.example.com", half))
	require.NotSame(t, first, gates.For("https://b.example.com", half))
}

// TestRandomDecidesTheProbe, so that the probes of several clients are spread.
func TestRandomDecidesTheProbe(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 3500 * time.Millisecond, 0.5: 3325 * time.Millisecond, 1: 3150 * time.Millisecond} {
		t.Run(fmt.Sprint(random), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := outage.New(func() float64 { return random })
				fail(t, g, "create", false, 3)
				require.Equal(t, want, send(t, g, outage.Request{Operation: "create", Call: 4}, outage.Answered))
			})
		})
	}
}
