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

// A connection counts how often an attempt asked for a connection, and got one.
type connection struct {
	trace       httptrace.ClientTrace
	entered     bool // the request was passed to the transport
	wanted, got atomic.Int32
}

func newConnection() *connection {
	c := new(connection)
	c.trace.GetConn = func(string) { c.wanted.Add(1) }
	c.trace.GotConn = func(httptrace.GotConnInfo) { c.got.Add(1) }
	return c
}

// delivery returns how often the request was sent by an attempt that ended with err.
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

// isUnprocessed reports whether err is an HTTP/2 error which means that the server did
// not process the request (RFC 9113, 6.8 and 8.7). net/http does not export the types, so
// the pattern matches their texts. It is anchored: no text chosen by a server can match.
func isUnprocessed(err error) bool { return unprocessed.MatchString(err.Error()) }

var unprocessed = regexp.MustCompile(`^(http2: Transport: cannot retry err \[)?` +
	`(stream error: stream ID \d+; REFUSED_STREAM;|http2: Transport received Server's graceful shutdown GOAWAY)`)

// ownError removes what a transport's error reveals of the request and the caller: the
// URL, whose query may contain an address, and the cause of a canceled context.
func ownError(ctx context.Context, err error) error {
	for {
		withURL, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		if err = withURL.Err; err == nil {
			return errNoReason
		}
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return ctx.Err()
	}
	return err
}

// IsUntrusted reports whether err means that the server's certificate is not trusted. A
// retry would fail in the same way.
func IsUntrusted(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}
