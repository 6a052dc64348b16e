package pace_test

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A backoff waits a second longer with each attempt, or as long as the server asks.
type backoff struct{}

func (backoff) Backoff(attempt int, asked time.Duration) time.Duration {
	return max(time.Duration(attempt)*time.Second, asked)
}

// never is the wait for a limit of 0.
const never = time.Duration(math.MaxInt64)

func newPace(singles, bulks int) *pace.Pace {
	return pace.New(pace.Budget{Singles: singles, Bulks: bulks, BulkSize: 10, Window: time.Hour}, backoff{})
}

func requireLeft(t *testing.T, p *pace.Pace, singles, bulks int) {
	t.Helper()
	s, b := p.Left(time.Now())
	require.Equal(t, singles, s, "single requests")
	require.Equal(t, bulks, b, "bulks")
}

func requireWait(t *testing.T, p *pace.Pace, untilItems, untilSingle, wait time.Duration, limit pace.Limit, cause error) {
	t.Helper()
	got, gotLimit, gotCause := p.Wait(time.Now(), untilItems, untilSingle)
	require.Equal(t, wait, got)
	require.Equal(t, limit, gotLimit)
	require.Equal(t, cause, gotCause)
}

func TestWaitNamesTheLimitThatIsRenewedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1, 1)
		requireWait(t, p, 0, never, 0, pace.None, nil)
		p.CountBulk().Request(transport.Succeeded, 0)
		requireLeft(t, p, 1, 0)
		requireWait(t, p, 0, 0, 0, pace.None, nil)
		time.Sleep(time.Minute)
		p.CountSingle().Request(transport.Succeeded, 0)
		requireWait(t, p, 0, never, 59*time.Minute, pace.Bulks, nil)
		time.Sleep(59 * time.Minute)
		p.CountBulk().Request(transport.Succeeded, 0)
		requireWait(t, p, 0, never, time.Minute, pace.Singles, nil)
	})
}

func TestWaitIsForItemsThatAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1, 1)
		requireWait(t, p, time.Minute, never, time.Minute, pace.None, nil)
		requireWait(t, p, time.Hour, time.Minute, time.Minute, pace.None, nil)
		p.CountSingle().Request(transport.Succeeded, 0)
		requireWait(t, p, 2*time.Hour, time.Minute, time.Hour, pace.Singles, nil)
		p.CountBulk().Request(transport.Succeeded, 0)
		requireWait(t, p, 0, 0, time.Hour, pace.Bulks, nil)
		requireWait(t, p, time.Hour, time.Hour, time.Hour, pace.None, nil)
	})
}

func TestBackOffPausesLongerWithEachFailure(t *testing.T) {
	failure := errors.New("503")
	for inARow, want := range map[int]time.Duration{
		1: time.Second, 2: 7 * time.Second, 3: 12 * time.Second, 4: 22 * time.Second, 7: 152 * time.Second, 1000: 152 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPace(90, 25)
			p.BackOff(pace.Failure{Err: failure, At: time.Now(), InARow: inARow})
			requireWait(t, p, 0, never, want, pace.None, failure)
			requireLeft(t, p, 90, 0)
			p.Answered()
			requireLeft(t, p, 90, 25)
		})
	}
}

func TestBackOffWaitsAsLongAsTheServerAsks(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		time.Minute: 50 * time.Second, 5 * time.Second: time.Second, 90 * time.Minute: 89*time.Minute + 50*time.Second,
		math.MaxInt64: 2*time.Hour - 10*time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPace(90, 25)
			failed := time.Now()
			time.Sleep(10 * time.Second)
			p.BackOff(pace.Failure{At: failed, InARow: 1, RetryAfter: asked})
			requireWait(t, p, 0, never, want, pace.None, nil)
		})
	}
}

func TestBackOffDoesNotPauseAfterARateLimit(t *testing.T) {
	limited := errors.New("429")
	synctest.Test(t, func(t *testing.T) {
		p := newPace(90, 25)
		p.BackOff(pace.Failure{Err: limited, RateLimited: true, At: time.Now(), InARow: 5, RetryAfter: time.Minute})
		requireWait(t, p, 0, never, 0, pace.None, limited)
		requireLeft(t, p, 90, 25)
	})
}

func TestBulksTestWhetherTheServerIsUpIfThereAreNoSingles(t *testing.T) {
	p := newPace(0, 25)
	p.BackOff(pace.Failure{InARow: 1})
	requireLeft(t, p, 0, 25)
}
