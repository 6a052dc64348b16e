package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDelivery(t *testing.T) {
	refusedStream := errors.New("http2: Transport: cannot retry err [stream error: stream ID 5; REFUSED_STREAM; received from peer]")
	goAway := errors.New("http2: Transport received Server's graceful shutdown GOAWAY")
	goneAway := errors.New("http2: Transport received GOAWAY from server ErrCode:ENHANCE_YOUR_CALM")
	closedAfter := func(last string) error {
		return errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=" + last + `, ErrCode=ENHANCE_YOUR_CALM, debug="LastStreamID=0,"`)
	}
	for name, test := range map[string]struct {
		entered     bool // the transport was called
		wanted, got int  // connections
		err         error
		want        delivery
	}{
		"the transport is not called":          {false, 0, 0, context.Canceled, deliveredNever},
		"no connection":                        {true, 1, 0, io.EOF, deliveredNever},
		"a connection":                         {true, 1, 1, nil, deliveredOnce},
		"a broken connection":                  {true, 1, 1, io.EOF, deliveredOnce},
		"a second connection":                  {true, 2, 2, nil, deliveredAgain},
		"no second connection":                 {true, 2, 1, io.EOF, deliveredOnce},
		"a refused stream":                     {true, 1, 1, refusedStream, deliveredNever},
		"a refused stream, second connection":  {true, 2, 2, refusedStream, deliveredAgain},
		"a graceful shutdown":                  {true, 1, 1, goAway, deliveredNever},
		"a shutdown with an error code":        {true, 1, 1, goneAway, deliveredNever},
		"a connection closed after no stream":  {true, 1, 1, closedAfter("0"), deliveredNever},
		"a connection closed after a stream":   {true, 1, 1, closedAfter("1"), deliveredOnce},
		"a wrapped graceful shutdown":          {true, 1, 1, fmt.Errorf("traced: %w", goAway), deliveredNever},
		"a shutdown that a transport reports":  {true, 1, 1, fmt.Errorf("%w: %w", ErrNotSent, goAway), deliveredNever},
		"a similar text in another error":      {true, 1, 1, errors.New("proxy: " + goAway.Error()), deliveredOnce},
		"a transport that refuses to send":     {true, 0, 0, fmt.Errorf("breaker: %w", ErrNotSent), deliveredNever},
		"a refusal beside a broken connection": {true, 1, 1, errors.Join(ErrNotSent, io.EOF), deliveredOnce},
		"a dial error without a trace":         {true, 0, 0, &net.OpError{Op: "dial", Err: io.EOF}, deliveredNever},
		"a read error without a trace":         {true, 0, 0, &net.OpError{Op: "read", Err: io.EOF}, deliveredOnce},
		"a response without a trace":           {true, 0, 0, nil, deliveredOnce},
		"a dial error of a proxy's connection": {true, 1, 1, &net.OpError{Op: "dial", Err: io.EOF}, deliveredOnce},
	} {
		c := newConnection(t.Context())
		c.entered = test.entered
		for range test.wanted {
			c.trace.GetConn("example.com:443")
		}
		for range test.got {
			c.trace.GotConn(httptrace.GotConnInfo{})
		}
		require.Equal(t, test.want, c.delivery(test.err), name)
		require.Equal(t, test.want == deliveredNever && test.err != nil, IsNotSent(context.WithoutCancel(c), test.err), name)
	}
}

func TestIsNotSentGoesByTheErrorForRequestsOfOthers(t *testing.T) {
	for err, want := range map[error]bool{
		nil:                      false,
		io.EOF:                   false,
		ErrNotSent:               true,
		&net.OpError{Op: "dial"}: true,
		&net.OpError{Op: "read"}: false,
		context.DeadlineExceeded: false,
	} {
		require.Equal(t, want, IsNotSent(t.Context(), err), err)
	}
}

func TestErrNotSentOfATransportDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiting := func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, errors.Join(ErrNotSent, req.Context().Err())
		}
		r := newTestRequest(http.MethodPost)
		r.Policy.AttemptTimeout = time.Second
		l := newTestClient(waiting, status(200)).Do(t.Context(), r)
		require.Equal(t, Succeeded, l.Class)
		require.Equal(t, 2, l.Attempts)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l = newTestClient(waiting).Do(ctx, newTestRequest(http.MethodPost))
		require.Equal(t, NotSent, l.Class)
		require.ErrorIs(t, l.Err, context.DeadlineExceeded)
	})
}

func TestErrNotSentIsHiddenAfterARequestWasSent(t *testing.T) {
	cutOff := func(req *http.Request) (*http.Response, error) {
		trace := httptrace.ContextClientTrace(req.Context())
		trace.GetConn("example.com:443")
		trace.GotConn(httptrace.GotConnInfo{})
		return nil, fmt.Errorf("all backends failed: %w", errors.Join(ErrNotSent, io.EOF))
	}
	l := newTestClient(cutOff).Do(t.Context(), newTestRequest(http.MethodPost))
	require.Equal(t, Ambiguous, l.Class)
	require.NotErrorIs(t, l.Err, ErrNotSent)
	require.ErrorContains(t, l.Err, "all backends failed")
}

func TestOwnErrorHidesTheURLAndTheCauseOfTheContext(t *testing.T) {
	withURL := func(err error) error { return &url.Error{Op: "Get", URL: "https://example.com/?query=ada", Err: err} }
	require.NoError(t, ownError(t.Context(), nil))
	require.Equal(t, io.EOF, ownError(t.Context(), withURL(withURL(io.EOF))))
	require.Equal(t, errNoReason, ownError(t.Context(), withURL(nil)))

	cause := errors.New("the caller's reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	require.Equal(t, cause, ownError(ctx, cause), "ctx has not ended")
	cancel(cause)
	require.Equal(t, context.Canceled, ownError(ctx, withURL(cause)))
	require.Equal(t, io.EOF, ownError(ctx, io.EOF))
}

// A lastingError is a transport's error that says whether a retry would fail in the same way.
type lastingError bool

func (lastingError) Error() string     { return "the breaker is open" }
func (l lastingError) Permanent() bool { return bool(l) }

func TestIsPermanent(t *testing.T) {
	require.True(t, IsPermanent(fmt.Errorf("TLS: %w", &tls.CertificateVerificationError{Err: io.EOF})))
	require.True(t, IsPermanent(fmt.Errorf("%w: %w", ErrNotSent, lastingError(true))))
	require.False(t, IsPermanent(fmt.Errorf("%w: %w", ErrNotSent, lastingError(false))))
	require.False(t, IsPermanent(io.EOF))
	require.False(t, IsPermanent(nil))
}
