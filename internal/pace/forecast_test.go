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
		const minute = time.Minute
		for items, want := range map[int]time.Duration{
			0: minute, 89 + 240: minute, 330: 60 * minute, 339: 60 * minute, 340: 61 * minute, 669: 61 * minute, 670: 120 * minute,
		} {
			require.Equal(t, want, f.End(items).Sub(start), items)
		}
	})
}
