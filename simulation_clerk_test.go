package clerk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A simFault is what goes wrong with a request. Nothing is done for those whose names end
// in "before", everything for those in "after", and for those in "late" it is done when
// the request has failed already.
type simFault uint8

const (
	simOK simFault = iota
	simUnsent
	simLimited
	simErrorBefore
	simErrorAfter
	simErrorLate
	simDropBefore
	simDropAfter
	simDropLate
	simHangBefore
	simHangAfter
	simHangLate
	simCutAfter
	simFaults // how many there are
)

func (f simFault) String() string {
	return [...]string{"ok", "unsent", "limited", "error before", "error after", "error late", "drop before", "drop after",
		"drop late", "hang before", "hang after", "hang late", "cut after"}[f]
}

func (f simFault) isBefore() bool {
	return f == simErrorBefore || f == simDropBefore || f == simHangBefore
}
func (f simFault) isLate() bool { return f == simErrorLate || f == simDropLate || f == simHangLate }

// A simLink is the transport between a client and a world.
type simLink struct {
	world  *simWorld
	script []simFault    // of the next requests
	share  float64       // of the others that meet a fault
	until  time.Time     // there are no faults by share after that; zero for no end
	dead   chan struct{} // closed when the client's process is killed
}

type simActorKey struct{}

func simActorOf(ctx context.Context) *simActor {
	by, _ := ctx.Value(simActorKey{}).(*simActor)
	return by
}

// fault returns what happens to the next request.
func (l *simLink) fault() simFault {
	if len(l.script) > 0 {
		next := l.script[0]
		l.script = l.script[1:]
		return next
	}
	if l.world.chance(l.share) && (l.until.IsZero() || time.Now().Before(l.until)) {
		return simFault(1 + l.world.random.IntN(int(simFaults)-1))
	}
	return simOK
}

var errSimDrop = errors.New("read: connection reset by peer")

func (l *simLink) RoundTrip(req *http.Request) (*http.Response, error) {
	w, by, fault := l.world, simActorOf(req.Context()), l.fault()
	by.requests++
	if fault != simOK {
		by.faults++
	}
	r := newSimRequest(by, req)
	sent := time.Now()
	resp, err := l.answer(req.Context(), r, fault)
	if fault == simOK && err != nil { // it was cut off
		by.faults++
	}
	failed := err != nil || resp.StatusCode != http.StatusOK || fault != simOK
	by.record(r, sent, failed, fault == simUnsent || err == nil && resp.StatusCode == http.StatusTooManyRequests)
	if w.trace != nil {
		w.note(time.Now(), "%s %s %s: %s: %s", req.Method, req.URL.RequestURI(), r.body, fault, simSummary(resp, err))
	}
	return resp, err
}

// answer does what a request asks for, unless a fault prevents it.
func (l *simLink) answer(ctx context.Context, r *simIncoming, fault simFault) (*http.Response, error) {
	w := l.world
	if fault == simUnsent {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	takes := w.upTo(w.latency)
	arrives := w.upTo(takes)
	if err := l.sleep(ctx, arrives); err != nil {
		if w.chance(0.5) { // it may arrive all the same
			l.doLate(r, simGraceOf(err))
		}
		return nil, err
	}
	now := time.Now()
	w.advance(now)
	wait := w.limits[r.operation()].wait(now)
	if wait > 0 {
		fault = simLimited
	}
	var done *simResponse
	switch {
	case fault == simLimited:
		done = simLimitedFor(max(wait, w.upTo(3*time.Second)))
	case fault.isBefore() || fault.isLate():
		w.limits[r.operation()].count(now, true)
	default:
		done = w.do(now, r)
		w.limits[r.operation()].count(now, done.status != http.StatusOK)
	}
	if r.method != http.MethodGet && w.chance(w.suspend) {
		w.jumped += 8 * time.Hour
		w.note(time.Now(), "the machine is suspended for 8 hours")
	}
	hangs := slices.Contains([]simFault{simHangBefore, simHangAfter, simHangLate}, fault)
	if hangs {
		takes = arrives + time.Hour
	}
	err := l.sleep(ctx, takes-arrives)
	if fault.isLate() {
		l.doLate(r, simGraceOf(err))
	}
	switch {
	case err != nil:
		return nil, err
	case fault == simErrorBefore || fault == simErrorAfter || fault == simErrorLate:
		return w.respond(&simResponse{status: http.StatusBadGateway, body: []byte("<html>")}), nil
	case fault == simDropBefore || fault == simDropAfter || fault == simDropLate:
		return nil, errSimDrop
	case fault == simCutAfter:
		resp := w.respond(done)
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(done.body[:len(done.body)/2]), brokenReader{}))
		return resp, nil
	}
	return w.respond(done), nil
}

