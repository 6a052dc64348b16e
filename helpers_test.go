package clerk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

const (
	testKey   = "sk_test_dummy"
	address   = "ada@example.com"
	ticketURL = "https://clerk.example.com/v1/tickets/accept?ticket=dummy_ticket"
	testID    = "inv_2x1234567890123456789012345"

	invitationsURL = clerk.DefaultBaseURL + "/invitations"
	bulkURL        = invitationsURL + "/bulk"
	revokeURL      = invitationsURL + "/" + testID + "/revoke"
)

// The two observed shapes of an invitation, a deletion and a refusal.
const (
	pendingJSON = `{"object":"invitation","id":"` + testID + `","email_address":"` + address + `",` +
		`"public_metadata":{"role":"admin","seat":7},"status":"pending","url":"` + ticketURL + `",` +
		`"expires_at":1793835590599,"created_at":1791243590601,"updated_at":1791243590601}`
	revokedJSON = `{"object":"invitation","id":"` + testID + `","email_address":"` + address + `",` +
		`"public_metadata":{},"revoked":true,"status":"revoked",` +
		`"expires_at":1793835590599,"created_at":1791243590601,"updated_at":1791243591127}`
	deletedJSON   = `{"object":"invitation","id":"` + testID + `","deleted":true}`
	duplicateJSON = `{"errors":[{"message":"duplicate invitation","long_message":"There are already pending ` +
		`invitations for the following email addresses: ` + address + `","code":"duplicate_record",` +
		`"meta":{"email_addresses":["` + address + `"]}}],"clerk_trace_id":"trace_in_body"}`
)

var (
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	errDial  = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
)

// newClient returns a client that sends through transport.
func newClient(tb testing.TB, transport http.RoundTripper, opts ...clerk.Option) *clerk.Client {
	tb.Helper()
	opts = append([]clerk.Option{clerk.WithHTTPClient(&http.Client{Transport: recorded(transport)})}, opts...)
	client, err := clerk.NewClient(testKey, opts...)
	require.NoError(tb, err)
	return client
}

// clientOf returns a client of a fake.
func clientOf(tb testing.TB, fake *clerktest.Fake, opts ...clerk.Option) *clerk.Client {
	tb.Helper()
	client, err := fake.Client(append([]clerk.Option{clerk.WithHTTPClient(&http.Client{Transport: recorded(fake)})}, opts...)...)
	require.NoError(tb, err)
	return client
}

// serve starts a loopback server, and returns a client of it with RetryNone.
func serve(t *testing.T, handler http.HandlerFunc, opts ...clerk.Option) *clerk.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	opts = append([]clerk.Option{
		clerk.WithBaseURL(server.URL), clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}),
	}, opts...)
	client, err := clerk.NewClient(testKey, opts...)
	require.NoError(t, err)
	return client
}

// once limits a call to one request.
var once = clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})

// reply returns a JSON response, with further headers as names and values.
func reply(status int, body string, headers ...string) httpmock.Responder {
	header := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return httpmock.NewStringResponder(status, body).HeaderSet(header)
}

func failing(err error) httpmock.Responder { return httpmock.NewErrorResponder(err) }

// envelope returns the body of an error response with one error.
func envelope(code clerk.ErrorCode, message, long, meta string) string {
	return fmt.Sprintf(`{"errors":[{"message":%q,"long_message":%q,"code":%q,"meta":%s}]}`, message, long, code, meta)
}

// answering returns a transport that sends every operation the same responses in turn, and
// repeats the last one forever.
func answering(first httpmock.Responder, further ...httpmock.Responder) *httpmock.MockTransport {
	for _, next := range further {
		first = first.Then(next)
	}
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(first)
	return mock
}

// answeringWrites is like answering, but refuses lookups.
func answeringWrites(first httpmock.Responder, further ...httpmock.Responder) *httpmock.MockTransport {
	mock := answering(first, further...)
	mock.RegisterResponder(http.MethodGet, invitationsURL, reply(http.StatusForbidden, ``))
	return mock
}

// sent counts an operation's requests to mock.
func sent(mock *httpmock.MockTransport, op clerk.Operation) int {
	lookups := mock.GetCallCountInfo()[http.MethodGet+" "+invitationsURL]
	if op == clerk.OperationList {
		return mock.GetTotalCallCount()
	}
	return mock.GetTotalCallCount() - lookups
}

