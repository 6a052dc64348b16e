package fakeserver_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestControlOfTimeAndBehavior(t *testing.T) {
	hasAhead := func(ahead time.Duration) check {
		return func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, ahead, fake.State(clerktest.Filter{}).Ahead)
		}
	}
	hasBehavior := func(text string) check {
		return func(t *testing.T, fake *clerktest.Fake) {
			t.Helper()
			require.Equal(t, text, fake.State(clerktest.Filter{}).Behavior.String())
		}
	}
	control(t, map[string]operation{
		"time":                {"GET /_fake/time", "", 200, `"ahead": "0s"`, hasAhead(0)},
		"move it":             {"POST /_fake/time", "advance=1h30m", 200, `"ahead": "1h30m0s"`, hasAhead(90 * time.Minute)},
		"until it expires":    {"POST /_fake/time", `{"advance":"720h"}`, 200, "", hasStatus("expired")},
		"move it back":        {"POST /_fake/time", `{"advance":"-1s"}`, 400, "only be moved forward", hasAhead(0)},
		"move it far":         {"POST /_fake/time", `{"advance":"2000000h"}`, 400, "10 years", hasAhead(0)},
		"behavior":            {"GET /_fake/behavior", "", 200, `"bulks=until-first"`, hasBehavior("")},
		"set behavior":        {"POST /_fake/behavior", `{"behavior":"list-lag=1s,bulks=until-first"}`, 200, `"behavior": "bulks=until-first,list-lag=1s"`, hasBehavior("bulks=until-first,list-lag=1s")},
		"an unknown behavior": {"POST /_fake/behavior", `behavior=kind`, 400, `unknown behavior \"kind\"`, hasBehavior("")},
	})
}

func TestEveryFaultHasAText(t *testing.T) {
	_, body := call(t, clerktest.New(), "GET /_fake/faults", "")
	require.NotContains(t, body, `"text": ""`)
}
