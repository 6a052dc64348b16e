package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type roundTrips []func(*http.Request) (*http.Response, error)

// RoundTrip calls the first function for the first request, and so on.
func (r *roundTrips) RoundTrip(req *http.Request) (*http.Response, error) {
	next := (*r)[0]
	*r = (*r)[1:]
	return next(req)
}

func status(code int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
		if len(header) > 0 {
			resp.Header.Set(header[0], header[1])
		}
		return resp, nil
	}
}

func failing(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func hanging(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

var errRefused = errors.New("a refusal")

func newTestClient(answers ...func(*http.Request) (*http.Response, error)) *Client {
	return New(Config{
		HTTP:         &http.Client{Transport: (*roundTrips)(&answers)},
		MaxBytes:     1000,
		Refusal:      func([]byte) (string, error) { return "trace a=b", errRefused },
		IsDocumented: func(operation string, status int) bool { return operation == "Op" && status == 400 },
	})
}

func newTestRequest(method string) Request {
	return Request{
		Operation: "Op", Path: "/things", Method: method, URL: "https://example.com/things",
		Decode: func(body []byte) (any, error) { return string(body), nil },
		Policy: Policy{
			Retry: true, RetryConnectionErrors: true, RetryRateLimits: true, AttemptTimeout: time.Minute,
			Backoff: linear{},
		},
	}
}

// Each row has the first answer to a read and to a write, how long they take to succeed, and
// the class of the one that is not retried.
func TestDoRetriesWhatMayBeRetried(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for name, test := range map[string]struct {
		first       func(*http.Request) (*http.Response, error)
		read, write time.Duration // 0 if it is not retried
		class       Class
	}{
		"a status of 503":                  {status(503), time.Second, 0, Ambiguous},
		"a status of 503 with Retry-After": {status(503, "Retry-After", "7"), 7 * time.Second, 0, Ambiguous},
		"a status of 429":                  {status(429), time.Second, time.Second, NoClass},
		"a status of 400":                  {status(400), 0, 0, Refused},
		"a refused connection":             {failing(dial), time.Second, time.Second, NoClass},
		"a broken connection":              {failing(io.ErrUnexpectedEOF), time.Second, 0, Ambiguous},
		"a transport that does not send":   {failing(fmt.Errorf("%w: %w", ErrNotSent, lastingError(false))), time.Second, time.Second, NoClass},
		"and for good":                     {failing(fmt.Errorf("%w: %w", ErrNotSent, lastingError(true))), 0, 0, NotSent},
	} {
		for method, want := range map[string]time.Duration{http.MethodGet: test.read, http.MethodPost: test.write} {
			t.Run(name+"/"+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					l := newTestClient(test.first, status(200)).Do(t.Context(), newTestRequest(method))
					require.Equal(t, want, time.Since(began))
					if want == 0 {
						require.Equal(t, 1, l.Attempts)
						require.Equal(t, test.class, l.Class)
						return
					}
					require.Equal(t, Succeeded, l.Class)
					require.Equal(t, 2, l.Attempts)
					require.Equal(t, "{}", l.Value)
				})
			})
		}
	}
}

func TestPolicyTurnsRetriesOff(t *testing.T) {
	dial := failing(&net.OpError{Op: "dial", Err: errors.New("refused")})
	for name, test := range map[string]struct {
		first  func(*http.Request) (*http.Response, error)
		change func(*Policy)
		class  Class
	}{
		"all":               {dial, func(p *Policy) { p.Retry = false }, NotSent},
		"connection errors": {dial, func(p *Policy) { p.RetryConnectionErrors = false }, NotSent},
		"rate limits":       {status(429), func(p *Policy) { p.RetryRateLimits = false }, RateLimited},
	} {
		r := newTestRequest(http.MethodPost)
		test.change(&r.Policy)
		l := newTestClient(test.first).Do(t.Context(), r)
		require.Equal(t, test.class, l.Class, name)
		require.Equal(t, 1, l.Attempts, name)
	}
}

func TestPolicyLimitsAttempts(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Policy)
		want   time.Duration
	}{
		"AttemptTimeout": {func(p *Policy) { p.AttemptTimeout = 7 * time.Second }, 7 * time.Second},
		"Deadline":       {func(p *Policy) { p.Deadline = time.Now().Add(9 * time.Second) }, 9 * time.Second},
		"LeaveTime":      {func(p *Policy) { p.LeaveTime = true }, 20 * time.Second},
		"LeaveCallTime":  {func(p *Policy) { p.LeaveCallTime, p.Deadline = true, time.Now().Add(9*time.Second) }, 6 * time.Second},
		"the context":    {func(*Policy) {}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				r := newTestRequest(http.MethodPost)
				test.change(&r.Policy)
				began := time.Now()
				l := newTestClient(hanging).Do(ctx, r)
				require.Equal(t, test.want, time.Since(began))
				require.Equal(t, Ambiguous, l.Class)
			})
		})
	}
}