// calls holds each operation with a valid request.
var calls = map[clerk.Operation]func(context.Context, *clerk.Client, ...clerk.CallOption) error{
	clerk.OperationCreate: func(ctx context.Context, c *clerk.Client, opts ...clerk.CallOption) error {
		_, err := c.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address}, opts...)
		return err
	},
	clerk.OperationList: func(ctx context.Context, c *clerk.Client, opts ...clerk.CallOption) error {
		_, err := c.Invitations.List(ctx, clerk.ListInvitationsRequest{Query: address}, opts...)
		return err
	},
	clerk.OperationBulkCreate: func(ctx context.Context, c *clerk.Client, opts ...clerk.CallOption) error {
		_, err := c.Invitations.BulkCreate(ctx, []clerk.CreateInvitationRequest{{EmailAddress: address}}, opts...)
		return err
	},
	clerk.OperationRevoke: func(ctx context.Context, c *clerk.Client, opts ...clerk.CallOption) error {
		_, err := c.Invitations.Revoke(ctx, testID, opts...)
		return err
	},
	clerk.OperationDelete: func(ctx context.Context, c *clerk.Client, opts ...clerk.CallOption) error {
		_, err := c.Invitations.Delete(ctx, testID, opts...)
		return err
	},
}

// success holds the body of a successful response to each operation.
var success = map[clerk.Operation]string{
	clerk.OperationCreate:     pendingJSON,
	clerk.OperationList:       `{"data":[` + pendingJSON + `],"total_count":1}`,
	clerk.OperationBulkCreate: `[` + pendingJSON + `]`,
	clerk.OperationRevoke:     revokedJSON,
	clerk.OperationDelete:     deletedJSON,
}

func pending() *clerk.Invitation {
	return &clerk.Invitation{
		Object: "invitation", ID: testID, EmailAddress: address,
		PublicMetadata: json.RawMessage(`{"role":"admin","seat":7}`),
		Status:         clerk.InvitationStatusPending, URL: ticketURL,
		ExpiresAt: 1793835590599, CreatedAt: 1791243590601, UpdatedAt: 1791243590601,
	}
}

func revoked() *clerk.Invitation {
	return &clerk.Invitation{
		Object: "invitation", ID: testID, EmailAddress: address, PublicMetadata: json.RawMessage(`{}`),
		Status: clerk.InvitationStatusRevoked, Revoked: true,
		ExpiresAt: 1793835590599, CreatedAt: 1791243590601, UpdatedAt: 1791243591127,
	}
}

// A recorder is a transport that records its requests and their times.
type recorder struct {
	next   http.RoundTripper
	times  []time.Time
	last   *http.Request
	bodies []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.times = append(r.times, time.Now())
	r.last = req
	body := ""
	if req.Body != nil {
		read, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(read)
	}
	r.bodies = append(r.bodies, body)
	return r.next.RoundTrip(req)
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// hangs is a transport that hangs until the request's context ends.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// A life is a fake and a client of it.
type life struct {
	fake   *clerktest.Fake
	client *clerk.Client
}

func newLife(t *testing.T) life {
	t.Helper()
	fake := clerktest.New()
	client := clientOf(t, fake)
	return life{fake, client}
}

func lifeWith(t *testing.T, opts ...clerktest.Option) life {
	t.Helper()
	fake := clerktest.New(opts...)
	client := clientOf(t, fake)
	return life{fake, client}
}

func (l life) key(context.Context) (string, error) { return l.fake.SecretKey(), nil }

// got counts the requests for an operation.
func (l life) got(op clerk.Operation) (n int) {
	for _, req := range l.fake.Requests() {
		if req.Operation == op {
			n++
		}
	}
	return n
}

// status counts the requests that got a status.
func (l life) status(status int) (n int) {
	for _, req := range l.fake.Requests() {
		if req.Status == status {
			n++
		}
	}
	return n
}

// invite creates an invitation, and waits for an hour.
func (l life) invite(t *testing.T, emailAddress string) *clerk.Invitation {
	t.Helper()
	inv, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: emailAddress})
	require.NoError(t, err)
	time.Sleep(time.Hour)
	return inv
}

func invitationsByAddress(fake *clerktest.Fake) map[string][]clerk.Invitation {
	byAddress := map[string][]clerk.Invitation{}
	for _, inv := range fake.Invitations() {
		byAddress[inv.EmailAddress] = append(byAddress[inv.EmailAddress], inv)
	}
	return byAddress
}

