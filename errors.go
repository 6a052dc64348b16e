package clerk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

// What a caller acts on, for [errors.Is]. Those that stand for a code of Clerk's
// match by the code, whatever the HTTP status, and match when any of the errors
// in a response has it.
var (
	// ErrDuplicateInvitation: a pending invitation for the address exists
	// (duplicate_record). [ClerkError.EmailAddresses] names the addresses.
	ErrDuplicateInvitation = errors.New("clerk: a pending invitation for the address exists")
	// ErrUserExists: the address belongs to a user (form_identifier_exists).
	ErrUserExists = errors.New("clerk: the address belongs to a user")
	// ErrNotFound: no invitation has that id (resource_not_found), or none is
	// pending for that address. A 404 without that code, as a wrong base URL gives,
	// is not it.
	ErrNotFound = errors.New("clerk: not found")
	// ErrAlreadyRevoked: the invitation is revoked already
	// (invitation_already_revoked).
	ErrAlreadyRevoked = errors.New("clerk: the invitation is already revoked")
	// ErrAlreadyAccepted: the invitation was accepted
	// (invitation_already_accepted).
	ErrAlreadyAccepted = errors.New("clerk: the invitation is already accepted")
	// ErrUnauthorized: Clerk does not take the secret key (status 401, or its
	// codes).
	ErrUnauthorized = errors.New("clerk: the secret key is not accepted")
	// ErrRateLimited: too many requests (status 429 or too_many_requests).
	// RetryAfter on the error tells how long to wait, where Clerk said so.
	ErrRateLimited = errors.New("clerk: too many requests")
	// ErrOutcomeUnknown: a write may have been carried out, or not, and it could
	// not be found out in time. The connection broke, Clerk or a proxy responded
	// with something other than a result or a refusal, or the response could not be
	// read; and the lookups failed, too. FindPending and Get settle it later.
	ErrOutcomeUnknown = errors.New("clerk: the outcome of the write is unknown")
	// ErrNotRecreated: Resend has revoked the old invitation, and then failed to
	// create the new one. It can be called again.
	ErrNotRecreated = errors.New("clerk: revoked, but not created anew")
	// ErrInvalidRequest: a request, key or option that can never be right. It
	// was found before any request was sent, and the error's text names the
	// field.
	ErrInvalidRequest = errors.New("clerk: invalid request")
)

// An ErrorCode is Clerk's name for an error. Codes that this package does not
// name can appear.
type ErrorCode string

