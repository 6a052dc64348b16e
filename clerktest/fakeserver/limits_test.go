package fakeserver_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestControlOfLimits(t *testing.T) {
	control(t, map[string]operation{
		"preset limits": {"POST /_fake/limits", `preset=production`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, clerktest.ProductionRateLimits().Creates, fake.RateLimitUsage().Creates.Limit)
		}},
		"own limits": {"POST /_fake/limits", `{"creates":{"requests":3,"per":"1m"}}`, 204, "", func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, clerktest.Limit{Requests: 3, Per: time.Minute}, fake.RateLimitUsage().Creates.Limit)
		}},
		"unknown limits":        {"POST /_fake/limits", `{"preset":"staging"}`, 400, "none of off, development, production", changedNothing},
		"limits without a time": {"POST /_fake/limits", `{"creates":{"requests":3}}`, 400, "has no duration", changedNothing},
	})
}

func TestTheHourIsOver(t *testing.T) {
	fake := clerktest.New()
	fake.SetRateLimits(clerktest.ProductionRateLimits())
	invite(t, fake, "ada@example.com", "")
	_, body := call(t, fake, "GET /_fake/state", "")
	require.Contains(t, body, `"left": 99`)
	resp, _ := call(t, fake, "POST /_fake/limits/reset", "")
	require.Equal(t, 204, resp.StatusCode)
	_, body = call(t, fake, "GET /_fake/state", "")
	require.Contains(t, body, `"left": 100`)
}
