package clerk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
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

// The two observed shapes of an invitation.
const (
	pendingJSON = `{"object":"invitation","id":"` + testID + `","email_address":"` + address + `",` +
		`"public_metadata":{"role":"admin","seat":7},"status":"pending","url":"` + ticketURL + `",` +
		`"expires_at":1793835590599,"created_at":1791243590601,"updated_at":1791243590601}`
	revokedJSON = `{"object":"invitation","id":"` + testID + `","email_address":"` + address + `",` +
		`"public_metadata":{},"revoked":true,"status":"revoked",` +
		`"expires_at":1793835590599,"created_at":1791243590601,"updated_at":1791243591127}`
	duplicateJSON = `{"errors":[{"message":"duplicate invitation","long_message":"There are already pending ` +
		`invitations for the following email addresses: ` + address + `","code":"duplicate_record",` +
		`"meta":{"email_addresses":["` + address + `"]}}],"clerk_trace_id":"trace_in_body"}`
)

// newClient makes a client that sends through transport.
func newClient(tb testing.TB, transport http.RoundTripper, opts ...clerk.Option) *clerk.Client {
	tb.Helper()
	opts = append([]clerk.Option{clerk.WithHTTPClient(&http.Client{Transport: recorded(transport)})}, opts...)
	client, err := clerk.NewClient(testKey, opts...)
	require.NoError(tb, err)
	return client
}

// clientOf makes a client of a fake.
func clientOf(tb testing.TB, fake *clerktest.Fake, opts ...clerk.Option) *clerk.Client {
	tb.Helper()
	client, err := fake.Client(append([]clerk.Option{clerk.WithHTTPClient(&http.Client{Transport: recorded(fake)})}, opts...)...)
	require.NoError(tb, err)
	return client
}

// answering makes a transport that gives every operation the same answers, one
// after the other; the last one again and again.
func answering(first httpmock.Responder, further ...httpmock.Responder) *httpmock.MockTransport {
	for _, next := range further {
		first = first.Then(next)
	}
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(first)
	return mock
}

// answeringWrites is answering for writes alone: lookups are refused.
func answeringWrites(first httpmock.Responder, further ...httpmock.Responder) *httpmock.MockTransport {
	mock := answering(first, further...)
	mock.RegisterResponder(http.MethodGet, invitationsURL, reply(http.StatusForbidden, ``))
	return mock
}

// sent counts the requests of an operation that mock got.
func sent(mock *httpmock.MockTransport, op clerk.Operation) int {
	lookups := mock.GetCallCountInfo()[http.MethodGet+" "+invitationsURL]
	if op == clerk.OperationList {
		return mock.GetTotalCallCount()
	}
	return mock.GetTotalCallCount() - lookups
}

// once has a call make one request, whatever comes of it.
var once = clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})

// reply makes an answer of JSON, with further headers given as name and value.
func reply(status int, body string, headers ...string) httpmock.Responder {
	header := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return httpmock.NewStringResponder(status, body).HeaderSet(header)
}

// calls holds each operation, called with a request that is right.
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
}

// success is a right answer to each operation.
var success = map[clerk.Operation]string{
	clerk.OperationCreate:     pendingJSON,
	clerk.OperationList:       `{"data":[` + pendingJSON + `],"total_count":1}`,
	clerk.OperationBulkCreate: `[` + pendingJSON + `]`,
	clerk.OperationRevoke:     revokedJSON,
}

// A recorder is a transport that notes when it is called and with what.
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
