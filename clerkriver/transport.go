package clerkriver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// RefusalHeader marks a response that [Campaigns.Transport] created itself: the request was
// not sent, because the shared limit has no free slot or a campaign was paused. See
// [IsOwnRefusal].
const RefusalHeader = "X-Clerkriver-Refusal"

// IsOwnRefusal reports whether err is for a request that [Campaigns.Transport], not Clerk,
// refused because the shared limit was used up or, in a run, a campaign was paused. Such an error
// matches [clerk.ErrRateLimited].
func IsOwnRefusal(err error) bool {
	sdk, isSDK := errors.AsType[*clerk.SDKError](err)
	refused, isClerk := errors.AsType[*clerk.ClerkErrors](err)
	return isSDK && sdk.Header.Get(RefusalHeader) != "" || isClerk && refused.Header.Get(RefusalHeader) != ""
}

// A transport sends requests within the limit.
type transport struct {
	limit *limit
	next  http.RoundTripper
}

// RoundTrip sends the request if it needs no slot, or gets one.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	kind := kindOf(req)
	if kind == "" {
		return t.next.RoundTrip(req)
	}
	ctx := req.Context()
	under, _ := ctx.Value(leaseKey{}).(*lease)
	duration := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		duration = max(0, time.Until(deadline))
	}
	begun := time.Now()
	s, err := t.limit.take(ctx, kind, under, duration)
	switch {
	case under != nil && (errors.Is(err, errLeaseLost) || errors.Is(err, errPaused)):
		under.stop(err)
		return refuse(req, t.limit.timing.lease), closeBody(req)
	case ctx.Err() != nil:
		return nil, refused(req, unsentError{error: ctx.Err()})
	case err != nil:
		return nil, refused(req, unavailable(err))
	case s.wait > 0:
		return refuse(req, s.wait), closeBody(req)
	case isPast(begun.Add(2 * t.limit.timing.slot)): // the process was stopped: another may have the rows and the slot
		return nil, refused(req, unavailable(errSlotTooOld))
	}
	resp, err := t.next.RoundTrip(punctual(req))
	wasSent := resp != nil || !clerk.NotSent(ctx, err)
	var created []string
	if under == nil && err == nil && resp.StatusCode < http.StatusMultipleChoices {
		created = readIDs(resp)
	}
	t.limit.hold(ctx, kind, s, resp, wasSent, created)
	return resp, err
}

// punctual makes a request close its connection instead of using it after the deadline. By
// then the process was stopped, and another may have sent the rows since. When a process
// continues, its context ends a little too late to prevent that.
func punctual(req *http.Request) *http.Request {
	deadline, ok := req.Context().Deadline()
	if !ok {
		return req
	}
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if isPast(deadline) {
				_ = info.Conn.Close()
			}
		},
	}))
}

// isPast reports whether a time has passed by the monotonic or the wall clock. The monotonic
// clock stops while a machine is suspended.
func isPast(t time.Time) bool {
	now := time.Now()
	return now.After(t) || now.Round(0).After(t.Round(0))
}

var errSlotTooOld = errors.New("the process was stopped after it had taken the slot")

// kindOf returns the limit that a request counts against, or "" if it counts against none.
func kindOf(req *http.Request) string {
	if info, ok := clerk.RequestInfoFromContext(req.Context()); ok {
		return map[clerk.Operation]string{clerk.OperationCreate: kindCreate, clerk.OperationBulkCreate: kindBulk}[info.Operation]
	}
	path := strings.TrimSuffix(req.URL.Path, "/")
	switch parent, isBulk := strings.CutSuffix(path, "/bulk"); {
	case req.Method != http.MethodPost || !strings.HasSuffix(parent, "/invitations") || isOrganization(parent):
		return ""
	case isBulk:
		return kindBulk
	}
	return kindCreate
}

// isOrganization reports whether a path is for an organization's invitations, which have a
// limit of their own.
func isOrganization(path string) bool {
	segments := strings.Split(path, "/")
	return len(segments) >= 3 && segments[len(segments)-3] == "organizations"
}

// refused closes the body of a request that is not sent, and returns its error.
func refused(req *http.Request, err error) error {
	if closing := closeBody(req); closing != nil {
		return fmt.Errorf("%w (and closing its body: %w)", err, closing)
	}
	return err
}

func closeBody(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	return req.Body.Close()
}

// refuse returns a response like the one that Clerk sends when a limit is used up.
func refuse(req *http.Request, wait time.Duration) *http.Response {
	seconds := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	body, _ := json.Marshal(map[string]any{"errors": []map[string]string{{ //nolint:errchkjson // only strings
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

// maxCreated is the size of the longest response that readIDs reads.
const maxCreated = 1 << 20

// readIDs returns the ids of the invitations in a response, which can still be read. A
// campaign must not take them for its own.
func readIDs(resp *http.Response) []string {
	if resp.Body == nil {
		return nil
	}
	var read bytes.Buffer
	_, err := io.Copy(&read, io.LimitReader(resp.Body, maxCreated))
	var rest io.Reader = resp.Body
	if err != nil {
		rest = failingReader{err}
	}
	encoded := read.Bytes()
	resp.Body = readCloser{io.MultiReader(bytes.NewReader(encoded), rest), resp.Body}
	var all []struct {
		ID string `json:"id"`
	}
	if trimmed := bytes.TrimLeft(encoded, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		encoded = append(append([]byte{'['}, trimmed...), ']')
	}
	_ = json.Unmarshal(encoded, &all) // another shape has no ids
	ids := make([]string, 0, len(all))
	for _, one := range all {
		ids = append(ids, oneLine(one.ID))
	}
	return ids
}

// A failingReader returns the error that reading a response ended with.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// A readCloser reads from one and closes another.
type readCloser struct {
	io.Reader
	io.Closer
}
