package clerktest

import (
	"fmt"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// An apiError is an error response: entries of Clerk's catalogue with a status.
type apiError struct {
	status     int
	errors     []entry // if empty, text is the body
	text       string
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

// code returns the code of the first error.
func (e *apiError) code() clerk.ErrorCode {
	if e == nil || len(e.errors) == 0 {
		return ""
	}
	return e.errors[0].Code
}

// withText returns e with another long message.
func (e *apiError) withText(format string, args ...any) *apiError {
	e.errors[0].LongMessage = fmt.Sprintf(format, args...)
	return e
}

// errParams returns the refusal of a request because of its parameters.
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

// paramNotAllowed returns the error for a value that a parameter does not allow.
func paramNotAllowed(name, value string) entry {
	return param(name, clerk.CodeFormParamValueInvalid, "is invalid",
		value+" does not match one of the allowed values for parameter "+name)
}

func paramAddress(name string) entry {
	return param(name, clerk.CodeFormParamFormatInvalid, "is invalid", name+" must be a valid email address.")
}

func paramLength(name string, most int) entry {
	return param(name, clerk.CodeFormParamMaxLengthExceeded, "exceeds maximum length",
		fmt.Sprintf("%s should not exceed %d characters.", name, most))
}

func paramEncoding(name string) entry {
	return param(name, clerk.CodeFormParamValueInvalid, "invalid character encoding",
		name+" contains invalid UTF-8 characters")
}

const textTaken = "That email address is taken. Please try another."
