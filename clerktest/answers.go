package clerktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing/iotest"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// An apiError is an error answer: entries of Clerk's catalogue, with a status.
type apiError struct {
	status     int
	errors     []entry // none for an answer in plain text
	retryAfter time.Duration
}

// An entry is one error in Clerk's envelope.
type entry struct {
	Message     string          `json:"message"`
	LongMessage string          `json:"long_message"`
	Code        clerk.ErrorCode `json:"code"`
	Meta        any             `json:"meta,omitempty"`
}

type paramMeta struct {
	ParamName string `json:"param_name"`
}

func refuse(status int, code clerk.ErrorCode, message, longMessage string) *apiError {
	return &apiError{status: status, errors: []entry{{Message: message, LongMessage: longMessage, Code: code}}}
}

var (
	errRoute = &apiError{status: http.StatusNotFound} // without Clerk's envelope

	errAuthorizationHeader = refuse(401, clerk.CodeAuthorizationHeaderFormatInvalid, "Invalid Authorization header format",
		"Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'")
	errSecretKey = refuse(401, clerk.CodeClerkKeyInvalid,
		"The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
		"The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.")

	errBody = refuse(400, clerk.CodeRequestBodyInvalid, "Request body invalid",
		"The request body is invalid. Please consult the API documentation for more information.")
	errBodyTooLarge = refuse(413, clerk.CodeRequestBodyTooLarge, "Request body too large",
		fmt.Sprintf("The request body exceeds the maximum allowed size of %d bytes.", maxRequestBody))
	errBulkSize = refuse(400, clerk.CodeBulkSizeExceeded, "bulk size exceeded",
		fmt.Sprintf("Parameters exceed the maximum allowed bulk processing size of %d.", clerk.MaxBulkInvitations))

	errInternal = refuse(500, clerk.CodeInternalClerkError, "Oops, an unexpected error occurred",
		"There was an internal error on our servers. We've been notified and are working on fixing it.")

	errAlreadyRevoked = refuse(400, clerk.CodeInvitationAlreadyRevoked,
		"Invitation is already revoked.", "Invitation is already revoked.")
	errAlreadyAccepted = refuse(400, clerk.CodeInvitationAlreadyAccepted,
		"Invitation is already accepted, try signing in instead.", "Invitation is already accepted, try signing in instead.")
)

func errContentType(got string) *apiError {
	return refuse(415, clerk.CodeUnsupportedContentType, "Content-Type is unsupported",
		fmt.Sprintf("Content-Type %s is unsupported. You should use application/json instead.", got))
}

func errTooManyRequests(retryAfter time.Duration) *apiError {
	refusal := refuse(http.StatusTooManyRequests, clerk.CodeTooManyRequests,
		"Too many requests", "Too many requests, retry later")
	refusal.retryAfter = retryAfter
	return refusal
}

func errInvitationID(id string) *apiError {
	return refuse(404, clerk.CodeResourceNotFound, "not found", fmt.Sprintf("No invitation was found with id %s.", id))
}

func errDuplicates(addresses []string) *apiError {
	refusal := refuse(400, clerk.CodeDuplicateRecord, "duplicate invitation",
		"There are already pending invitations for the following email addresses: "+strings.Join(addresses, ", "))
	refusal.errors[0].Meta = map[string][]string{"email_addresses": addresses}
	return refusal
}

func errUserExists() *apiError {
	const text = "That email address is taken. Please try another."
	return errParams(param("email_address", clerk.CodeFormIdentifierExists, text, text))
}

// errParams refuses a request for its parameters.
func errParams(entries ...entry) *apiError { return &apiError{status: 422, errors: entries} }

func param(name string, code clerk.ErrorCode, message, longMessage string) entry {
	return entry{Message: message, LongMessage: longMessage, Code: code, Meta: paramMeta{name}}
}

func paramMissing(name string) entry {
	return param(name, clerk.CodeFormParamMissing, "is missing", name+" must be included.")
}

func paramUnknown(name string) entry {
	return param(name, clerk.CodeFormParamUnknown, "is unknown", name+" is not a valid parameter for this request.")
}

func paramType(name, kind string) entry {
	return param(name, clerk.CodeFormParamTypeInvalid, "is invalid", fmt.Sprintf("`%s` must be a `%s`.", name, kind))
}

func paramValue(name string) entry {
	return param(name, clerk.CodeFormParamValueInvalid, "is invalid", name+" is invalid")
}

// paramNotAllowed is about a parameter that takes certain values only.
func paramNotAllowed(name, value string) entry {
	return param(name, clerk.CodeFormParamValueInvalid, "is invalid",
		value+" does not match one of the allowed values for parameter "+name)
}

func paramAddress(name string) entry {
	return param(name, clerk.CodeFormParamFormatInvalid, "is invalid", name+" must be a valid email address.")
}

// An answer is what goes out.
type answer struct {
	status      int
	contentType string
	body        []byte
	retryAfter  time.Duration
	trace       int
	delay       time.Duration // before it is given
	broken      bool          // the connection breaks after half of the body, or before all where there is none
}

// answer makes an answer of an operation's result or refusal.
func (f *Fake) answer(result any, refusal *apiError) answer {
	switch {
	case refusal == nil:
		return answer{status: http.StatusOK, contentType: "application/json", body: marshal(result)}
	case refusal.status == http.StatusTooManyRequests && f.limitBody != nil:
		return answer{
			status: refusal.status, contentType: f.limitType, body: []byte(*f.limitBody), retryAfter: refusal.retryAfter,
		}
	}
	return refusal.answer()
}

func (e *apiError) answer() answer {
	if e.errors == nil {
		return answer{status: e.status, contentType: "text/plain", body: []byte(http.StatusText(e.status))}
	}
	body := marshal(map[string]any{"errors": e.errors})
	return answer{status: e.status, contentType: "application/json", body: body, retryAfter: e.retryAfter}
}

func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil { // nothing that the fake holds can fail to be JSON
		panic(err)
	}
	return body
}

func (a answer) header() http.Header {
	header := http.Header{}
	header.Set("Content-Type", a.contentType)
	if a.contentType == "" {
		header["Content-Type"] = nil // or net/http would guess one
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	header.Set("Clerk-Api-Version", clerk.APIVersion)
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("X-Clerk-Trace-Id", fmt.Sprintf("%032x", a.trace))
	if a.retryAfter > 0 {
		seconds := (a.retryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	return header
}

// errReset is what a client sees of a connection that breaks.
var errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// response gives the answer in process.
func (a answer) response(req *http.Request) (*http.Response, error) {
	if a.broken && len(a.body) == 0 {
		return nil, errReset
	}
	body := io.Reader(bytes.NewReader(a.body))
	if a.broken {
		body = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{
		Status: fmt.Sprint(a.status, " ", http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header(), Body: io.NopCloser(body), ContentLength: int64(len(a.body)),
		Request: req,
	}, nil
}

// write gives the answer over HTTP.
func (a answer) write(w http.ResponseWriter) {
	if a.broken && len(a.body) == 0 {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.header())
	w.WriteHeader(a.status)
	if a.broken {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush() // or net/http would drop it, too
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // whoever asked may be gone
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == "application/json"
}