// The codes of Clerk's public error catalogue that the operations on invitations
// can meet.
const (
	CodeActionBlocked                    ErrorCode = "action_blocked"
	CodeAPIVersionInvalid                ErrorCode = "api_version_invalid"
	CodeAuthorizationHeaderFormatInvalid ErrorCode = "authorization_header_format_invalid"
	CodeAuthorizationInvalid             ErrorCode = "authorization_invalid"
	CodeBadRequest                       ErrorCode = "bad_request"
	CodeBulkSizeExceeded                 ErrorCode = "bulk_size_exceeded"
	CodeClerkKeyInvalid                  ErrorCode = "clerk_key_invalid"
	CodeConflict                         ErrorCode = "conflict"
	CodeDevMonthlyEmailLimitExceeded     ErrorCode = "dev_monthly_email_limit_exceeded"
	CodeDuplicateRecord                  ErrorCode = "duplicate_record"
	CodeFormIdentifierExists             ErrorCode = "form_identifier_exists"
	CodeFormParamArraySizeExceeded       ErrorCode = "form_param_array_size_exceeded"
	CodeFormParamExceedsAllowedSize      ErrorCode = "form_param_exceeds_allowed_size"
	CodeFormParamFormatInvalid           ErrorCode = "form_param_format_invalid"
	CodeFormParamMaxLengthExceeded       ErrorCode = "form_param_max_length_exceeded"
	CodeFormParamMissing                 ErrorCode = "form_param_missing"
	CodeFormParamNil                     ErrorCode = "form_param_nil"
	CodeFormParamTypeInvalid             ErrorCode = "form_param_type_invalid"
	CodeFormParamUnknown                 ErrorCode = "form_param_unknown"
	CodeFormParamValueInvalid            ErrorCode = "form_param_value_invalid"
	CodeFormParamValueTooLarge           ErrorCode = "form_param_value_too_large"
	CodeGatewayTimeout                   ErrorCode = "gateway_timeout"
	CodeInternalClerkError               ErrorCode = "internal_clerk_error"
	CodeInvitationAlreadyAccepted        ErrorCode = "invitation_already_accepted"
	CodeInvitationAlreadyRevoked         ErrorCode = "invitation_already_revoked"
	CodeInvitationsNotSupported          ErrorCode = "invitations_not_supported"
	CodeMalformedRequestParameters       ErrorCode = "malformed_request_parameters"
	CodeNotAllowedAccess                 ErrorCode = "not_allowed_access"
	CodeQuotaExceeded                    ErrorCode = "quota_exceeded"
	CodeRequestBodyInvalid               ErrorCode = "request_body_invalid"
	CodeRequestBodyTooLarge              ErrorCode = "request_body_too_large"
	CodeResourceLocked                   ErrorCode = "resource_locked"
	CodeResourceNotFound                 ErrorCode = "resource_not_found"
	CodeServiceUnavailable               ErrorCode = "service_unavailable"
	CodeTooManyRequests                  ErrorCode = "too_many_requests"
	CodeUnsupportedContentType           ErrorCode = "unsupported_content_type"
	CodeUserQuotaExceeded                ErrorCode = "user_quota_exceeded"
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

// is reports whether the status alone makes an error a target.
func (m *ResponseMeta) is(target error) bool {
	switch m.StatusCode {
	case http.StatusUnauthorized:
		return target == ErrUnauthorized
	case http.StatusTooManyRequests:
		return target == ErrRateLimited
	}
	return false
}

// ClerkErrors is Clerk's documented refusal of a request: status 400 or 422 on
// Create and BulkCreate, 400 or 404 on Revoke (Clerk's OpenAPI document). The
// request was not carried out. Any other failure is an [SDKError], which unwraps
// to a ClerkErrors when its response held one; so look for the SDKError first
// where the difference matters.
type ClerkErrors struct {
	ResponseMeta
	// Errors is what Clerk found wrong, at least one.
	Errors []ClerkError
	// Meta is the raw JSON of what Clerk adds about all of them; nil when absent.
	Meta json.RawMessage
	// Body is the response's body, at most 64 KiB of it. It can hold addresses.
	Body []byte
}

// A ClerkError is one error in a response of Clerk's.
type ClerkError struct {
	// Code names the error; match on it.
	Code ErrorCode `json:"code"`
	// Message is Clerk's short text.
	Message string `json:"message"`
	// LongMessage is Clerk's text for a person. It can hold addresses and values.
	LongMessage string `json:"long_message"`
	// Meta is the raw JSON of what Clerk adds, such as the parameter that is
	// wrong; nil when absent. See ParamName and EmailAddresses.
	Meta json.RawMessage `json:"meta"`
}

// ParamName returns the name of the request's parameter that is wrong, or ""
// where Clerk does not say.
func (e ClerkError) ParamName() string {
	var meta struct {
		ParamName string `json:"param_name"`
	}
	_ = json.Unmarshal(e.Meta, &meta) // not an object: no name
	return meta.ParamName
}

// EmailAddresses returns the addresses that a duplicate_record or a
// not_allowed_access is about, or nil where Clerk does not say.
func (e ClerkError) EmailAddresses() []string {
	var meta struct {
		EmailAddresses []string `json:"email_addresses"`
		Identifiers    []string `json:"identifiers"`
	}
	_ = json.Unmarshal(e.Meta, &meta) // not an object: no addresses
	return append(meta.EmailAddresses, meta.Identifiers...)
}

// String returns the code, the short message and the parameter, on one line,
// without addresses.
func (e ClerkError) String() string {
	s := oneLine(string(e.Code))
	if e.Message != "" {
		s += ": " + oneLine(e.Message)
	}
	if name := e.ParamName(); name != "" {
		s += " (" + oneLine(name) + ")"
	}
	return s
}

// Error returns one line: operation, status, codes, short messages, trace id.
// It holds no addresses.
func (e *ClerkErrors) Error() string {
	return e.line("", e.summary())
}

// maxSummary is how many errors a text names.
const maxSummary = 5

func (e *ClerkErrors) summary() string {
	var texts []string
	for _, one := range e.Errors[:min(len(e.Errors), maxSummary)] {
		texts = append(texts, one.String())
	}
	if more := len(e.Errors) - maxSummary; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// Is matches the sentinels of this package by code, and by status 401 and 429.
func (e *ClerkErrors) Is(target error) bool {
	for _, one := range e.Errors {
		if sentinel := sentinels[one.Code]; sentinel != nil && sentinel == target {
			return true
		}
	}
	return e.is(target)
}

// hasCode reports whether Clerk gave one of the codes.
func hasCode(err error, codes ...ErrorCode) bool {
	refused, ok := errors.AsType[*ClerkErrors](err)
	return ok && slices.ContainsFunc(refused.Errors, func(one ClerkError) bool { return slices.Contains(codes, one.Code) })
}

// SDKError is every failure but Clerk's documented refusals: an undocumented
// status, a response that cannot be read or is too large, a connection that
// failed, a context that ended, a request that can never be right.
type SDKError struct {
	ResponseMeta
	// Message says what failed, on one line, without addresses.
	Message string
	// Err is the cause; nil where the status says it all. It wraps, where they
	// apply, the *ClerkErrors of the response, the transport's or the context's
	// error, and ErrOutcomeUnknown or ErrInvalidRequest. A transport's error has
	// its own text, which may hold what Message does not.
	Err error
	// Body is the last response's body, at most 64 KiB of it. It can hold
	// addresses.
	Body []byte
}

// Error returns one line: operation, status, what failed, trace id. It holds no
// addresses.
func (e *SDKError) Error() string {
	if errors.Is(e.Err, ErrOutcomeUnknown) {
		return e.line("outcome unknown: ", e.Message)
	}
	return e.line("", e.Message)
}

// Unwrap returns Err.
func (e *SDKError) Unwrap() error { return e.Err }

// Is matches [ErrUnauthorized] and [ErrRateLimited] by status; Err matches the
// rest.
func (e *SDKError) Is(target error) bool { return e.is(target) }

// line is the one line of an error. A verdict stands ahead of the status.
func (m *ResponseMeta) line(verdict, message string) string {
	var b strings.Builder
	b.WriteString("clerk: ")
	if m.Operation != "" {
		b.WriteString(string(m.Operation) + ": ")
	}
	b.WriteString(verdict)
	if m.StatusCode != 0 {
		fmt.Fprintf(&b, "%d ", m.StatusCode)
	}
	b.WriteString(message)
	var notes []string
	if m.RetryAfter > 0 {
		notes = append(notes, "retry after "+m.RetryAfter.Round(time.Millisecond).String())
	}
	if m.Attempts > 1 {
		notes = append(notes, fmt.Sprintf("%d attempts", m.Attempts))
	}
	if m.TraceID != "" {
		notes = append(notes, "trace "+m.TraceID)
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	return b.String()
}

// Format writes the error's one line, whatever the verb: the other fields can
// hold addresses.
func (e ClerkErrors) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.Error()) }

// Format writes the error's one line, whatever the verb.
func (e SDKError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.Error()) }

