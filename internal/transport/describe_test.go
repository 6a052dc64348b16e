package transport

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func page(*http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"text/html"}}
	return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader("<html>"))}, nil
}

func TestDescribeSaysWhatFailed(t *testing.T) {
	for want, test := range map[string]struct {
		answer   func(*http.Request) (*http.Response, error)
		deadline time.Duration // 0 for none
	}{
		"redirect to example.org refused: requests go to the base URL only": {status(307, "Location", "https://example.org/?query=ada"), 0},
		"redirect refused: requests go to the base URL only":                {status(307), 0},
		"Bad Gateway (no Clerk error, but text/html, 2 bytes)":              {status(502, "Content-Type", "text/html"), 0},
		"Bad Gateway (no Clerk error, but no content type, 2 bytes)":        {status(502), 0},
		"unusable response (text/html, 6 bytes): the response is not JSON":  {page, 0},
		"unusable response (text/plain, 2 bytes): it is no thing":           {status(200, "Content-Type", "text/plain"), 0},
		"no response: unexpected EOF":                                       {failing(io.ErrUnexpectedEOF), 0},
		"no response: the transport returned no response":                   {failing(nil), 0},
		"no response: http2: server sent GOAWAY and closed the connection; last stream 1, NO_ERROR, debug data \"too [redacted]": {
			failing(errors.New(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug="too user=ada"`)), 0},
		"no response: the response has no valid status":             {status(0), 0},
		"no response: the attempt took longer than 1m0s":            {hanging, 0},
		"no response: the call took longer than MaxElapsedTime, 9s": {hanging, 9 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newTestRequest(http.MethodPost)
			r.Decode = func([]byte) (any, error) { return nil, errors.New("it is no thing") }
			if test.deadline > 0 {
				r.Policy.Deadline = time.Now().Add(test.deadline)
			}
			config := newTestClient(test.answer).Config
			config.Refusal = func([]byte) (string, error) { return "", nil }
			require.Equal(t, want, New(config).Do(t.Context(), r).Describe("", test.deadline))
		})
	}
}

func TestContentTypeDoesNotMatterToAReadableBody(t *testing.T) {
	for _, contentType := range []string{
		"", "application/json", "Application/JSON; charset=utf-8", "application/problem+json", "application/jsonp", "text/plain; charset=utf-8", "text/html", "?",
	} {
		l := newTestClient(status(200, "Content-Type", contentType)).Do(t.Context(), newTestRequest(http.MethodPost))
		require.Equal(t, Succeeded, l.Class, contentType)
	}
}

func TestEachAttemptIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		config := newTestClient(status(503), failing(io.ErrUnexpectedEOF), status(200)).Config
		config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
			Level: slog.LevelDebug,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))
		r := newTestRequest(http.MethodGet)
		r.CallID = 7
		New(config).Do(t.Context(), r)
		require.Equal(t, `level=WARN msg="clerk request" operation=Op route="GET /things" call=7 attempt=1 duration=0s status=503 wait=1s trace_id="trace [redacted]"
level=WARN msg="clerk request" operation=Op route="GET /things" call=7 attempt=2 duration=0s wait=2s error="unexpected EOF"
level=DEBUG msg="clerk request" operation=Op route="GET /things" call=7 attempt=3 duration=0s status=200
`, log.String())
	})
}
