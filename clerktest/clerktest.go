// Package clerktest is a fake of Clerk's Invitations API, to test services that
// use package clerk against. It keeps state as one Clerk instance does: what is
// created can be listed, revoked, accepted or left to expire.
//
//	fake := clerktest.New()
//	client, err := fake.Client()
//
// A [Fake] is an [http.RoundTripper] that answers in process, also inside a
// testing/synctest bubble, and an [http.Handler] that [Fake.Serve] serves over
// loopback. Both have the same state. The program fakeclerk, in cmd/fakeclerk,
// serves it to any language.
//
// # What it is made from
//
// Statuses, codes and texts are those of Clerk's OpenAPI document (2026-05-12),
// its public error catalogue and its "Rate limits" page. The following is not
// documented. It is inferred, and the real Clerk may differ; tests should not
// hang on it:
//
//   - the status 422 and the codes for an address, expires_in_days or list
//     parameter that is not allowed, and which error comes first when several
//     apply;
//   - that a bulk makes all of its invitations or none, that its answer is in the
//     order of the request, and that an address that stands in it twice is a
//     duplicate_record;
//   - that ignore_existing makes a second invitation beside a pending one. In a
//     bulk it does not overrule that an address belongs to a user: of the two
//     contradicting sentences in Clerk's document, the fake follows the stricter;
//   - that addresses are compared without regard to case, and given back as they
//     came;
//   - that an address whose invitation has expired can be invited again;
//   - the body of a 429 (see [WithRateLimitAnswer]), and that requests refused
//     with 429 by one limit do not count against it;
//   - whether an hour of the limits is fixed or sliding (see [RateLimits]);
//   - whether query matches parts of an address or id. The fake matches parts,
//     without regard to case, unless [WithExactQuery] is given;
//   - whether limit and offset apply to the list that is a bare array. In the fake
//     they do, unless [WithUnpagedArrays] is given;
//   - the largest request body, here 1 MiB, and the answer to a path that the API
//     does not have, here plain text.
package clerktest

import (
	"fmt"
	"io"
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
const SecretKey = "sk_test_clerktest" //nolint:gosec // no credential

// maxRequestBody is where the fake answers request_body_too_large.
const maxRequestBody = 1 << 20

// A Fake is a fake Clerk instance. Make one with [New]. Any number of goroutines
// may use it at once.
type Fake struct {
	options
	mux *http.ServeMux

	mu          sync.Mutex
	invitations []*clerk.Invitation // oldest first
	users       []string            // addresses
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
	// Body is its body.
	Body []byte
	// Status is the status that it was answered with.
	Status int
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
	f := &Fake{options: options{secretKey: SecretKey}, mux: http.NewServeMux()}
	for _, opt := range opts {
		opt(&f.options)
	}
	f.all = window{limit: f.limits.Requests, sliding: f.limits.Sliding}
	f.creates = window{limit: f.limits.Creates, sliding: f.limits.Sliding}
	f.bulks = window{limit: f.limits.Bulks, sliding: f.limits.Sliding}
	f.handle("POST /v1/invitations", clerk.OperationCreate, f.create)
	f.handle("GET /v1/invitations", clerk.OperationList, f.list)
	f.handle("POST /v1/invitations/bulk", clerk.OperationBulkCreate, f.bulkCreate)
	f.handle("POST /v1/invitations/{invitation_id}/revoke", clerk.OperationRevoke, f.revoke)
	f.handle("/", "", func(*http.Request, []byte) (any, *apiError) { return nil, errRoute })
	return f
}

// Client makes a client of the fake, in process, that opts configure further.
func (f *Fake) Client(opts ...clerk.Option) (*clerk.Client, error) {
	viaFake := clerk.WithHTTPClient(&http.Client{Transport: f})
	return clerk.NewClient(f.secretKey, append([]clerk.Option{viaFake}, opts...)...)
}

// Serve serves the fake over loopback, until stop is called. A client reaches it
// with [clerk.WithBaseURL](baseURL).
func (f *Fake) Serve() (baseURL string, stop func()) {
	server := httptest.NewServer(f)
	return server.URL + "/v1", server.Close
}

// SecretKey returns the key that the fake takes.
func (f *Fake) SecretKey() string { return f.secretKey }

// RoundTrip answers a request in process, whatever its host. It makes a Fake an
// [http.RoundTripper].
func (f *Fake) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	got := req.Clone(req.Context())
	if got.Body == nil {
		got.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, got)
	resp := recorder.Result()
	resp.Request = req
	return resp, nil
}

// ServeHTTP answers a request. It makes a Fake an [http.Handler].
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

// handle lets an operation answer what matches a pattern, after what holds for all
// operations alike.
func (f *Fake) handle(pattern string, op clerk.Operation, operation func(*http.Request, []byte) (any, *apiError)) {
	f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBody+1))
		if err != nil {
			return // the request broke off: there is nobody to answer
		}
		f.mu.Lock()
		got := f.log(op, r, body)
		result, refusal := any(nil), f.admit(op, r, body)
		if refusal == nil {
			result, refusal = operation(r, body)
		}
		answer := f.answer(result, refusal)
		got.Status = answer.status
		f.requests = append(f.requests, got)
		trace := len(f.requests)
		f.mu.Unlock()
		answer.write(w, trace)
	})
}

func (f *Fake) log(op clerk.Operation, r *http.Request, body []byte) Request {
	header := r.Header.Clone()
	header.Del("Authorization")
	return Request{
		Time: time.Now(), Operation: op, Method: r.Method, Path: r.URL.Path,
		Query: r.URL.Query(), Header: header, Body: body,
	}
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
	f.users = append(f.users, emailAddress)
}

// Accept lets the invitee accept a pending invitation, which makes the address
// belong to a user.
func (f *Fake) Accept(invitationID string) error {
	return f.change(invitationID, func(inv *clerk.Invitation) {
		inv.Status = clerk.InvitationStatusAccepted
		f.users = append(f.users, inv.EmailAddress)
	})
}

// Expire ends the life of a pending invitation now.
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
