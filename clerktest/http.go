package clerktest

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// maxRequestBody is the size beyond which the fake responds with request_body_too_large.
const maxRequestBody = 1 << 20

// RoundTrip responds to a request in process, whatever its host. It makes a Fake an
// [http.RoundTripper]. It returns errors of the request's context or body, and for faults that
// break connections.
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

// ServeHTTP responds to a request. It makes a Fake an [http.Handler].
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	a := f.respond(r, body)
	if sleep(r.Context(), a.delay) == nil {
		a.write(w)
	}
}

// readBody reads a request's body until it is known to be too large.
func readBody(body io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(body, maxRequestBody+1))
}

// sleep waits for d, or returns the error of ctx when it ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// respond performs a request, unless a failure prevents it, and returns the answer.
func (f *Fake) respond(r *http.Request, body []byte) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == ticketPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return f.openLink(r.URL.Query().Get("ticket"))
	}
	now := f.now()
	op, id := route(r)
	failure := f.failures.next(op, f.addresses(op, id, r.URL.Query(), body))
	refusal := failure.before()
	if refusal != nil {
		f.countUnperformed(op, failure, now)
	} else {
		refusal = f.admit(op, r, body, now)
	}
	var result any
	if refusal == nil {
		f.hideUntil = failure.hidesUntil(now)
		result, refusal = f.perform(op, id, r.URL.Query(), body)
		if err := f.commit(); err != nil {
			refusal = errStore(err)
		}
		f.hideUntil = time.Time{}
		if refusal == nil && f.behavior.RefusalsUncounted {
			f.limiter.count(op, now)
		}
	}
	a := failure.after(f.behavior.answer(result, refusal), f.slowness)
	a.delay += f.latency
	a.traceID, a.ray = f.ids.trace()
	a.clock, a.headers = f.clock.ahead+f.behavior.DateSkew, f.behavior
	if version := r.Header.Get("Clerk-API-Version"); slices.Contains(apiVersions, version) {
		a.apiVersion = version
	}
	f.log.add(now, r, op, body, a, failure)
	return a
}

// addresses returns the addresses that a request concerns, if its failure depends on
// them.
func (f *Fake) addresses(op clerk.Operation, id string, query url.Values, body []byte) []string {
	if !f.failures.concernsAddresses(op) {
		return nil
	}
	type item struct {
		EmailAddress string `json:"email_address"`
	}
	var all []item
	switch op {
	case clerk.OperationCreate:
		all = make([]item, 1)
		_ = json.Unmarshal(body, &all[0]) // an invalid request may concern no address
	case clerk.OperationBulkCreate:
		_ = json.Unmarshal(body, &all)
	case clerk.OperationList:
		return query["query"]
	default:
		if inv := f.store.byID[id]; inv != nil {
			return []string{inv.EmailAddress}
		}
	}
	addresses := make([]string, len(all))
	for i, req := range all {
		addresses[i] = req.EmailAddress
	}
	return addresses
}

// countUnperformed counts a request whose failure keeps it from being performed.
func (f *Fake) countUnperformed(op clerk.Operation, fail failure, now time.Time) {
	limited := f.limiter.wait(op, now) > 0 || fail.isRateLimit()
	if fail.fault != FaultRefuse && !f.behavior.FaultsUncounted && (!limited || f.behavior.RateLimitedCounted) {
		f.limiter.count(op, now)
	}
}

// route returns the operation of a request and the id in its path. The operation is empty if
// the API does not have the path.
func route(r *http.Request) (op clerk.Operation, id string) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/invitations")
	if !ok {
		return "", ""
	}
	id, revoke := strings.CutSuffix(strings.TrimPrefix(path, "/"), "/revoke")
	isID := id != "" && !strings.Contains(id, "/")
	switch {
	case r.Method == http.MethodGet && path == "":
		return clerk.OperationList, ""
	case r.Method == http.MethodPost && path == "":
		return clerk.OperationCreate, ""
	case r.Method == http.MethodPost && path == "/bulk":
		return clerk.OperationBulkCreate, ""
	case r.Method == http.MethodPost && revoke && isID && path == "/"+id+"/revoke":
		return clerk.OperationRevoke, id
	case r.Method == http.MethodDelete && isID && path == "/"+id:
		return clerk.OperationDelete, id
	}
	return "", ""
}

// apiVersions are the versions of Clerk's Backend API for which an OpenAPI document was
// published.
var apiVersions = []string{
	"2021-02-05", "2024-10-01", "2025-03-12", "2025-04-10", "2025-11-10", "2025-12-03", clerk.APIVersion,
}

// admit makes the checks that all operations share: key, limits, version, path and the form of
// the body.
func (f *Fake) admit(op clerk.Operation, r *http.Request, body []byte, now time.Time) *apiError {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || key == "":
		return known(clerk.CodeAuthorizationHeaderFormatInvalid)
	case key != f.secretKey:
		return known(clerk.CodeClerkKeyInvalid)
	}
	wait := f.limiter.wait(op, now)
	if wait == 0 && !f.behavior.RefusalsUncounted || wait > 0 && f.behavior.RateLimitedCounted {
		f.limiter.count(op, now)
	}
	if wait > 0 {
		return errTooManyRequests(wait)
	}
	version := cmp.Or(r.Header.Get("Clerk-API-Version"), clerk.APIVersion)
	if !slices.Contains(apiVersions, version) && !f.behavior.AnyAPIVersion {
		return errAPIVersion(version)
	}
	if op == "" {
		return errRoute(r)
	}
	if len(body) > maxRequestBody {
		return known(clerk.CodeRequestBodyTooLarge)
	}
	if mediaType := r.Header.Get("Content-Type"); len(body) > 0 && !isJSON(mediaType) {
		return errContentType(mediaType)
	}
	return nil
}
