package clerkriver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// RefusalHeader marks a response that [Campaigns.Transport] made itself: the shared limit
// has no free slot, or a campaign was paused, and the request was not sent. See
// [IsOwnRefusal].
const RefusalHeader = "X-Clerkriver-Refusal"

// IsOwnRefusal reports whether err is for a request that [Campaigns.Transport] refused
// because the shared limit was used up, not Clerk. Such an error is also
// [clerk.ErrRateLimited].
func IsOwnRefusal(err error) bool {
	sdk, isSDK := errors.AsType[*clerk.SDKError](err)
	refused, isClerk := errors.AsType[*clerk.ClerkErrors](err)
	return isSDK && sdk.Header.Get(RefusalHeader) != "" || isClerk && refused.Header.Get(RefusalHeader) != ""
}

// Transport returns a transport that keeps all who use it, on all machines, within
// [Config].Limits, and campaigns within [Config].Budget. It sends through next, or
// [http.DefaultTransport] if that is nil.
//
// A create or bulk create takes a slot in the database, and holds it until the limit's
// time has passed since its response, by the database's clock. If no slot is free, the
// response is a 429 with a Retry-After and [RefusalHeader], and nothing is sent. If the
// database fails, the error is [ErrLimitUnavailable]. Other requests pass.
func (c *Campaigns) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &transport{c: c, next: next}
}

type transport struct {
	c    *Campaigns
	next http.RoundTripper
}

// runKey is the context's key of the run that a request belongs to.
type runKey struct{}

// RoundTrip sends the request if it needs no slot, or gets one.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if p, ok := req.Context().Value(probeKey{}).(*probe); ok && p.c == t.c {
		p.seen = true
		return nil, errors.Join(errProbe, closeBody(req))
	}
	kind := kindOf(req)
	if kind == "" {
		return t.next.RoundTrip(req)
	}
	r, _ := req.Context().Value(runKey{}).(*run)
	s, err := t.c.take(req.Context(), kind, r)
	switch {
	case errors.Is(err, errLeaseLost), errors.Is(err, errPaused):
		r.stop(err)
		return refuse(req, t.c.timing.lease), closeBody(req)
	case req.Context().Err() != nil:
		return nil, errors.Join(notSent(req.Context().Err()), closeBody(req))
	case err != nil:
		return nil, errors.Join(notSent(fmt.Errorf("%w: %w", ErrLimitUnavailable, err)), closeBody(req))
	case s.wait > 0:
		return refuse(req, s.wait), closeBody(req)
	}
	resp, err := t.next.RoundTrip(req)
	t.c.hold(req.Context(), kind, s, resp, err)
	return resp, err
}

// kindOf is the limit that a request counts against; empty if it counts against none.
func kindOf(req *http.Request) string {
	switch {
	case req.Method != http.MethodPost:
		return ""
	case strings.HasSuffix(req.URL.Path, "/invitations"):
		return kindCreate
	case strings.HasSuffix(req.URL.Path, "/invitations/bulk"):
		return kindBulk
	}
	return ""
}

func closeBody(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	return req.Body.Close()
}

// notSent is an error that says that no connection was made.
func notSent(err error) error { return &net.OpError{Op: "dial", Net: "clerkriver", Err: err} }

// refuse is a response like Clerk's to a request that its limits do not allow.
func refuse(req *http.Request, wait time.Duration) *http.Response {
	seconds := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	body, _ := json.Marshal(map[string]any{"errors": []map[string]string{{ //nolint:errchkjson // strings alone
		"code":    string(clerk.CodeTooManyRequests),
		"message": "the limit shared through clerkriver is used up; nothing was sent",
	}}})
	return &http.Response{
		Status: "429 Too Many Requests", StatusCode: http.StatusTooManyRequests,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Retry-After": {seconds}, "Content-Type": {"application/json"}, RefusalHeader: {"no free slot"},
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

// A probe is a request that tells whether a client uses the transport.
type probe struct {
	c    *Campaigns
	seen bool
}

type probeKey struct{}

var errProbe = errors.New("clerkriver: a probe is not sent")

// checkClient returns ErrNoTransport for a client that does not use the transport of c.
// Its request does not leave the machine: a client that does not use it finds no server
// there.
func (c *Campaigns) checkClient(ctx context.Context, client *clerk.Client) error {
	if _, ok := c.checked.Load(client); ok {
		return nil
	}
	p := &probe{c: c}
	_, err := client.Invitations.List(context.WithValue(ctx, probeKey{}, p), clerk.ListInvitationsRequest{Limit: 1},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}), clerk.WithBaseURL("http://127.0.0.1:1/v1"))
	switch {
	case p.seen:
		c.checked.Store(client, true)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return errors.Join(ErrNoTransport, err)
}