// doLate does what a request asks for after it has failed, at a time after which lists
// show it within the grace time.
func (l *simLink) doLate(r *simIncoming, grace time.Duration) {
	w := l.world
	if r.method == http.MethodGet {
		return
	}
	w.schedule(time.Now().Add(w.upTo(grace-w.lag)), func(at time.Time) {
		w.note(at, "late:")
		w.do(at, r)
	})
}

func simGraceOf(err error) time.Duration {
	if errors.Is(err, context.DeadlineExceeded) {
		return simGraceAfterTimeout
	}
	return simGrace
}

// sleep waits until ctx ends or the process is killed.
func (l *simLink) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.dead:
		return errSimDrop
	case <-timer.C:
		return nil
	}
}

// A simIncoming is a request to a world.
type simIncoming struct {
	by      *simActor
	method  string
	url     *url.URL
	body    []byte
	creates []simCreate // of a create or a bulk
}

func newSimRequest(by *simActor, req *http.Request) *simIncoming {
	r := &simIncoming{by: by, method: req.Method, url: req.URL}
	if req.Body != nil {
		r.body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	body := r.body
	switch r.operation() {
	case clerk.OperationCreate:
		body = slices.Concat([]byte("["), body, []byte("]"))
	case clerk.OperationBulkCreate:
	default:
		return r
	}
	if err := json.Unmarshal(body, &r.creates); err != nil {
		panic(err)
	}
	return r
}

// record notes a request that has ended. uncounted means that Clerk has refused it for a
// limit, or did not get it.
func (a *simActor) record(r *simIncoming, at time.Time, failed, uncounted bool) {
	if r.creates == nil {
		return
	}
	if !uncounted {
		if a.counted == nil {
			a.counted = map[clerk.Operation][]time.Time{}
		}
		a.counted[r.operation()] = append(a.counted[r.operation()], at)
	}
	sent := simSent{creates: r.creates, sent: at}
	if failed {
		sent.failed = time.Now()
	}
	a.sent = append(a.sent, sent)
}

func (r *simIncoming) operation() clerk.Operation {
	switch {
	case r.method == http.MethodGet:
		return clerk.OperationList
	case r.method == http.MethodDelete:
		return clerk.OperationDelete
	case strings.HasSuffix(r.url.Path, "/revoke"):
		return clerk.OperationRevoke
	case strings.HasSuffix(r.url.Path, "/bulk"):
		return clerk.OperationBulkCreate
	}
	return clerk.OperationCreate
}

// A simResponse is the response of a world.
type simResponse struct {
	status     int
	retryAfter time.Duration
	body       []byte
}

func simLimitedFor(wait time.Duration) *simResponse {
	return &simResponse{http.StatusTooManyRequests, wait.Truncate(time.Second) + time.Second, []byte(`{"errors":[]}`)}
}

func simRefusal(status int, code clerk.ErrorCode, meta string) *simResponse {
	return &simResponse{status: status, body: fmt.Appendf(nil, `{"errors":[{"message":"m","long_message":"l","code":%q,"meta":%s}]}`, code, meta)}
}

// do does what a request asks for, and returns the response.
func (w *simWorld) do(at time.Time, r *simIncoming) *simResponse {
	switch r.operation() {
	case clerk.OperationList:
		return w.doList(at, r.url.Query())
	case clerk.OperationRevoke, clerk.OperationDelete:
		return w.doByID(at, r, strings.Split(strings.TrimPrefix(r.url.Path, "/v1/invitations/"), "/")[0])
	}
	return w.doCreate(at, r)
}

// A simCreate is a request for an invitation.
type simCreate struct {
	EmailAddress   string          `json:"email_address"`
	PublicMetadata json.RawMessage `json:"public_metadata"`
	IgnoreExisting bool            `json:"ignore_existing"`
}

func (w *simWorld) doCreate(at time.Time, r *simIncoming) *simResponse {
	var taken []string
	for _, req := range r.creates {
		switch {
		case req.IgnoreExisting:
		case w.users[req.EmailAddress]:
			return simRefusal(422, clerk.CodeFormIdentifierExists, `{"param_name":"email_address"}`)
		case w.pending(req.EmailAddress) != nil:
			taken = append(taken, strconv.Quote(req.EmailAddress))
		}
	}
	if taken != nil {
		return simRefusal(400, clerk.CodeDuplicateRecord, `{"email_addresses":[`+strings.Join(taken, ",")+`]}`)
	}
	var made []*simRecord
	for _, req := range r.creates {
		made = append(made, w.create(at, r.by, req.EmailAddress, string(req.PublicMetadata)))
	}
	if r.operation() == clerk.OperationBulkCreate {
		return &simResponse{status: 200, body: w.array(at, made)}
	}
	return &simResponse{status: 200, body: w.object(nil, made[0], clerk.InvitationStatusPending)}
}

func (w *simWorld) doByID(at time.Time, r *simIncoming, id string) *simResponse {
	record := w.byID(id)
	switch {
	case record == nil:
		return simRefusal(404, clerk.CodeResourceNotFound, "{}")
	case r.method == http.MethodDelete:
		w.delete(at, r.by, record)
		return &simResponse{status: 200, body: []byte(`{"object":"invitation","id":"` + id + `","deleted":true}`)}
	case record.revoked:
		return simRefusal(400, clerk.CodeInvitationAlreadyRevoked, "{}")
	case record.accepted:
		return simRefusal(400, clerk.CodeInvitationAlreadyAccepted, "{}")
	}
	w.revoke(at, r.by, record)
	return &simResponse{status: 200, body: w.object(nil, record, clerk.InvitationStatusRevoked)}
}

func (w *simWorld) doList(at time.Time, q url.Values) *simResponse {
	found := w.list(at, q.Get("query"), clerk.InvitationStatus(q.Get("status")))
	if strings.HasPrefix(q.Get("order_by"), "-") {
		slices.Reverse(found)
	}
	total := len(found)
	offset, _ := strconv.Atoi(q.Get("offset"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	found = found[min(offset, total):]
	if offset > 0 && w.chance(w.glitch) {
		found = nil
	}
	body := append([]byte(`{"data":`), w.array(at, found[:min(limit, len(found))])...)
	if w.chance(w.shifts) {
		w.shift(at)
	}
	return &simResponse{status: 200, body: fmt.Appendf(body, `,"total_count":%d}`, total)}
}

// array returns invitations as JSON, as lists show them at a time.
func (w *simWorld) array(at time.Time, records []*simRecord) []byte {
	body := []byte("[")
	for i, r := range records {
		if i > 0 {
			body = append(body, ',')
		}
		status := r.status(at)
		if status == "" { // just created
			status = clerk.InvitationStatusPending
		}
		body = w.object(body, r, status)
	}
	return append(body, ']')
}

func (*simWorld) object(body []byte, r *simRecord, status clerk.InvitationStatus) []byte {
	updated := r.created
	if status != clerk.InvitationStatusPending {
		updated = r.updated
	}
	return fmt.Appendf(body, `{"object":"invitation","id":%q,"email_address":%q,"public_metadata":%s,"revoked":%t,"status":%q,"created_at":%d,"updated_at":%d}`,
		r.id, r.address, r.metadata, status == clerk.InvitationStatusRevoked, status, r.created, updated)
}

func (w *simWorld) respond(r *simResponse) *http.Response {
	header := http.Header{
		"Content-Type": {"application/json"}, "Date": {w.date(time.Now()).UTC().Format(http.TimeFormat)},
	}
	if r.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(r.retryAfter/time.Second)))
	}
	return &http.Response{StatusCode: r.status, Header: header, ContentLength: int64(len(r.body)), Body: io.NopCloser(bytes.NewReader(r.body))}
}

func simSummary(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(resp.Body)
	rest := io.Reader(bytes.NewReader(body))
	if err != nil {
		rest = io.MultiReader(rest, brokenReader{})
	}
	resp.Body = io.NopCloser(rest)
	return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Date"), " ", resp.Header.Get("Retry-After"), " ", string(body))
}
