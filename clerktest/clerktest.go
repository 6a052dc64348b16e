// Package clerktest is a fake of Clerk's Invitations API, to test services that
// use package clerk against. It keeps state as one Clerk instance does: what is
// created can be listed, revoked, accepted or left to expire.
//
//	fake := clerktest.New()
//	client, err := fake.Client()
//
// Requests can be made to fail, one by one with [Fake.Fail] or by share with
// [WithFaults], before or after they are carried out.
//
// A [Fake] is an [http.RoundTripper] that answers in process, also inside a
// testing/synctest bubble, and an [http.Handler] that [Fake.Serve] serves over
// loopback. Both have the same state. The program fakeclerk, in cmd/fakeclerk,
// serves it to any language.
//
// # What it is made from
//
// Statuses, codes and texts are those of Clerk's OpenAPI document (2026-05-12),
// its public error catalogue, its "Rate limits" page and its SDKs; the text for an
// address that belongs to a user, and the form of ids and times, are as observed.
// The following is inferred. The real Clerk may differ, and tests should not hang
// on it:
//
//   - the status 422 and the codes for an address, expires_in_days, template_slug
//     or list parameter that is not allowed, for a value of a wrong type and for an
//     unknown field (observed on a sibling of these operations), the 400 for an
//     empty bulk, and which error comes first when several apply;
//   - the short text and the meta of duplicate_record, which are those of Clerk's
//     organization invitations;
//   - that a bulk makes all of its invitations or none, that its response is in the
//     order of the request, and that an address that stands in it twice is a
//     duplicate_record;
//   - that ignore_existing makes a second invitation beside a pending one. In a
//     bulk it does not overrule that an address belongs to a user: of the two
//     contradicting sentences in Clerk's document, the fake follows the stricter;
//   - that addresses are compared without regard to case, and given back as they
//     came; what an address may look like;
//   - that an address whose invitation has expired can be invited again, and that
//     an expired invitation can be revoked;
//   - that status may be repeated in a list, which Clerk's Go SDK does and its
//     document does not say;
//   - the body of a 429 (see [WithRateLimitAnswer]), that requests refused with 401
//     or 429 do not count against a limit, and that those refused otherwise do;
//   - whether an hour of the limits is fixed or sliding (see [RateLimits]);
//   - whether query matches parts of an address or id. The fake matches parts,
//     without regard to case, unless [WithExactQuery] is given;
//   - whether limit and offset apply to the list that is a bare array. In the fake
//     they do, unless [WithUnpagedArrays] is given;
//   - the largest request body, here 1 MiB, and the response to a path or method
//     that the API does not have, here 404 in plain text.
package clerktest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// SecretKey is the key, a worthless one, that a [Fake] takes, unless [WithSecretKey] is given.
const SecretKey = "sk_test_clerktest"

// maxRequestBody is where the fake answers request_body_too_large.
const maxRequestBody = 1 << 20

// A Fake is a fake Clerk instance. Make one with [New]. Any number of goroutines
// may use it at once.
type Fake struct {
	options

	mu          sync.Mutex
	invitations []*clerk.Invitation // oldest first
	byID        map[string]*clerk.Invitation
	byAddress   map[string][]*clerk.Invitation // by folded address, oldest first
	users       map[string]bool                // by folded address
	hidden      map[string]hidden              // by invitation id
	planned     map[clerk.Operation][]Fault
	requests    []Request
	all         window
	creates     window
	bulks       window
}

// A Request is one that a [Fake] got.
type Request struct {
	// Time is when the fake answered it.
	Time time.Time
	// Operation is what it asked for; empty for a path the API does not have.
	Operation clerk.Operation
	// Method and Path are its method and path, such as "/v1/invitations".
	Method, Path string
	// Query is its query parameters.
	Query url.Values
	// Header is its header, without Authorization.
	Header http.Header
	// Body is its body, at most 1 MiB and a byte of it.
	Body []byte
	// Status is the status that it was answered with; 0 when the connection broke
	// before the response.
	Status int
	// Fault is what went wrong with it; empty when nothing did.
	Fault Fault
}

