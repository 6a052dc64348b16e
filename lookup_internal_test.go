package clerk

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
)

// The request is sent at 0 s, fails at 2 s, and may take effect until 7 s.
func TestLookupTellsWhoseWorkItIs(t *testing.T) {
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
				c := &call{client: &clientConfig{skew: new(clock.Skew)}}
				c.last.Header = http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
				c.sent = decide.History{FirstSent: start, FailedAt: start.Add(2 * time.Second)}
				l := c.newLookup(nil, nil, false)
				l.call.last = c.last
				require.NoError(t, l.setPeriod())
				at := UnixMilli(start.Add(test.at).UnixMilli())
				require.Equal(t, test.want, l.whose(at))
				require.Equal(t, test.want == decide.FoundOwn, l.isOf(&c.sent, &Invitation{CreatedAt: at}))
			})
		})
	}
}