func guest(i int) string { return fmt.Sprintf("guest%d@example.com", i) }

func asSDKError(tb testing.TB, err error) *clerk.SDKError {
	tb.Helper()
	return asError[*clerk.SDKError](tb, err)
}

func asClerkErrors(tb testing.TB, err error) *clerk.ClerkErrors {
	tb.Helper()
	return asError[*clerk.ClerkErrors](tb, err)
}

// asError finds an error of a type, and checks that it shows no secrets.
func asError[E error](tb testing.TB, err error) E {
	tb.Helper()
	var found E
	require.ErrorAs(tb, err, &found)
	requireNoSecrets(tb, "error", fmt.Sprintf("%v %+v %#v", err, err, err))
	return found
}

func isUnknown(err error) bool { return strings.Contains(err.Error(), "outcome unknown") }

func assertNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// requestsFor yields a request for each i below n.
func requestsFor(n int, request func(i int) clerk.CreateInvitationRequest) iter.Seq[clerk.CreateInvitationRequest] {
	return func(yield func(clerk.CreateInvitationRequest) bool) {
		for i := range n {
			if !yield(request(i)) {
				return
			}
		}
	}
}

// guests yields n requests.
func guests(n int) iter.Seq[clerk.CreateInvitationRequest] {
	return requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: guest(i)}
	})
}

// createAll collects the results of a run by index, and checks that each request has one.
func createAll(t *testing.T, client *clerk.Client, requests iter.Seq[clerk.CreateInvitationRequest], opts ...clerk.CreateAllOption) ([]clerk.CreateResult, error) {
	t.Helper()
	byIndex := map[int]clerk.CreateResult{}
	var failure error
	for result, err := range client.Invitations.CreateAll(t.Context(), requests, opts...) {
		require.NoError(t, failure, "an error is the last")
		if failure = err; err != nil {
			require.Zero(t, result)
			continue
		}
		require.Equal(t, result.Outcome == clerk.OutcomeCreated, result.Invitation != nil)
		require.Equal(t, result.Outcome == clerk.OutcomeRejected || result.Outcome == clerk.OutcomeUnknown || errors.Is(result.Err, clerk.ErrMetadataLost), result.Err != nil)
		_, twice := byIndex[result.Index]
		require.False(t, twice)
		byIndex[result.Index] = result
	}
	var results []clerk.CreateResult
	for i := range len(byIndex) {
		result, ok := byIndex[i]
		require.True(t, ok)
		results = append(results, result)
	}
	return results, failure
}

func outcomes(results []clerk.CreateResult) (all []clerk.Outcome) {
	for _, result := range results {
		all = append(all, result.Outcome)
	}
	return all
}

// limited returns a life with Clerk's limits.
func limited(t *testing.T, sliding bool, opts ...clerktest.Option) life {
	t.Helper()
	limits := clerktest.ProductionRateLimits()
	limits.Sliding = sliding
	return lifeWith(t, append(opts, clerktest.WithRateLimits(limits))...)
}

// failingWrites returns a client whose writes fail from the from-th on, for as long as
// isDown says.
func (l life) failingWrites(t *testing.T, from int, failure httpmock.Responder, isDown func() bool) *clerk.Client {
	t.Helper()
	writes := 0
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			writes++
		}
		if writes >= from && isDown() && req.Method == http.MethodPost {
			return failure(req)
		}
		return l.fake.RoundTrip(req)
	}), clerk.WithSecretKeyFunc(l.key))
}

func always() bool { return true }

// failingGuest returns a client whose requests for guest 13 all fail.
func (l life) failingGuest(t *testing.T, failure httpmock.Responder) *clerk.Client {
	t.Helper()
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(orEmpty(req.Body))
		if err != nil {
			return nil, err
		}
		if bytes.Contains(body, []byte(`"guest13@`)) {
			return failure(req)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		return l.fake.RoundTrip(req)
	}), clerk.WithSecretKeyFunc(l.key))
}

func orEmpty(body io.Reader) io.Reader {
	if body == nil {
		return strings.NewReader("")
	}
	return body
}

// errKilled is the panic of a killed process's transport.
var errKilled = errors.New("killed")

