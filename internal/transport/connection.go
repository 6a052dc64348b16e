package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"sync/atomic"
)

// ErrNotSent means that a request was not sent. A transport that does not send a request
// returns an error that matches it.
var ErrNotSent = errors.New("clerk: the request was not sent")

var errNoReason = errors.New("the transport failed without a reason")

// A connection is the context of an attempt. It counts how often the attempt asked for a
// connection, and got one.
type connection struct {
	context.Context

	trace       httptrace.ClientTrace
	entered     bool // the request was passed to the transport
	wanted, got atomic.Int32
}

type connectionKey struct{}

func newConnection(ctx context.Context) *connection {
	c := new(connection)
	c.trace.GetConn = func(string) { c.wanted.Add(1) }
	c.trace.GotConn = func(httptrace.GotConnInfo) { c.got.Add(1) }
	c.Context = httptrace.WithClientTrace(ctx, &c.trace)
	return c
}

// Value returns c itself for connectionKey.
func (c *connection) Value(key any) any {
	if key == (connectionKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// IsNotSent reports whether a request whose transport failed with err was certainly not
// processed by the server. ctx is the request's context.
func IsNotSent(ctx context.Context, err error) bool {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok { // a request from elsewhere, without a trace
		c = &connection{entered: true}
	}
	return err != nil && c.delivery(err) == deliveredNever
}

// delivery returns how often the request was sent by an attempt that ended with err. If the
// attempt got a connection, that outweighs an err that matches ErrNotSent: a transport with
// several servers may return the errors of all of them.
func (c *connection) delivery(err error) delivery {
	wanted, got := c.wanted.Load(), c.got.Load()
	switch {
	case got > 1:
		return deliveredAgain
	case got == 0:
		if !c.entered || wanted > 0 || errors.Is(err, ErrNotSent) || isDialError(err) {
			return deliveredNever
		}
	case isUnprocessed(err):
		return deliveredNever
	}
	return deliveredOnce
}

// isDialError reports whether err comes from dialing. It decides only for a transport that
// does not trace its connections.
func isDialError(err error) bool {
	network, ok := errors.AsType[*net.OpError](err)
	return ok && network.Op == "dial"
}

// isUnprocessed reports whether err wraps an HTTP/2 error that means that the server did not
// process the request (RFC 9113, 6.8 and 8.7). net/http does not export the types, so the
// pattern matches their texts. It is anchored: no text chosen by a server can match.
func isUnprocessed(err error) bool {
	if err == nil {
		return false
	}
	if unprocessed.MatchString(err.Error()) {
		return true
	}
	switch e := err.(type) { //nolint:errorlint // one level, like errors.Is
	case interface{ Unwrap() error }:
		return isUnprocessed(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), isUnprocessed)
	}
	return false
}

var unprocessed = regexp.MustCompile(`^(http2: Transport: cannot retry err \[)?` +
	`(stream error: stream ID \d+; REFUSED_STREAM;|http2: Transport received Server's graceful shutdown GOAWAY|` +
	`http2: Transport received GOAWAY from server ErrCode:|` + // for a stream above the last one processed
	`http2: server sent GOAWAY and closed the connection; LastStreamID=0,)`)

// ownError removes details of the request and the caller from a transport's error: the URL,
// whose query may contain an address, and the cause of a canceled context.
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

// IsPermanent reports whether a retry would fail in the same way: the server's certificate
// is not trusted, or the transport's error says so.
func IsPermanent(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	own, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err)
	return untrusted || ok && own.Permanent()
}
