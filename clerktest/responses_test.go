package clerktest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// catalogue is the code and status of each error of Clerk's catalogue that the
// operations can meet.
const catalogue = `api_version_invalid 400, bad_request 400, bulk_size_exceeded 400,
	dev_monthly_email_limit_exceeded 400, duplicate_record 400, invitation_already_accepted 400,
	invitation_already_revoked 400, invitations_not_supported 400, malformed_request_parameters 400,
	request_body_invalid 400, authorization_header_format_invalid 401, clerk_key_invalid 401, action_blocked 403,
	authorization_invalid 403, not_allowed_access 403, quota_exceeded 403, user_quota_exceeded 403,
	resource_not_found 404, conflict 409, resource_locked 409, request_body_too_large 413,
	unsupported_content_type 415, form_identifier_exists 422, form_param_array_size_exceeded 422,
	form_param_exceeds_allowed_size 422, form_param_format_invalid 422, form_param_max_length_exceeded 422,
	form_param_missing 422, form_param_nil 422, form_param_type_invalid 422, form_param_unknown 422,
	form_param_value_invalid 422, form_param_value_too_large 422, too_many_requests 429,
	internal_clerk_error 500, service_unavailable 503, gateway_timeout 504`

func TestRespondWithEveryCodeOfTheCatalogue(t *testing.T) {
	want := map[clerk.ErrorCode]int{}
	for line := range strings.SplitSeq(catalogue, ",") {
		var code clerk.ErrorCode
		var status int
		_, err := fmt.Sscan(line, &code, &status)
		require.NoError(t, err)
		want[code] = status
	}
	require.Len(t, want, 37)
	require.Len(t, clerktest.Codes(), 37)
	fake := clerktest.New()
	for _, code := range clerktest.Codes() {
		fake.Respond(clerk.OperationList, clerktest.Response{Code: code})
		resp, body := send(t, fake, "GET", "/v1/invitations", "")
		require.Equal(t, want[code], resp.StatusCode, code)
		var envelope struct{ Errors []clerk.ClerkError }
		require.NoError(t, json.Unmarshal([]byte(body), &envelope))
		require.Len(t, envelope.Errors, 1)
		require.Equal(t, code, envelope.Errors[0].Code)
		require.NotEmpty(t, envelope.Errors[0].Message)
		require.NotEmpty(t, envelope.Errors[0].LongMessage)
		log := fake.Requests()
		require.Equal(t, code, log[len(log)-1].Code)
	}
}

func TestRespond(t *testing.T) {
	const body = `{"email_address":"ada@example.com"}`
	for name, test := range map[string]struct {
		response   clerktest.Response
		status     int
		header     string // of the response
		body       string
		retryAfter string
		performed  bool
		delay      time.Duration
	}{
		"a status alone":         {clerktest.Response{Status: 503}, 503, "text/plain", "Service Unavailable", "", false, 0},
		"another status":         {clerktest.Response{Status: 418, Code: clerk.CodeConflict}, 418, "application/json", `"code":"conflict"`, "", false, 0},
		"an unknown code":        {clerktest.Response{Status: 400, Code: "own"}, 400, "application/json", `"code":"own"`, "", false, 0},
		"a body":                 {clerktest.Response{Status: 521, ContentType: "text/html", Body: "<html>down"}, 521, "text/html", "<html>down", "", false, 0},
		"a Retry-After":          {clerktest.Response{Code: clerk.CodeTooManyRequests, RetryAfter: 90 * time.Second}, 429, "application/json", "too_many_requests", "90", false, 0},
		"after performing":       {clerktest.Response{Status: 500, After: true}, 500, "text/plain", "Internal Server Error", "", true, 0},
		"the own one, delayed":   {clerktest.Response{Delay: 3 * time.Second}, 200, "application/json", `"email_address":"ada@example.com"`, "", true, 3 * time.Second},
		"an error that is late":  {clerktest.Response{Code: clerk.CodeConflict, Delay: time.Second}, 409, "application/json", "conflict", "", false, time.Second},
		"the own one, truncated": {clerktest.Response{ContentType: "application/json", Body: `{"object":`, After: true}, 200, "application/json", `{"object":`, "", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New()
				fake.Respond(clerk.OperationCreate, test.response)
				start := time.Now()
				resp, got := send(t, fake, "POST", "/v1/invitations", body)
				require.Equal(t, test.delay, time.Since(start))
				require.Equal(t, test.status, resp.StatusCode)
				require.Equal(t, test.header, resp.Header.Get("Content-Type"))
				require.Contains(t, got, test.body)
				require.Equal(t, test.retryAfter, resp.Header.Get("Retry-After"))
				require.Equal(t, test.performed, len(fake.Invitations()) == 1)
				require.Equal(t, clerktest.FaultResponse, fake.Requests()[0].Fault)
				next, _ := send(t, fake, "GET", "/v1/invitations", "")
				require.Equal(t, 200, next.StatusCode)
			})
		})
	}
}

