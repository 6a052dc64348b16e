package clerk

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/redact"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// Sentinels for [errors.Is]. A sentinel for one of Clerk's codes matches any error response
// that contains the code, whatever its HTTP status.
var (
	// ErrDuplicateInvitation: the address already has an invitation (duplicate_record).
	// Usually it is pending, but integrators report the code for accepted and older
	// invitations as well, so look the address up before telling anyone.
	// [ClerkError.EmailAddresses] returns the addresses.
	ErrDuplicateInvitation = errors.New("clerk: the address already has an invitation")
	// ErrUserExists: the address belongs to a user (form_identifier_exists).
	ErrUserExists = errors.New("clerk: the address belongs to a user")
	// ErrNotFound: no invitation has the id (resource_not_found), or no pending one has
	// the address. A 404 without that code, as from a wrong base URL, does not match.
	ErrNotFound = errors.New("clerk: not found")
	// ErrAlreadyRevoked: the invitation is already revoked (invitation_already_revoked).
	ErrAlreadyRevoked = errors.New("clerk: the invitation is already revoked")
	// ErrAlreadyAccepted: the invitation was accepted (invitation_already_accepted).
	ErrAlreadyAccepted = errors.New("clerk: the invitation is already accepted")
	// ErrUnauthorized: Clerk does not accept the secret key (status 401, or its codes).
	ErrUnauthorized = errors.New("clerk: the secret key is not accepted")
	// ErrRateLimited: too many requests (status 429, too_many_requests with any status, or a
	// Retry-After with any other 4xx status except 408). The error's RetryAfter says how long
	// to wait, if Clerk said so.
	ErrRateLimited = transport.ErrRateLimited
	// ErrNotSent: the request certainly did not reach Clerk, or Clerk certainly did not
	// process it. Nothing changed, and it is safe to call again. The cause is a failed
	// connection or secret key function, a context that ended before the request was
	// sent, or a transport that did not send it.
	//
	// A transport that does not send a request, such as a circuit breaker, returns an
	// error that matches ErrNotSent. The library then handles the failure like a failed
	// connection. If a retry would fail in the same way, give one of the errors that it wraps
	// a method Permanent() bool that returns true: the call then ends. See [NotSent] and
	// [WithHTTPClient].
	ErrNotSent = transport.ErrNotSent
	// ErrOutcomeUnknown: the write may or may not have taken effect, and the library could
	// not determine which in time. Do not call again without checking: with IgnoreExisting
	// that may create a second invitation. Check later with FindPending or Get.
	ErrOutcomeUnknown = errors.New("clerk: the outcome of the write is unknown")
	// ErrOldNotRevoked: Resend has created the new invitation, but could not revoke the
	// old one: until it is revoked or expires, both links work. Check it first: if ErrNotSent,
	// ErrOutcomeUnknown or another sentinel matches as well, it is about the revocation.
	ErrOldNotRevoked = errors.New("clerk: the old invitation was not revoked")
	// ErrMetadataLost: a bulk has created the invitations, which are returned with the error,
	// but Clerk returned other public metadata than was sent. Do not create them again: revoke
	// those without their metadata, and create them singly.
	ErrMetadataLost = errors.New("clerk: the metadata was lost")
	// ErrInvalidRequest: a request or an option is invalid. If the library found the problem,
	// the error wraps an [*InputError] with the field. If Clerk did (form_param_*,
	// request_body_*, bulk_size_exceeded, malformed_request_parameters), it is or wraps a
	// [*ClerkErrors]; see [ClerkError.ParamName]. Nothing was changed in either case.
	ErrInvalidRequest = errors.New("clerk: invalid request")
)

var sentinels = map[ErrorCode]error{
	CodeDuplicateRecord:                  ErrDuplicateInvitation,
	CodeFormIdentifierExists:             ErrUserExists,
	CodeResourceNotFound:                 ErrNotFound,
	CodeInvitationAlreadyRevoked:         ErrAlreadyRevoked,
	CodeInvitationAlreadyAccepted:        ErrAlreadyAccepted,
	CodeAuthorizationHeaderFormatInvalid: ErrUnauthorized,
	CodeClerkKeyInvalid:                  ErrUnauthorized,
	CodeTooManyRequests:                  ErrRateLimited,
}

// sentinel returns the sentinel for a code, or nil if it has none.
func (c ErrorCode) sentinel() error {
	isParameter := strings.HasPrefix(string(c), "form_param_") || strings.HasPrefix(string(c), "request_body_") ||
		c == CodeBulkSizeExceeded || c == CodeMalformedRequestParameters
	if isParameter {
		return ErrInvalidRequest
	}
	return sentinels[c]
}

// is reports whether the class or the status alone makes an error match target.
func (m *ResponseMeta) is(target error, c transport.Class) bool {
	return target == ErrOutcomeUnknown && c == transport.Ambiguous ||
		target == ErrNotSent && c == transport.NotSent ||
		target == ErrUnauthorized && m.StatusCode == http.StatusUnauthorized ||
		target == ErrRateLimited && (c == transport.RateLimited || m.StatusCode == http.StatusTooManyRequests)
}