// An Option configures a [Fake].
type Option func(*options)

type options struct {
	secretKey     string
	limits        RateLimits
	limitType     string
	limitBody     *string
	exactQuery    bool
	unpagedArrays bool
	faults        FaultMix
	random        *rand.Rand // nil without a mix of faults
}

// WithSecretKey sets the key that the fake takes, in place of [SecretKey].
func WithSecretKey(key string) Option {
	return func(o *options) { o.secretKey = key }
}

// WithExactQuery makes the list parameter query match whole addresses and ids
// only. Which of the two Clerk does is not documented.
func WithExactQuery() Option {
	return func(o *options) { o.exactQuery = true }
}

// WithUnpagedArrays makes a list without paginated=true ignore limit and offset.
// Whether Clerk does so is not documented.
func WithUnpagedArrays() Option {
	return func(o *options) { o.unpagedArrays = true }
}

// New makes a fake instance without invitations and users.
func New(opts ...Option) *Fake {
	f := &Fake{
		options:   options{secretKey: SecretKey},
		byID:      map[string]*clerk.Invitation{},
		byAddress: map[string][]*clerk.Invitation{},
		users:     map[string]bool{},
		hidden:    map[string]hidden{},
		planned:   map[clerk.Operation][]Fault{},
	}
	for _, opt := range opts {
		opt(&f.options)
	}
	f.all = window{limit: f.limits.Requests, sliding: f.limits.Sliding}
	f.creates = window{limit: f.limits.Creates, sliding: f.limits.Sliding}
	f.bulks = window{limit: f.limits.Bulks, sliding: f.limits.Sliding}
	return f
}

// Client makes a client of the fake, in process, that opts configure further.
func (f *Fake) Client(opts ...clerk.Option) (*clerk.Client, error) {
	viaFake := clerk.WithHTTPClient(&http.Client{Transport: f})
	return clerk.NewClient(f.secretKey, append([]clerk.Option{viaFake}, opts...)...)
}

// Serve serves the fake over loopback, until stop is called. A client reaches it
// with [clerk.WithBaseURL](baseURL). Like [httptest.NewServer] it panics when it
// cannot listen.
func (f *Fake) Serve() (baseURL string, stop func()) {
	server := httptest.NewServer(f)
	return server.URL + "/v1", func() {
		server.CloseClientConnections() // or Close would wait for requests that hang
		server.Close()
	}
}

// SecretKey returns the key that the fake takes.
func (f *Fake) SecretKey() string { return f.secretKey }

// RoundTrip answers a request in process, whatever its host. It makes a Fake an
// [http.RoundTripper]. Its error is that of the request's context or body.
func (f *Fake) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = readBody(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	a := f.respond(req, body)
	if err := sleep(req.Context(), a.delay); err != nil {
		return nil, err
	}
	return a.response(req)
}

// ServeHTTP answers a request. It makes a Fake an [http.Handler].
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the request broke off
	}
	a := f.respond(r, body)
	if sleep(r.Context(), a.delay) == nil {
		a.write(w)
	}
}

// readBody reads a request's body, as far as it takes to see that it is too large.
func readBody(body io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(body, maxRequestBody+1))
}

// respond does what a request asks for, unless a fault is in the way, and makes the
// answer to it.
func (f *Fake) respond(r *http.Request, body []byte) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	op, id := route(r)
	fault := f.fault(op)
	refusal := fault.before()
	if refusal == nil {
		refusal = f.admit(op, r, body)
	}
	var result any
	if refusal == nil {
		before := f.snapshot(fault, id)
		result, refusal = f.carryOut(op, id, r.URL.Query(), body)
		f.hide(fault, result, before)
	}
	a := fault.after(f.answer(result, refusal))
	header := r.Header.Clone()
	header.Del("Authorization")
	f.requests = append(f.requests, Request{
		Time: time.Now(), Operation: op, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(),
		Header: header, Body: body, Status: a.status, Fault: fault,
	})
	a.trace = len(f.requests)
	return a
}