func TestFaultMixOfResponses(t *testing.T) {
	fake := clerktest.New(clerktest.WithFaults(clerktest.FaultMix{
		Share: 1, Responses: []clerktest.Response{{Code: clerk.CodeQuotaExceeded}},
	}))
	resp, _ := send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 403, resp.StatusCode)
	fake.ClearFaults()
	resp, _ = send(t, fake, "GET", "/v1/invitations", "")
	require.Equal(t, 200, resp.StatusCode)
}

func TestRefusedConnectionIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := clerktest.NewClient(t)
		fake.Fail(clerk.OperationCreate, clerktest.FaultRefuse)
		_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"})
		require.NoError(t, err)
		require.Len(t, fake.Requests(), 2, "no lookup is needed: nothing was sent")

		fake.Fail(clerk.OperationList, clerktest.FaultRefuse)
		_, err = client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{},
			clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
}

func TestLatencyAndSlowDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New(clerktest.WithLatency(time.Second), clerktest.WithSlowDelay(time.Minute))
		elapsed := func() time.Duration {
			start := time.Now()
			send(t, fake, "GET", "/v1/invitations", "")
			return time.Since(start)
		}
		require.Equal(t, time.Second, elapsed())
		fake.Fail(clerk.OperationList, clerktest.FaultSlowAfter)
		require.Equal(t, time.Minute+time.Second, elapsed())
		fake.SetLatency(0)
		require.Zero(t, elapsed())
	})
}

// A recorder is a test that records its failures.
type recorder struct {
	*testing.T

	failures []string
	cleanups []func()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

func TestNewClientReportsFailuresThatNoRequestMet(t *testing.T) {
	r := &recorder{T: t}
	client, fake := clerktest.NewClient(r)
	fake.Fail(clerk.OperationList, clerktest.FaultErrorBefore)
	fake.Fail(clerk.OperationRevoke, clerktest.FaultDropAfter)
	fake.Respond(clerk.OperationDelete, clerktest.Response{Code: clerk.CodeConflict, Delay: time.Second}, clerktest.Response{Delay: time.Minute})
	_, err := client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{},
		clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
	require.Error(t, err)
	for _, cleanup := range r.cleanups {
		cleanup()
	}
	require.Equal(t, []string{
		"clerktest: no request met the failure RevokeInvitation: drop after",
		"clerktest: no request met the failure DeleteInvitation: conflict in 1s",
		"clerktest: no request met the failure DeleteInvitation: response in 1m0s",
	}, r.failures)
}

func TestNewClientReportsInvalidOptions(t *testing.T) {
	r := &recorder{T: t}
	clerktest.NewClient(r, clerktest.WithClientOptions(clerk.WithAppName("")))
	require.Len(t, r.failures, 1)
	require.Contains(t, r.failures[0], "WithAppName")
}

func TestUnknownFaultsOperationsAndSharesPanic(t *testing.T) {
	fake := clerktest.New()
	for text, set := range map[string]func(){
		`unknown fault "drop_after"`:     func() { fake.Fail(clerk.OperationCreate, "drop_after") },
		`unknown fault "response"`:       func() { fake.Fail(clerk.OperationCreate, clerktest.FaultResponse) },
		`unknown operation "Create"`:     func() { fake.Fail("Create", clerktest.FaultDropAfter) },
		`unknown operation ""`:           func() { fake.Respond("", clerktest.Response{Status: 500}) },
		"status 99 is not":               func() { fake.Respond(clerk.OperationCreate, clerktest.Response{Status: 99}) },
		`code "own" is not in`:           func() { fake.Respond(clerk.OperationCreate, clerktest.Response{Code: "own"}) },
		"negative duration":              func() { fake.Respond(clerk.OperationCreate, clerktest.Response{Delay: -1}) },
		"share 1.5 is not":               func() { clerktest.WithFaults(clerktest.FaultMix{Share: 1.5}) },
		"share NaN is not":               func() { fake.SetFaults(clerktest.FaultMix{Share: math.NaN()}) },
		`unknown operation "List"`:       func() { clerktest.WithFaults(clerktest.FaultMix{Operations: []clerk.Operation{"List"}}) },
		`unknown fault "slow"`:           func() { clerktest.WithFaults(clerktest.FaultMix{Faults: []clerktest.Fault{"slow"}}) },
		"a limit of 1 requests has no d": func() { fake.SetRateLimits(clerktest.RateLimits{Bulks: clerktest.Limit{Requests: 1}}) },
	} {
		func() {
			defer func() {
				err, ok := recover().(error)
				require.True(t, ok, text)
				require.ErrorContains(t, err, text)
			}()
			set()
		}()
	}
	require.Empty(t, fake.Planned())
	require.NoError(t, errors.Join(clerktest.Response{}.Validate(), clerktest.FaultMix{}.Validate()))
}
