package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"sync/atomic"
)

// A connection records how often an attempt asked for a connection, and got one.
type connection struct {
	trace       httptrace.ClientTrace
	entered     bool // the transport was given the request
	wanted, got atomic.Int32
}

func newConnection() *connection {
	c := new(connection)
	c.trace.GetConn = func(string) { c.wanted.Add(1) }
	c.trace.GotConn = func(httptrace.GotConnInfo) { c.got.Add(1) }
	return c
}

// delivery says how often the request of an attempt that ended with err was sent.
func (c *connection) delivery(err error) delivery {
	wanted, got := c.wanted.Load(), c.got.Load()
	switch {
	case got > 1:
		return deliveredAgain
	case !c.entered, wanted > 0 && got == 0, err != nil && got == 1 && isUnprocessed(err):
		return deliveredNever
	case wanted == 0 && err != nil: // a transport that does not trace
		if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "dial" {
			return deliveredNever
		}
	}
	return deliveredOnce
}

// isUnprocessed reports whether HTTP/2 says that the server did not process the request
// (RFC 9113, 6.8 and 8.7). net/http's types for this are not exported; the pattern
// matches their texts, and no text that a server or another transport can choose.
func isUnprocessed(err error) bool { return unprocessed.MatchString(err.Error()) }

var unprocessed = regexp.MustCompile(`^(http2: Transport: cannot retry err \[)?` +
	`(stream error: stream ID \d+; REFUSED_STREAM;|http2: Transport received Server's graceful shutdown GOAWAY)`)

// ownError strips what a transport's error has of the request or the caller: the URL,
// whose query may contain an address, and the cause of a cancelled context.
func ownError(ctx context.Context, err error) error {
	for {
		withURL, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		err = withURL.Err
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return ctx.Err()
	}
	return err
}

// IsUntrusted reports whether an attempt failed for the server's certificate, as further
// ones would.
func IsUntrusted(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}