// route finds the operation that a request asks for, and the id in its path. It
// finds none for what the API does not have.
func route(r *http.Request) (op clerk.Operation, id string) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/invitations")
	id, revoke := strings.CutSuffix(strings.TrimPrefix(path, "/"), "/revoke")
	switch {
	case !ok:
	case r.Method == http.MethodGet && path == "":
		op = clerk.OperationList
	case r.Method != http.MethodPost:
	case path == "":
		op = clerk.OperationCreate
	case path == "/bulk":
		op = clerk.OperationBulkCreate
	case revoke && path == "/"+id+"/revoke" && id != "" && !strings.Contains(id, "/"):
		return clerk.OperationRevoke, id
	}
	return op, ""
}

func (f *Fake) carryOut(op clerk.Operation, id string, query url.Values, body []byte) (any, *apiError) {
	switch op {
	case clerk.OperationCreate:
		return f.create(body)
	case clerk.OperationList:
		return f.list(query)
	case clerk.OperationBulkCreate:
		return f.bulkCreate(body)
	case clerk.OperationRevoke:
		return f.revoke(id)
	}
	return nil, errRoute
}

// admit is what holds for all operations: the key, the limits, the body's form.
func (f *Fake) admit(op clerk.Operation, r *http.Request, body []byte) *apiError {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || key == "":
		return errAuthorizationHeader
	case key != f.secretKey:
		return errSecretKey
	}
	if refusal := f.limit(op); refusal != nil {
		return refusal
	}
	if len(body) > maxRequestBody {
		return errBodyTooLarge
	}
	if mediaType := r.Header.Get("Content-Type"); len(body) > 0 && !isJSON(mediaType) {
		return errContentType(mediaType)
	}
	return nil
}

// Format writes r without what can hold an address, whatever the verb.
func (r Request) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerktest.Request{%s %s %d}", r.Method, r.Operation, r.Status)
}

// Requests returns the requests that the fake got, oldest first.
func (f *Fake) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Invitations returns every invitation, also the revoked ones, oldest first.
func (f *Fake) Invitations() []clerk.Invitation {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]clerk.Invitation, len(f.invitations))
	for i, inv := range f.invitations {
		all[i] = *f.refresh(inv)
	}
	return all
}

// AddUser makes an address belong to a user.
func (f *Fake) AddUser(emailAddress string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[fold(emailAddress)] = true
}

// Accept lets the invitee accept a pending invitation, which makes the address
// belong to a user. It fails when there is no such invitation, or it is not pending.
func (f *Fake) Accept(invitationID string) error {
	return f.change(invitationID, func(inv *clerk.Invitation) {
		inv.Status = clerk.InvitationStatusAccepted
		f.users[fold(inv.EmailAddress)] = true
	})
}

// Expire ends the life of a pending invitation now. It fails when there is no such
// invitation, or it is not pending.
func (f *Fake) Expire(invitationID string) error {
	return f.change(invitationID, func(inv *clerk.Invitation) {
		inv.ExpiresAt = now()
		inv.Status = clerk.InvitationStatusExpired
	})
}

func (f *Fake) change(invitationID string, to func(*clerk.Invitation)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv := f.find(invitationID)
	switch {
	case inv == nil:
		return fmt.Errorf("clerktest: no invitation %q", invitationID)
	case inv.Status != clerk.InvitationStatusPending:
		return fmt.Errorf("clerktest: invitation %s is %s", inv.ID, inv.Status)
	}
	to(inv)
	inv.UpdatedAt = now()
	return nil
}

// now is the fake's clock, in its unit.
func now() clerk.UnixMilli { return clerk.UnixMilli(time.Now().UnixMilli()) }

// Format writes nothing of the state, whatever the verb.
func (f *Fake) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "clerktest.Fake") }