// Format writes the error's String, whatever the verb.
func (e ClerkError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.String()) }

// MarshalText returns the error's one line, so that it is what JSON holds, too.
func (e ClerkErrors) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// MarshalText returns the error's one line, so that it is what JSON holds, too.
func (e SDKError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// MarshalText returns the error's String, so that it is what JSON holds, too.
func (e ClerkError) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// parseErrors reads Clerk's error envelope; nil when body is none.
func parseErrors(body []byte) (errs *ClerkErrors, traceID string) {
	var envelope struct {
		Errors  []ClerkError    `json:"errors"`
		Meta    json.RawMessage `json:"meta"`
		TraceID string          `json:"clerk_trace_id"`
	}
	isJSON := json.Unmarshal(body, &envelope) == nil
	saysNothing := func(one ClerkError) bool { return one.Code == "" && one.Message == "" }
	if !isJSON || len(envelope.Errors) == 0 || slices.ContainsFunc(envelope.Errors, saysNothing) {
		return nil, ""
	}
	return &ClerkErrors{Errors: envelope.Errors, Meta: envelope.Meta}, envelope.TraceID
}

// fieldError says which field of a request, or which option, can never be right.
type fieldError struct{ field, problem string }

func (e fieldError) Error() string        { return e.field + " " + e.problem }
func (e fieldError) Is(target error) bool { return target == ErrInvalidRequest }

// invalid is the error of a call that sent nothing, because what it was given is
// wrong.
func invalid(op Operation, err error) error {
	return &SDKError{ResponseMeta: ResponseMeta{Operation: op}, Message: err.Error(), Err: err}
}

const maxLine = 300

// oneLine makes foreign text fit to be printed: on one line, not too long, without
// invisible characters, and without the words that may be an address, part of a
// URL's query, or a key. Escapes (% and \) may stand for either.
func oneLine(text string) string {
	if len(text) > 4*maxLine { // the last word may be cut in two, so it goes
		text = text[:4*maxLine]
		text = text[:max(0, strings.LastIndexAny(text, " \n\t"))]
	}
	visible := func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return -1
	}
	words := strings.Fields(strings.Map(visible, text))
	for i, word := range words {
		if strings.ContainsAny(word, `@=%\`) || holdsKey(word) {
			words[i] = "[redacted]"
		}
	}
	line := strings.Join(words, " ")
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "..."
	}
	return line
}

// holdsKey reports whether word holds "sk_" and more; "sk_..." is no key.
func holdsKey(word string) bool {
	for {
		_, rest, found := strings.Cut(word, "sk_")
		if !found {
			return false
		}
		if rest != "" && (unicode.IsLetter(rune(rest[0])) || unicode.IsDigit(rune(rest[0]))) {
			return true
		}
		word = rest
	}
}