// mortal returns a client that is killed after about fifteen requests.
func (l life) mortal(t *testing.T, random *rand.Rand) *clerk.Client {
	t.Helper()
	return newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		doom := random.IntN(30)
		if doom == 0 {
			panic(errKilled)
		}
		resp, err := l.fake.RoundTrip(req)
		if doom == 1 {
			panic(errKilled)
		}
		return resp, err
	}), clerk.WithSecretKeyFunc(l.key))
}

// A listing is a transport that serves ids, and records the queries.
type listing struct {
	ids     func() []string // as they are now
	queries []url.Values

	sameForEver bool // ignores the offset; everything was created just now
}

func (l *listing) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	l.queries = append(l.queries, q)
	offset, _ := strconv.Atoi(q.Get("offset"))
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		return nil, err
	}
	ids := l.ids()
	inv := clerk.Invitation{}
	if l.sameForEver {
		offset, inv.CreatedAt = 0, clerk.UnixMilli(time.Now().UnixMilli())
	}
	ids = ids[min(offset, len(ids)):]
	invs := []clerk.Invitation{}
	for _, id := range ids[:min(limit, len(ids))] {
		inv.ID = id
		invs = append(invs, inv)
	}
	resp, err := httpmock.NewJsonResponse(200, map[string]any{"data": invs, "total_count": len(l.ids())})
	if err == nil {
		resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return resp, err
}

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("inv_", i)
	}
	return list
}

// A link is a transport with a delay. It records the most requests under way at once.
type link struct {
	next  http.RoundTripper
	delay time.Duration

	mu           sync.Mutex
	open, most   int
	sent, broken int
	fail         func(n int) *http.Response // may be nil
}

func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.sent++
	l.open++
	l.most = max(l.most, l.open)
	n := l.sent
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.open--
		l.mu.Unlock()
	}()
	select {
	case <-req.Context().Done():
		l.mu.Lock()
		l.broken++
		l.mu.Unlock()
		return nil, req.Context().Err()
	case <-time.After(l.delay):
	}
	if l.fail != nil {
		if resp := l.fail(n); resp != nil {
			return resp, nil
		}
	}
	return l.next.RoundTrip(req)
}

// filled returns a fake with n invitations, a second apart.
func filled(t *testing.T, n int, opts ...clerktest.Option) life {
	t.Helper()
	l := lifeWith(t, opts...)
	for i := range n {
		_, err := l.client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: guest(i)})
		require.NoError(t, err)
		time.Sleep(time.Second)
	}
	return l
}

// filledNow returns a fake with n invitations, without waiting.
func filledNow(t *testing.T, n int, opts ...clerktest.Option) life {
	t.Helper()
	l := lifeWith(t, opts...)
	l.fill(t, n, guest)
	return l
}

// fill creates n invitations without waiting.
func (l life) fill(t *testing.T, n int, address func(i int) string) {
	t.Helper()
	requests := requestsFor(n, func(i int) clerk.CreateInvitationRequest {
		return clerk.CreateInvitationRequest{EmailAddress: address(i)}
	})
	for bulk := range slices.Chunk(slices.Collect(requests), clerk.MaxBulkInvitations) {
		_, err := l.client.Invitations.BulkCreate(t.Context(), bulk)
		require.NoError(t, err)
	}
}

// through returns a client whose requests use a link, and the link.
func (l life) through(t *testing.T, delay time.Duration) (*clerk.Client, *link) {
	t.Helper()
	over := &link{next: l.fake, delay: delay}
	return newClient(t, over, clerk.WithSecretKeyFunc(l.key)), over
}

func collect(t *testing.T, all func(func(clerk.Invitation, error) bool)) []clerk.Invitation {
	t.Helper()
	var invs []clerk.Invitation
	for inv, err := range all {
		require.NoError(t, err)
		invs = append(invs, inv)
	}
	return invs
}

