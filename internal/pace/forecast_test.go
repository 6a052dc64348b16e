package pace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/pace"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

func TestForecastEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.Zero(t, pace.Forecast{}.End(1000))
		start, p := time.Now(), newPace(90, 25)
		p.CountBulk().Request(transport.Succeeded, 0)
		time.Sleep(time.Minute)
		p.CountSingle().Request(transport.Succeeded, 0)
		f := p.Forecast(time.Now())
		for items, want := range map[int]time.Duration{
			0: time.Minute, 89 + 240: time.Minute, 89 + 240 + 1: time.Hour, 89 + 240 + 340: time.Hour, 89 + 240 + 341: 2 * time.Hour,
		} {
			require.Equal(t, want, f.End(items).Sub(start), items)
		}
	})
}
