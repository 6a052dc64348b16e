package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestParseRefusesWhatIsNoDevelopmentInstance(t *testing.T) {
	for name, test := range map[string]struct {
		key  string
		args []string
		want string
	}{
		"development": {key: "sk_test_dummy"},
		"no key":      {want: "set CLERK_SECRET_KEY"},
		"live key":    {key: "sk_live_dummy", want: "is not the key of a development instance"},
		"told":        {key: "sk_live_dummy", args: []string{"-allow-live"}},
		"other key":   {key: "dummy", want: "is not the key of a development instance"},
		"plaintext":   {key: "sk_test_dummy", args: []string{"-url", "http://example.com/v1"}, want: "-url must be https"},
		"loopback":    {key: "sk_test_dummy", args: []string{"-url", "http://127.0.0.1:8080/v1"}},
		"cleanup":     {key: "sk_test_dummy", args: []string{"-cleanup", testRun}},
		"any cleanup": {key: "sk_test_dummy", args: []string{"-cleanup", "a"}, want: "-cleanup and -day take the 12"},
		"any day":     {key: "sk_test_dummy", args: []string{"-day", "a"}, want: "-cleanup and -day take the 12"},
		"both":        {key: "sk_test_dummy", args: []string{"-day", testRun, "-leave"}, want: "give one of"},
		"argument":    {key: "sk_test_dummy", args: []string{"now"}, want: "it takes no arguments"},
	} {
		_, err := parse(test.args, test.key)
		if test.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, test.want, name)
		require.NotContains(t, err.Error(), "dummy", name)
	}
}

func TestExecuteOverHTTP(t *testing.T) {
	fake := newFake(t, 120)
	baseURL, stop := fake.Serve()
	defer stop()
	cfg, err := parse([]string{"-url", baseURL}, clerktest.SecretKey)
	require.NoError(t, err)
	var out, progress bytes.Buffer
	require.NoError(t, execute(t.Context(), cfg, http.DefaultTransport, &out, &progress))
	require.Regexp(t, `^run [0-9a-f]{12}: if it is killed, clean up with -cleanup`, progress.String())
	require.Contains(t, out.String(), "| How long is a page? | up to 500 | as assumed | yes |")
	require.NotContains(t, out.String(), "`")
	require.Empty(t, left(fake))
	require.Len(t, fake.Invitations(), 120)
}

func TestExecuteCleansUpAfterAPanic(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 3)
		sent := 0
		require.PanicsWithValue(t, "broken", func() {
			_, _ = runAgainst(t.Context(), transport(func(req *http.Request) (*http.Response, error) {
				if sent++; sent == 25 {
					panic("broken")
				}
				return fake.RoundTrip(req)
			}))
		})
		require.Empty(t, left(fake))
	})
}

func TestExecuteSendsNoEmailAndTouchesNothingElse(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 3)
		before := len(fake.Sent())
		seen := map[string]int{}
		_, err := runAgainst(t.Context(), transport(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") != "" {
				require.Equal(t, "api.clerk.com", req.URL.Host)
			}
			if req.GetBody != nil {
				body, err := req.GetBody()
				require.NoError(t, err)
				text, err := io.ReadAll(body)
				require.NoError(t, err)
				lower := strings.ToLower(string(text))
				require.Equal(t, strings.Count(lower, "@"), strings.Count(lower, testRun+"."))
				require.Equal(t, strings.Count(lower, "@"), strings.Count(lower, "+clerk_test@example.com"))
			}
			seen[req.Method]++
			resp, err := fake.RoundTrip(req)
			require.Len(t, fake.Sent(), before)
			return resp, err
		}))
		require.NoError(t, err)
		require.Len(t, seen, 3)
	})
}

func TestExecuteReportsAReaderThatIsGone(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fake := newFake(t, 3)
		cfg := config{url: "https://api.clerk.com/v1", key: clerktest.SecretKey}
		err := execute(t.Context(), cfg, fake, brokenPipe{}, brokenPipe{})
		require.ErrorContains(t, err, "writing the report: broken pipe")
		require.Empty(t, left(fake))
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
