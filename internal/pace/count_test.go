package pace_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

func TestCountCountsWhatTheServerHasCounted(t *testing.T) {
	unknown := errors.New("unknown")
	for name, test := range map[string]struct {
		class transport.Class
		err   error // of the write
		want  int   // single requests left of 90
	}{
		"a success":                        {transport.Succeeded, nil, 89},
		"a refusal":                        {transport.Refused, unknown, 89},
		"not sent":                         {transport.NotSent, unknown, 90},
		"ambiguous, and stays so":          {transport.Ambiguous, unknown, 90},
		"ambiguous, and was looked up":     {transport.Ambiguous, nil, 89},
		"a rate limit allows none for now": {transport.RateLimited, unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPace(90, 25)
				count := p.CountSingle()
				count.Request(test.class, 0)
				count.Done(test.err)
				requireLeft(t, p, test.want, 25)
			})
		})
	}
}

func TestCountForgivesTenFailuresInAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(90, 25)
		for range 10 {
			p.CountBulk().Request(transport.Ambiguous, 0)
		}
		requireLeft(t, p, 90, 25)
		p.CountBulk().Request(transport.Ambiguous, 0)
		requireLeft(t, p, 90, 24)
		time.Sleep(time.Hour)
		p.CountSingle().Request(transport.Ambiguous, 0)
		requireLeft(t, p, 90, 25)
	})
}

func TestCountAllowsOneRequestWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1, 25)
		count := p.CountSingle()
		require.True(t, count.MayRetry())
		count.Request(transport.NotSent, 0)
		require.False(t, count.MayRetry())
		p.CountSingle().Request(transport.RateLimited, time.Minute)
		require.False(t, p.CountSingle().MayRetry())
		time.Sleep(time.Minute)
		require.True(t, p.CountSingle().MayRetry())
	})
}
