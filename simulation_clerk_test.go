package clerk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A simIncoming is a request to a world.
type simIncoming struct {
	by      *simActor
	method  string
	url     *url.URL
	body    []byte
	creates []simCreate // of a create or a bulk
}

func newSimIncoming(by *simActor, req *http.Request) *simIncoming {
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

// isAbout reports whether the request would create an invitation for an address.
func (r *simIncoming) isAbout(address string) bool {
	return slices.ContainsFunc(r.creates, func(c simCreate) bool { return c.EmailAddress == address })
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

// do carries out a request, and returns the response.
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
	TemplateSlug   string          `json:"template_slug"`
}

func (w *simWorld) doCreate(at time.Time, r *simIncoming) *simResponse {
	isBulk := r.operation() == clerk.OperationBulkCreate
	if refusal := w.refusal(r.creates); refusal != nil {
		return refusal
	}
	created := len(r.creates)
	isPart := isBulk && created > 1 && w.chance(w.parts)
	if isPart {
		created = w.random.IntN(created)
	}
	var made []*simRecord
	for _, req := range r.creates[:created] {
		made = append(made, w.create(at, r.by, req.EmailAddress, string(req.PublicMetadata)))
	}
	switch {
	case isPart:
		return pick(w.random, simRefusal(422, "something_new", "{}"), simRefusal(409, clerk.CodeConflict, "{}"),
			&simResponse{status: 500, body: []byte("{}")})
	case isBulk:
		return &simResponse{status: 200, body: w.array(at, made)}
	}
	return &simResponse{status: 200, body: w.object(nil, made[0], clerk.InvitationStatusPending)}
}

// refusal returns why invitations cannot be created; nil if they can.
func (w *simWorld) refusal(reqs []simCreate) *simResponse {
	var taken []string
	for _, req := range reqs {
		switch {
		case req.TemplateSlug != "":
			return simRefusal(422, clerk.CodeFormParamValueInvalid, `{"param_name":"template_slug"}`)
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
	return nil
}

func (w *simWorld) doByID(at time.Time, r *simIncoming, id string) *simResponse {
	record := w.byID(id)
	switch {
	case record == nil || record.deleted:
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

// array returns the JSON of invitations, as lists show them at a time.
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