// MetaFromError returns the metadata of the response that err, or an error it wraps, is about.
// The second result is false if err is not from this package.
func MetaFromError(err error) (ResponseMeta, bool) {
	if m := metaOf(err); m != nil {
		return *m, true
	}
	return ResponseMeta{}, false
}

// metaOf returns the metadata of the outermost error from this package, or nil if there is
// none.
func metaOf(err error) *ResponseMeta {
	if sdk, ok := errors.AsType[*SDKError](err); ok && sdk != nil {
		return &sdk.ResponseMeta
	}
	if refused, ok := errors.AsType[*ClerkErrors](err); ok && refused != nil {
		return &refused.ResponseMeta
	}
	return nil
}

// askedBy returns the wait that the response asked for, or 0 if it did not ask.
func askedBy(err error) time.Duration {
	if m := metaOf(err); m != nil {
		return m.RetryAfter
	}
	return 0
}

// classOf returns the class of the attempt that an error is about.
func classOf(err error) transport.Class {
	if sdk, ok := errors.AsType[*SDKError](err); ok {
		return sdk.class
	}
	if refused, ok := errors.AsType[*ClerkErrors](err); ok {
		return refused.class
	}
	return transport.NoClass
}

// ClerkErrors is Clerk's documented refusal of a request: status 400 or 422 of Create
// and BulkCreate, 400 or 404 of Revoke and Delete. The request was not carried out and,
// unless RetryNone is set, a lookup found no part of a BulkCreate. Any other failure is an
// [SDKError], which wraps a ClerkErrors if the response has one. To decide what to do, use
// [errors.Is] with a sentinel.
type ClerkErrors struct {
	ResponseMeta
	// Errors has at least one element.
	Errors []ClerkError
	// Meta is the raw JSON that Clerk adds about all errors; nil if absent.
	Meta json.RawMessage
	// Body is the response's body, at most 64 KiB. It may contain addresses.
	Body []byte

	class transport.Class // of the attempt
}

// A ClerkError is one error in a response.
type ClerkError struct {
	// Code identifies the error. Match on it.
	Code ErrorCode `json:"code"`
	// Message is Clerk's short text.
	Message string `json:"message"`
	// LongMessage is Clerk's text for a person. It may contain addresses and values.
	LongMessage string `json:"long_message"`
	// Meta is the raw JSON that Clerk adds, such as the invalid parameter; nil if absent. See
	// ParamName and EmailAddresses.
	Meta json.RawMessage `json:"meta"`
}

// ParamName returns the name of the invalid parameter, or "" if Clerk does not say.
func (e ClerkError) ParamName() string {
	var meta struct {
		ParamName string `json:"param_name"`
	}
	_ = json.Unmarshal(e.Meta, &meta) // not an object: no name
	return meta.ParamName
}

// EmailAddresses returns the addresses that a duplicate_record or a not_allowed_access
// is about, or nil if Clerk does not say.
func (e ClerkError) EmailAddresses() []string {
	var meta struct {
		EmailAddresses []string `json:"email_addresses"`
		Identifiers    []string `json:"identifiers"`
	}
	_ = json.Unmarshal(e.Meta, &meta) // not an object: no addresses
	return append(meta.EmailAddresses, meta.Identifiers...)
}

// String returns the code, the short message and the parameter, on one line and without
// addresses.
func (e ClerkError) String() string {
	s := redact.Line(string(e.Code))
	if e.Message != "" {
		s += ": " + redact.Line(e.Message)
	}
	if name := e.ParamName(); name != "" {
		s += " (" + redact.Line(name) + ")"
	}
	return s
}

// Error returns one line without addresses: operation, status, codes, short messages
// and trace id.
func (e *ClerkErrors) Error() string {
	if e == nil {
		return "<nil>"
	}
	return e.line("", e.summary())
}

func (e *ClerkErrors) summary() string { return redact.List(e.Errors) }

// Is matches the sentinels of this package by code and by status 401, and [ErrRateLimited] as
// documented there.
func (e *ClerkErrors) Is(target error) bool {
	hasTarget := func(one ClerkError) bool { return one.Code.sentinel() == target }
	return e != nil && target != nil && (e.is(target, e.class) || slices.ContainsFunc(e.Errors, hasTarget))
}

// hasCode reports whether err has one of Clerk's codes.
func hasCode(err error, codes ...ErrorCode) bool {
	refused, ok := errors.AsType[*ClerkErrors](err)
	return ok && slices.ContainsFunc(refused.Errors, func(one ClerkError) bool { return slices.Contains(codes, one.Code) })
}

