package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

// specPath returns the path of Clerk's OpenAPI document, which is not part of this module.
func specPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("CLERK_OPENAPI_SPEC")
	if path == "" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CLERK_OPENAPI_SPEC must name Clerk's OpenAPI document")
		t.Skip("CLERK_OPENAPI_SPEC does not name Clerk's OpenAPI document; see CONTRIBUTING.md")
	}
	return path
}

func loadSpec(t *testing.T) routers.Router {
	t.Helper()
	openapi3.DefineStringFormatValidator("email", openapi3.NewRegexpFormatValidator(`^[^@\s]+@[^@\s]+$`))
	document, err := openapi3.NewLoader().LoadFromFile(specPath(t))
	require.NoError(t, err)
	require.NoError(t, document.Validate(t.Context()))
	require.Equal(t, clerk.APIVersion, document.Info.Version)
	router, err := legacy.NewRouter(document)
	require.NoError(t, err)
	return router
}

// An exception is a point in which the document is known to be silent or wrong. The tests must
// meet each of them.
type exception struct {
	name   string
	reason string
	holds  func(e *exchange) bool
}

// exceptions lists all exceptions for responses. There are none for requests.
var exceptions = []exception{
	{
		"paginated list",
		"The document describes the bare array only, though it has the parameter paginated. Clerk's Go and JavaScript SDKs " +
			"decode {data, total_count} when it is true.",
		func(e *exchange) bool { return e.answered(clerk.OperationList, 200) && e.query("paginated") == "true" },
	},
	{
		"401",
		"The document names no 401 for any operation. Clerk's error catalogue has authorization_header_format_invalid and " +
			"clerk_key_invalid with that status.",
		func(e *exchange) bool { return e.status == 401 && e.isEnvelope() },
	},
	{
		"429",
		"The document names no 429. Clerk's \"Rate limits\" page does.",
		func(e *exchange) bool { return e.status == 429 && e.isEnvelope() },
	},
	{
		"500",
		"The document names no 5xx. Clerk's error catalogue has internal_clerk_error and service_unavailable; a 503 may come " +
			"from the edge, without an envelope.",
		func(e *exchange) bool { return e.status == 500 && e.isEnvelope() || e.status == 503 },
	},
	{
		"a proxy's 502",
		"A proxy is not Clerk, and its responses are not in the document.",
		func(e *exchange) bool { return e.status == 502 },
	},
	{
		"413 and 415",
		"The document names neither. Clerk's error catalogue has request_body_too_large and unsupported_content_type.",
		func(e *exchange) bool { return (e.status == 413 || e.status == 415) && e.isEnvelope() },
	},
	{
		"422 of a list",
		"The document names no refusal of a list. Clerk's error catalogue has its codes with status 422.",
		func(e *exchange) bool { return e.answered(clerk.OperationList, 422) && e.isEnvelope() },
	},
	{
		"delete",
		"The document has no such path yet. Clerk's reference page \"deleteInvitation\" and @clerk/backend 3.25.0 have it.",
		func(e *exchange) bool { return e.noRoute != nil && e.isDelete() },
	},
	{
		"unknown path",
		"The document says nothing about paths that it does not have.",
		func(e *exchange) bool { return e.status == 404 && e.noRoute != nil },
	},
}

// An exchange is a request and its response.
type exchange struct {
	request  *http.Request
	route    *routers.Route
	noRoute  error // why there is no route
	status   int
	response []byte
}

func (e *exchange) answered(op clerk.Operation, status int) bool {
	return e.route != nil && e.route.Operation.OperationID == string(op) && e.status == status
}

func (e *exchange) query(name string) string { return e.request.URL.Query().Get(name) }

// isDelete reports whether the request deletes an invitation, and the response confirms
// that or is an error.
func (e *exchange) isDelete() bool {
	id, ok := strings.CutPrefix(e.request.URL.Path, "/v1/invitations/")
	if e.request.Method != http.MethodDelete || !ok || strings.Contains(id, "/") || e.request.ContentLength > 0 {
		return false
	}
	var answer struct {
		Object, ID string
		Deleted    bool
		Errors     []clerk.ClerkError
	}
	if json.Unmarshal(e.response, &answer) != nil {
		return false
	}
	return e.status != 200 && len(answer.Errors) > 0 || answer.Object == "invitation" && answer.ID == id && answer.Deleted
}

// isEnvelope reports whether the response is Clerk's error envelope as in the document.
func (e *exchange) isEnvelope() bool {
	if e.route == nil {
		return false
	}
	schema := e.route.Spec.Components.Schemas["ClerkErrors"].Value
	var value any
	return json.Unmarshal(e.response, &value) == nil && schema.VisitJSON(value) == nil
}

// A validator is a transport that validates its requests and responses.
type validator struct {
	next   http.RoundTripper
	router routers.Router

	mu         sync.Mutex
	violations []string
	operations map[string]int
	met        map[string]int // exceptions, by name
}

func newValidator(t *testing.T, router routers.Router, next http.RoundTripper) *validator {
	t.Helper()
	return &validator{next: next, router: router, operations: map[string]int{}, met: map[string]int{}}
}

func (v *validator) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
	}
	rewound := func() *http.Request {
		again := req.Clone(req.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		return again
	}
	resp, err := v.next.RoundTrip(rewound())
	e := &exchange{request: rewound()}
	var header http.Header
	if err == nil {
		var cut error
		e.response, cut = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(e.response), failing{cut}))
		e.status, header = resp.StatusCode, resp.Header
		if cut != nil { // a response that breaks off does not count
			e.status = 0
		}
	}
	v.validate(req.Context(), e, header, len(body) > 0)
	return resp, err
}

// onPurpose marks the context of requests that are wrong on purpose.
type onPurpose struct{}

func wrongOnPurpose(ctx context.Context) context.Context {
	return context.WithValue(ctx, onPurpose{}, true)
}

// failing is a reader that fails with err, or ends if err is nil.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

func (v *validator) validate(ctx context.Context, e *exchange, header http.Header, hasBody bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	input := &openapi3filter.RequestValidationInput{
		Request: e.request,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true,
			RejectWhenRequestBodyNotSpecified: hasBody, MultiError: true,
		},
	}
	var err error
	e.route, input.PathParams, e.noRoute = v.router.FindRoute(e.request)
	input.Route = e.route
	if e.noRoute == nil {
		v.operations[e.route.Operation.OperationID]++
		err = openapi3filter.ValidateRequest(context.WithoutCancel(ctx), input)
		onPurpose := ctx.Value(onPurpose{}) != nil
		switch {
		case err != nil && !onPurpose:
			v.violations = append(v.violations, fmt.Sprintf("%s %s is not allowed: %v", e.request.Method, e.request.URL.Path, err))
		case err != nil && e.status >= 200 && e.status < 300:
			v.violations = append(v.violations, fmt.Sprintf("%s %s is not allowed, but was taken: %v", e.request.Method, e.request.URL.Path, err))
		}
	}
	if e.status == 0 {
		return
	}
	err = e.noRoute
	if err == nil {
		err = openapi3filter.ValidateResponse(context.WithoutCancel(ctx), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: e.status, Header: header,
			Body: io.NopCloser(bytes.NewReader(e.response)), Options: input.Options,
		})
	}
	if err == nil {
		return
	}
	i := slices.IndexFunc(exceptions, func(x exception) bool { return x.holds(e) })
	if i < 0 {
		v.violations = append(v.violations, fmt.Sprintf("%s %s: %d: %v", e.request.Method, e.request.URL.Path, e.status, err))
		return
	}
	v.met[exceptions[i].name]++
}
