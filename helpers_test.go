package clerk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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

// envelope is an error response with one error.
func envelope(code clerk.ErrorCode, message, long, meta string) string {
	return fmt.Sprintf(`{"errors":[{"message":%q,"long_message":%q,"code":%q,"meta":%s}]}`, message, long, code, meta)
}

// truncated is a response whose transfer breaks off.
func truncated(status int) httpmock.Responder {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, ContentLength: 100, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"errors":[`), brokenReader{})),
		}, nil
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answering returns a transport that sends every operation the same responses in turn, and
// the last one for ever.
func answering(first httpmock.Responder, further ...httpmock.Responder) *httpmock.MockTransport {
	for _, next := range further {
		first = first.Then(next)
	}
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(first)
	return mock
}

// answeringWrites is answering for writes only: lookups are refused.
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

// hangs is a transport that ends with the request's context.
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