// isDefinite reports whether a refusal is final for the request: it is documented, or
// its code says so.
func isDefinite(failure error) bool {
	_, isSDK := errors.AsType[*SDKError](failure)
	return !isSDK || hasCode(failure, CodeNotAllowedAccess)
}

// SDKError is any failure other than a documented refusal: an undocumented status, a response
// that is unreadable or too large, a failed connection, an ended context, an invalid request.
type SDKError struct {
	ResponseMeta
	// Message says what failed, on one line and without addresses.
	Message string
	// Err is the cause; nil if there is none beyond the status. It wraps the *ClerkErrors of
	// the response, the *InputError, or the error of the transport or context. The text of a
	// transport's error may contain addresses and secrets that Message leaves out.
	Err error
	// Body is the last response's body, at most 64 KiB. It may contain addresses.
	Body []byte

	class     transport.Class // of the last attempt, or of the call
	lookupErr error           // why the lookup failed; not part of the error's chain
}

// Error returns one line without addresses: operation, status, what failed and trace id.
func (e *SDKError) Error() string {
	switch {
	case e == nil:
		return "<nil>"
	case errors.Is(e, ErrOutcomeUnknown):
		return e.line("outcome unknown: ", e.Message)
	}
	return e.line("", e.Message)
}

// Unwrap returns Err.
func (e *SDKError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Is matches [ErrOutcomeUnknown], [ErrNotSent] and [ErrRateLimited], and [ErrUnauthorized] by
// status. Other targets match through Err.
func (e *SDKError) Is(target error) bool { return e != nil && e.is(target, e.class) }

// line returns an error's one line.
func (m *ResponseMeta) line(outcome, message string) string {
	return transport.Line{
		Method: cmp.Or(m.method, string(m.Operation)), Outcome: outcome, Message: message,
		Status: m.StatusCode, RetryAfter: m.RetryAfter, Attempts: m.Attempts, TraceID: m.TraceID,
	}.String()
}

// Format writes the error's one line for every verb: the other fields may contain addresses.
func (e ClerkErrors) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.Error()) }

// Format writes the error's one line for every verb.
func (e SDKError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.Error()) }

// Format writes the error's String for every verb.
func (e ClerkError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.String()) }

// MarshalText returns the error's one line, so that JSON contains nothing more.
func (e ClerkErrors) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// MarshalText returns the error's one line, so that JSON contains nothing more.
func (e SDKError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// MarshalText returns the error's String, so that JSON contains nothing more.
func (e ClerkError) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// parseErrors reads Clerk's error envelope. It returns nil if body is not one.
func parseErrors(body []byte) (traceID string, refusal error) {
	var envelope struct {
		Errors  []ClerkError    `json:"errors"`
		Meta    json.RawMessage `json:"meta"`
		TraceID string          `json:"clerk_trace_id"`
	}
	isJSON := json.Unmarshal(body, &envelope) == nil
	isEmpty := func(one ClerkError) bool { return one.Code == "" && one.Message == "" }
	if !isJSON || len(envelope.Errors) == 0 || slices.ContainsFunc(envelope.Errors, isEmpty) {
		return "", nil
	}
	return envelope.TraceID, &ClerkErrors{Errors: envelope.Errors, Meta: envelope.Meta}
}

// An InputError says which field of a request, or which option, is invalid. It matches
// [ErrInvalidRequest], as Clerk's refusals of a parameter do.
type InputError struct {
	// Field is a field by its name in Clerk's API, such as "email_address" or
	// "requests[3].email_address", or an option, such as "WithBaseURL".
	Field string
	// Problem says what is wrong with it, such as "is empty". It does not repeat the value.
	Problem string
}

// Error returns the field and the problem.
func (e *InputError) Error() string { return e.Field + " " + e.Problem }

// Is matches [ErrInvalidRequest].
func (e *InputError) Is(target error) bool { return target == ErrInvalidRequest }

// inputError returns an InputError, or nil if there is no problem.
func inputError(field, problem string) error {
	if problem == "" {
		return nil
	}
	return &InputError{field, problem}
}

// invalid returns the error of a call that sent nothing because of its input.
func invalid(op Operation, err error) error {
	return &SDKError{ResponseMeta: ResponseMeta{Operation: op}, Message: err.Error(), Err: err}
}

// wrap returns an error that wraps another error of this package, with a prefix before its
// text. If also is not nil, the error matches that as well. It has no class.
func wrap(err error, prefix string, also error) *SDKError {
	e := &SDKError{Err: err}
	if also != nil {
		e.Err = errors.Join(err, also)
	}
	if sdk, ok := errors.AsType[*SDKError](err); ok {
		e.ResponseMeta, e.Message, e.Body = sdk.ResponseMeta, sdk.Message, sdk.Body
	} else if refused, ok := errors.AsType[*ClerkErrors](err); ok {
		e.ResponseMeta, e.Message, e.Body = refused.ResponseMeta, refused.summary(), refused.Body
	}
	e.Message = prefix + e.Message
	return e
}