func clientThrough(t *testing.T, fake *clerktest.Fake, transport http.RoundTripper) *clerk.Client {
	t.Helper()
	client, err := fake.Client(clerk.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	return client
}

// poisons lists responses that a request may always get.
var poisons = map[string]httpmock.Responder{
	"conflict":        reply(409, `{"errors":[{"code":"conflict","message":"conflict"}]}`),
	"resource locked": reply(423, `{"errors":[{"code":"resource_locked","message":"locked"}]}`),
	"409 of no code":  reply(409, ``),
	"422, cut off":    cutOff(422, `{"errors":[{"code":"form_param_`),
	"422 of HTML":     reply(422, `<html>`, "Content-Type", "text/html"),
	"500":             reply(500, `{"errors":[{"code":"internal_clerk_error","message":"oops"}]}`),
	"502":             reply(502, `<html>`, "Content-Type", "text/html"),
	"503":             reply(503, ``, "Retry-After", "5"),
	"a reset":         failing(errors.New("connection reset")),
	"a hang":          hangs,
	"302":             reply(302, ``, "Location", "https://example.com/"),
	"200 of HTML":     reply(200, `<html>`, "Content-Type", "text/html"),
	"403 of the edge": reply(403, `<html>error 1010</html>`, "Content-Type", "text/html"),
	"404 of a proxy":  reply(404, `not found`, "Content-Type", "text/plain"),
}

// failingOn returns a transport that answers the requests of one operation itself.
func failingOn(next http.RoundTripper, method, path string, answer httpmock.Responder) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Method == method && (path == "" || req.URL.Path == path) {
			return answer(req)
		}
		return next.RoundTrip(req)
	})
}

// slowly returns a transport whose responses are delayed by latency.
func slowly(next http.RoundTripper, latency func() time.Duration) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(latency()):
			return next.RoundTrip(req)
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// cutOff returns a response whose body is cut off.
func cutOff(status int, body string) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		resp, err := reply(status, body)(req)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), brokenReader{}))
		return resp, err
	}
}

// lagging returns a transport whose lists show an invitation only once lag has passed since
// its created_at.
func lagging(next http.RoundTripper, lag time.Duration) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if lag == 0 || err != nil || req.Method != http.MethodGet || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		var list clerk.InvitationList
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			return nil, err
		}
		_ = resp.Body.Close()
		all := len(list.Data)
		list.Data = slices.DeleteFunc(list.Data, func(inv clerk.Invitation) bool { return time.Since(inv.CreatedAt.Time()) < lag })
		body, err := json.Marshal(map[string]any{"data": list.Data, "total_count": list.TotalCount - all + len(list.Data)})
		if err != nil {
			return nil, err
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Set("Content-Length", fmt.Sprint(len(body)))
		return resp, nil
	})
}

// partial returns a transport to a Clerk whose bulks are not atomic: it creates as many
// invitations of the n-th bulk as apply says, and then responds as refuse does. It passes the
// bulk to the fake if refuse is nil.
func partial(fake *clerktest.Fake, apply func(n int, addresses []string) (applied int, refuse httpmock.Responder)) http.RoundTripper {
	bulks := 0
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.URL.Path != "/v1/invitations/bulk" {
			return fake.RoundTrip(req)
		}
		bulks++
		addresses := addressesIn(req)
		n, refuse := apply(bulks, addresses)
		if refuse == nil {
			return fake.RoundTrip(req)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(body, &rows); err != nil {
			return nil, err
		}
		for _, row := range rows[:min(n, len(rows))] {
			one := req.Clone(req.Context())
			one.URL.Path, one.Body, one.ContentLength = "/v1/invitations", io.NopCloser(bytes.NewReader(row)), int64(len(row))
			resp, err := fake.RoundTrip(one)
			if err != nil {
				return nil, err
			}
			_ = resp.Body.Close()
		}
		answer, err := refuse(req)
		if err == nil && answer.Header.Get("Date") == "" {
			answer.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		}
		return answer, err
	})
}

// refusals lists the ways in which a bulk that was carried out in part may be refused.
var refusals = map[string]httpmock.Responder{
	"422":            reply(422, `{"errors":[{"code":"form_param_format_invalid","message":"is invalid","meta":{"param_name":"email_address"}}]}`),
	"user exists":    reply(422, `{"errors":[{"code":"form_identifier_exists","message":"taken"}]}`),
	"422 of no code": reply(422, ``),
	"422, cut off":   cutOff(422, `{"errors":[{"code":"form_`),
	"409":            reply(409, `{"errors":[{"code":"conflict","message":"conflict"}]}`),
	"500":            reply(500, ``),
	"403":            reply(403, ``),
}

// soakSize returns the size of a soak test: full if CLERK_SOAK is set, as in CI, short with
// -short, and normal otherwise.
func soakSize(short, normal, full int) int {
	switch {
	case os.Getenv("CLERK_SOAK") != "":
		return full
	case testing.Short():
		return short
	}
	return normal
}
