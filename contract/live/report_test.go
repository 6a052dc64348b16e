package main

import (
	"bytes"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestReportHasARowForEveryFlip(t *testing.T) {
	rows := map[string]bool{}
	for _, q := range questions {
		require.False(t, rows[q.key], q.key)
		rows[q.key] = true
	}
	name := regexp.MustCompile(`^[a-z-]+`)
	for flip := range clerktest.Behaviors() {
		require.True(t, rows[name.FindString(flip)], "the report has no row for %s", flip)
	}
	for flip := range breaks {
		_, err := clerktest.ParseBehavior(flip)
		require.NoError(t, err)
	}
}

func TestReportSaysWhatWasSeen(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		behavior := clerktest.Behavior{NoDate: true, Numbers: clerktest.NumbersString, RefusalStatus: http.StatusConflict}
		text := reportOf(t, newFake(t, 3, clerktest.WithBehavior(behavior)))
		for _, want := range []string{
			"Run " + testRun + " on 2000-01-01: ",
			"Everything it created was revoked and deleted.",
			"| Is a bulk all or nothing? | all or nothing | as assumed | yes |",
			"| Do responses have a Date? | yes | `no-date` | no: CreateAll ends with an error",
			"| How are times and counts spelled? | as integers | `numbers=string` | yes, its tests hold under this flip |",
			"| Do Date and created_at come from the same clock? | yes | no answer: there is no Date | - |",
			"| Does a refused request count? | yes | not asked: it needs -hour | - |",
		} {
			require.Contains(t, text, want)
		}
	})
}

func TestReportHasNoSecrets(t *testing.T) {
	for name, behavior := range clerktest.Behaviors() {
		inBubble(t, name, func(t *testing.T) {
			text := reportOf(t, newFake(t, 3, clerktest.WithBehavior(behavior)))
			require.NotContains(t, text, "@")
			require.NotContains(t, text, "clerk_test")
			require.NotContains(t, text, clerktest.SecretKey)
			require.NotContains(t, text, "https:")
			require.NotContains(t, text, "inv_")
		})
	}
}

func TestReportSaysWhyARunEnded(t *testing.T) {
	for name, test := range map[string]struct {
		reply *http.Response
		want  string
	}{
		"key":     {&http.Response{StatusCode: 401, Body: http.NoBody}, "**It ended early**: the key is refused (401)."},
		"limit":   {&http.Response{StatusCode: 429, Body: http.NoBody}, "**It ended early**: rate limited (429): run it again later."},
		"outage":  {&http.Response{StatusCode: 503, Body: http.NoBody}, "**It ended early**: status 503."},
		"offline": {nil, "**It ended early**: GET: no response."},
	} {
		inBubble(t, name, func(t *testing.T) {
			begin := time.Now()
			text := reportOf(t, transport(func(*http.Request) (*http.Response, error) {
				if test.reply == nil {
					return nil, http.ErrServerClosed
				}
				return test.reply, nil
			}))
			require.Contains(t, text, test.want)
			require.Contains(t, text, "| Is a bulk all or nothing? | all or nothing | not asked: the run ended early | - |")
			require.Zero(t, time.Since(begin), "there is nothing to clean up")
		})
	}
}

func reportOf(t *testing.T, transport http.RoundTripper) string {
	t.Helper()
	r, err := runAgainst(t.Context(), transport)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, r.report(&out, nil))
	return out.String()
}
