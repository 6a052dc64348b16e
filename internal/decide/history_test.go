package decide_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

var (
	errReset    = errors.New("connection reset")
	errTimedOut = fmt.Errorf("no response: %w", context.DeadlineExceeded)
)

// A request that timed out may have an effect for longer than one that failed after it.
func TestGraceIsLongerAfterATimeout(t *testing.T) {
	for name, test := range map[string]struct {
		failures []error // a second apart
		grace    time.Duration
	}{
		"no request":        {nil, decide.Grace},
		"a reset":           {[]error{errReset}, 5 * time.Second},
		"a timeout":         {[]error{errTimedOut}, 10 * time.Second},
		"a reset after it":  {[]error{errTimedOut, errReset}, 9 * time.Second},
		"six resets":        {[]error{errTimedOut, errReset, errReset, errReset, errReset, errReset, errReset}, 5 * time.Second},
		"a timeout at last": {[]error{errReset, errTimedOut}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h decide.History
				for _, failure := range test.failures {
					time.Sleep(time.Second)
					h.Failed(failure, transport.Ambiguous)
				}
				require.Equal(t, test.grace, h.Grace())
				if len(test.failures) > 0 {
					require.Equal(t, h.FailedAt.Add(test.grace), h.DoneBy())
				}
			})
		})
	}
}

func TestInspectionsLastIfARetryWouldCreateDuplicates(t *testing.T) {
	require.Equal(t, []time.Duration{0, time.Second}, decide.Inspections(false))
	require.Equal(t, []time.Duration{0, time.Second, decide.Grace}, decide.Inspections(true))
}

// The first request of a write fails after 1 s, and its retry, if there is one, after 4 s.
func TestHistoryBoundsTheWriteInTime(t *testing.T) {
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		first, retry transport.Class // the retry's is NoClass if there was none
		inParts      bool
		failedAt     time.Duration
		doneBy       time.Duration
		ambiguous    error
	}{
		"an ambiguous request":            {transport.Ambiguous, transport.NoClass, false, time.Second, 6 * time.Second, errReset},
		"a refused one":                   {transport.Refused, transport.NoClass, false, time.Second, 6 * time.Second, nil},
		"a retry that is ambiguous, too":  {transport.Ambiguous, transport.Ambiguous, false, 4 * time.Second, 9 * time.Second, refused},
		"a retry that is refused":         {transport.Ambiguous, transport.Refused, false, 4 * time.Second, 6 * time.Second, errReset},
		"a refused retry, done in part":   {transport.Ambiguous, transport.Refused, true, 4 * time.Second, 9 * time.Second, errReset},
		"a retry that was not sent":       {transport.Ambiguous, transport.NotSent, false, time.Second, 6 * time.Second, errReset},
		"neither was sent":                {transport.NotSent, transport.NotSent, false, 4 * time.Second, 9 * time.Second, nil},
		"a request after one not sent":    {transport.NotSent, transport.Ambiguous, false, 4 * time.Second, 9 * time.Second, refused},
		"a rate limit after one in parts": {transport.Ambiguous, transport.RateLimited, true, 4 * time.Second, 6 * time.Second, errReset},
		"a rate limit after an ambiguous": {transport.Ambiguous, transport.RateLimited, false, 4 * time.Second, 6 * time.Second, errReset},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				h, writes := decide.History{FirstSent: start, InParts: test.inParts}, 1
				time.Sleep(time.Second)
				h.Failed(errReset, test.first)
				if test.retry != transport.NoClass {
					time.Sleep(3 * time.Second)
					h.Failed(refused, test.retry)
					writes++
				}
				require.Equal(t, writes, h.Writes)
				require.Equal(t, test.failedAt, h.FailedAt.Sub(start))
				require.Equal(t, test.doneBy, h.DoneBy().Sub(start))
				require.Equal(t, test.ambiguous, h.Ambiguous)
				time.Sleep(time.Until(h.FailedAt.Add(decide.Grace - time.Nanosecond)))
				require.False(t, h.IsSettled())
				time.Sleep(time.Nanosecond)
				require.True(t, h.IsSettled())
			})
		})
	}
}
