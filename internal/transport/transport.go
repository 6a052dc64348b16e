// Package transport sends the HTTP requests of package clerk. It makes one or more
// attempts for each request, classifies their results, and retries as the request's
// policy allows. It knows nothing about invitations.
package transport

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// New returns a Client.
func New(config Config) *Client {
	c := &Client{Config: config}
	c.retrying = &retryablehttp.Client{ // its hooks get the Loop from the request's context
		HTTPClient: &http.Client{Transport: attempts{}, Jar: c.HTTP.Jar},
		RetryMax:   math.MaxInt, // CheckRetry decides
		CheckRetry: func(ctx context.Context, _ *http.Response, err error) (bool, error) {
			l := loopFrom(ctx)
			return err == nil && l.Class != Succeeded && l.plan(ctx), nil
		},
		Backoff: func(_, _ time.Duration, _ int, resp *http.Response) time.Duration {
			return loopFrom(resp.Request.Context()).wait
		},
		PrepareRetry: func(req *http.Request) error { // drops the cookies that http.Client has added
			loopFrom(req.Context()).resetHeader(req)
			return nil
		},
	}
	if c.Logger != nil {
		c.retrying.ResponseLogHook = func(_ retryablehttp.Logger, resp *http.Response) {
			ctx := resp.Request.Context()
			if l := loopFrom(ctx); l.held == nil {
				l.log(ctx, c.Logger)
			}
		}
	}
	return c
}

// Do sends the request, and retries it as its policy allows.
//
// go-retryablehttp drives the loop: attempts.RoundTrip stores the attempt, CheckRetry
// calls plan, which sets l.again and l.wait, Backoff returns l.wait, and PrepareRetry
// resets the cookies.
func (c *Client) Do(ctx context.Context, r Request) *Loop {
	l := &Loop{client: c, request: r}
	req, err := l.newRequest(ctx)
	if err == nil {
		var resp *http.Response
		if resp, err = c.retrying.Do(req); resp != nil {
			_ = resp.Body.Close() // it is empty: the attempt has read the real one
		}
	}
	if l.held != nil {
		err = l.held
	}
	switch {
	case l.Attempts == 0:
		l.Attempt = Attempt{Err: err, Class: NotSent}
	case l.held != nil:
		l.Stopped = err
	case l.again: // the context ended during the wait
		l.Stopped = err
	}
	if l.Class != Succeeded {
		l.recall()
	}
	return l
}

func (l *Loop) newRequest(ctx context.Context) (*retryablehttp.Request, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var body any // a nil []byte would count as a body
	if l.request.Body != nil {
		body = l.request.Body
	}
	req, err := retryablehttp.NewRequestWithContext(context.WithValue(ctx, loopKey{}, l), l.request.Method, l.request.URL, body)
	if err == nil {
		l.resetHeader(req.Request)
		req.Host = "" // saves http.Client a copy of the URL; the attempt sets it
	}
	return req, err
}

// resetHeader drops the cookies that http.Client has added from its jar. The header of req
// contains only cookies; the attempt adds the other fields.
func (l *Loop) resetHeader(req *http.Request) {
	clear(req.Header)
	if own := l.request.Header.Get("Cookie"); own != "" {
		req.Header.Set("Cookie", own)
	}
}

// With these settings, a dead HTTP/2 connection, whose peer has gone without closing it, is
// detected within 10 seconds, and the next attempt uses a new one.
const (
	pingAfter   = 5 * time.Second // of silence from the server
	pingTimeout = 5 * time.Second
)

// Default returns a transport with the settings of http.DefaultTransport, except that one
// host may use all idle connections and HTTP/2 connections are health-checked. It returns
// http.DefaultTransport itself if the program has replaced that with another type.
func Default() http.RoundTripper {
	std, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := std.Clone()
	own.MaxIdleConnsPerHost = own.MaxIdleConns
	own.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: pingTimeout}
	return own
}