func TestDoReturnsTheLastResponseWhenALaterAttemptTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		l := newTestClient(status(503), hanging).Do(ctx, newTestRequest(http.MethodGet))
		require.Equal(t, 503, l.Status)
		require.ErrorIs(t, l.Stopped, context.DeadlineExceeded)
		require.Equal(t, 2, l.Attempts)
		require.Equal(t, "trace [redacted]", l.TraceID)
		require.Equal(t, "a refusal; stopped before another attempt: context deadline exceeded", l.Describe(l.Refusal.Error(), 0))
	})
}

func TestDoReturnsTheLastReasonWhenALaterAttemptTimesOut(t *testing.T) {
	dnsError := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "example.com"}}
	unconnected := func(req *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(req.Context()).GetConn("example.com:443")
		return hanging(req)
	}
	for name, test := range map[string]struct {
		method string
		first  error
		last   func(*http.Request) (*http.Response, error)
		class  Class
		want   string
	}{
		"a read that is not sent":  {http.MethodGet, dnsError, unconnected, NotSent, "nothing sent: dial: lookup example.com: no such host; "},
		"a read that is sent":      {http.MethodGet, dnsError, hanging, Failed, "no response: dial: lookup example.com: no such host; "},
		"a read that was sent":     {http.MethodGet, io.ErrUnexpectedEOF, unconnected, Failed, "no response: unexpected EOF; "},
		"a write that is not sent": {http.MethodPost, dnsError, unconnected, NotSent, "nothing sent: dial: lookup example.com: no such host; "},
		"a write that may be sent": {http.MethodPost, dnsError, hanging, Ambiguous, "no response: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				l := newTestClient(failing(test.first), failing(test.first), test.last).Do(ctx, newTestRequest(test.method))
				require.Equal(t, 3, l.Attempts)
				require.Equal(t, test.class, l.Class)
				text := l.Describe("", 0)
				require.Equal(t, test.want, strings.TrimSuffix(text, "stopped before another attempt: context deadline exceeded"))
				require.Equal(t, test.class != Ambiguous, errors.Is(l.Stopped, context.DeadlineExceeded))
			})
		})
	}
}

func TestDoSendsNothingAfterTheContextEnded(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	l := newTestClient().Do(ended, newTestRequest(http.MethodPost))
	require.Equal(t, NotSent, l.Class)
	require.ErrorIs(t, l.Err, context.Canceled)
	require.Zero(t, l.Attempts)
}

func TestUnsentSaysWhyNothingWasSent(t *testing.T) {
	l := Unsent(newTestRequest(http.MethodPost), errors.New("no key"))
	require.Equal(t, NotSent, l.Class)
	require.Equal(t, "nothing sent: no key", l.Describe("", 0))
	require.Zero(t, l.Attempts)
}

func TestIsDocumentedAsksTheConfig(t *testing.T) {
	for status, want := range map[int]bool{400: true, 404: false} {
		l := newTestClient(func(req *http.Request) (*http.Response, error) {
			r, attempt := FromContext(req.Context())
			require.Equal(t, "POST /things", r.Route())
			require.Equal(t, 1, attempt)
			return &http.Response{StatusCode: status, Body: http.NoBody}, nil
		}).Do(t.Context(), newTestRequest(http.MethodPost))
		require.Equal(t, want, l.IsDocumented(), status)
	}
	r, _ := FromContext(t.Context())
	require.Nil(t, r)
}

func TestDefaultHasHTTP2HealthChecks(t *testing.T) {
	own, ok := Default().(*http.Transport)
	require.True(t, ok)
	require.NotSame(t, http.DefaultTransport, own)
	require.Positive(t, own.MaxIdleConns)
	require.Equal(t, own.MaxIdleConns, own.MaxIdleConnsPerHost)
	require.Equal(t, 10*time.Second, own.HTTP2.SendPingTimeout+own.HTTP2.PingTimeout)

	std := http.DefaultTransport
	defer func() { http.DefaultTransport = std }()
	http.DefaultTransport = new(roundTrips)
	require.Same(t, http.DefaultTransport, Default())
}

// linear waits for a second more after each attempt, or for as long as the response asks.
type linear struct{}

func (linear) Backoff(attempt int, asked time.Duration) time.Duration {
	return cmp.Or(asked, time.Duration(attempt)*time.Second)
}
