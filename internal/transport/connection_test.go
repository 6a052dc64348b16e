package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptrace"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDelivery(t *testing.T) {
	refusedStream := errors.New("http2: Transport: cannot retry err [stream error: stream ID 5; REFUSED_STREAM; received from peer]")
	goAway := errors.New("http2: Transport received Server's graceful shutdown GOAWAY")
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
		"a similar text in another error":      {true, 1, 1, fmt.Errorf("proxy: %w", goAway), deliveredOnce},
		"a dial error without a trace":         {true, 0, 0, &net.OpError{Op: "dial", Err: io.EOF}, deliveredNever},
		"a read error without a trace":         {true, 0, 0, &net.OpError{Op: "read", Err: io.EOF}, deliveredOnce},
		"a response without a trace":           {true, 0, 0, nil, deliveredOnce},
		"a dial error of a proxy's connection": {true, 1, 1, &net.OpError{Op: "dial", Err: io.EOF}, deliveredOnce},
	} {
		c := newConnection()
		c.entered = test.entered
		for range test.wanted {
			c.trace.GetConn("example.com:443")
		}
		for range test.got {
			c.trace.GotConn(httptrace.GotConnInfo{})
		}
		require.Equal(t, test.want, c.delivery(test.err), name)
	}
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

func TestIsUntrusted(t *testing.T) {
	require.True(t, IsUntrusted(fmt.Errorf("TLS: %w", &tls.CertificateVerificationError{Err: io.EOF})))
	require.False(t, IsUntrusted(io.EOF))
}
