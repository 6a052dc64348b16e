package transport_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

func TestLineHasWhatIsKnown(t *testing.T) {
	for want, line := range map[string]transport.Line{
		"clerk: ":                             {},
		"clerk: option is nil":                {Message: "option is nil"},
		"clerk: Get: 404 not found":           {Method: "Get", Status: 404, Message: "not found", Attempts: 1},
		"clerk: Get: outcome unknown: 502 ?":  {Method: "Get", Outcome: "outcome unknown: ", Status: 502, Message: "?"},
		"clerk: limited (retry after 1.235s)": {Message: "limited", RetryAfter: 1234567 * time.Microsecond},
		"clerk: 500 down (retry after 1m0s, 2 attempts, trace abc)": {
			Status: 500, Message: "down", RetryAfter: time.Minute, Attempts: 2, TraceID: "abc",
		},
	} {
		require.Equal(t, want, line.String())
	}
}
