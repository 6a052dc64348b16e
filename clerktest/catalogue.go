package clerktest

import (
	"maps"
	"slices"
	"sync"

	"github.com/clerk-invitations/clerk-go"
)

// A catalogueEntry is an entry of Clerk's public error catalogue: the most general one if a
// code has several. Its parameters have example values.
type catalogueEntry struct {
	status      int
	message     string
	longMessage string
	meta        any
}

// Codes returns the codes of Clerk's error catalogue that these operations can return, in
// alphabetical order. [Fake.Respond] can respond with each of them.
func Codes() []clerk.ErrorCode {
	return slices.Sorted(maps.Keys(catalogue()))
}

// known returns the catalogue's error for a code, or nil if the code is unknown.
func known(code clerk.ErrorCode) *apiError {
	e, ok := catalogue()[code]
	if !ok {
		return nil
	}
	return &apiError{status: e.status, errors: []entry{{
		Message: e.message, LongMessage: e.longMessage, Code: code, Meta: e.meta,
	}}}
}

var catalogue = sync.OnceValue(func() map[clerk.ErrorCode]catalogueEntry {
	all := map[clerk.ErrorCode]catalogueEntry{}
	maps.Copy(all, requestCatalogue())
	maps.Copy(all, paramCatalogue())
	maps.Copy(all, accessCatalogue())
	return all
})

func requestCatalogue() map[clerk.ErrorCode]catalogueEntry {
	same := func(status int, text string) catalogueEntry { return catalogueEntry{status, text, text, nil} }
	return map[clerk.ErrorCode]catalogueEntry{
		clerk.CodeAPIVersionInvalid: {400, "invalid API version", "Invalid Clerk API version: it does not exist", nil},
		clerk.CodeBadRequest:        same(400, "Bad request"),
		clerk.CodeBulkSizeExceeded: {
			400, "bulk size exceeded", "Parameters exceed the maximum allowed bulk processing size of 10.", nil,
		},
		clerk.CodeDuplicateRecord: {
			400, "duplicate invitation",
			"There are already pending invitations for the following email addresses: ada@example.com",
			map[string][]string{"email_addresses": {"ada@example.com"}},
		},
		clerk.CodeInvitationAlreadyAccepted: same(400, "Invitation is already accepted, try signing in instead."),
		clerk.CodeInvitationAlreadyRevoked:  same(400, "Invitation is already revoked."),
		clerk.CodeInvitationsNotSupported: same(400,
			"Invitations are only supported on instances that accept email addresses."),
		clerk.CodeMalformedRequestParameters: {
			400, "Malformed request parameters", "The request parameters are malformed and could not be parsed", nil,
		},
		clerk.CodeRequestBodyInvalid: {
			400, "Request body invalid",
			"The request body is invalid. Please consult the API documentation for more information.", nil,
		},
		clerk.CodeResourceNotFound: {404, "not found", "No invitation was found with id inv_unknown.", nil},
		clerk.CodeConflict:         same(409, "Conflict"),
		clerk.CodeResourceLocked: {
			409, "resource busy",
			"This resource is currently being modified by another request. Please try again.", nil,
		},
		clerk.CodeRequestBodyTooLarge: {
			413, "Request body too large", "The request body exceeds the maximum allowed size of 1048576 bytes.", nil,
		},
		clerk.CodeUnsupportedContentType: {
			415, "Content-Type is unsupported",
			"Content-Type text/plain is unsupported. You should use application/json instead.", nil,
		},
		clerk.CodeInternalClerkError: {
			500, "Oops, an unexpected error occurred",
			"There was an internal error on our servers. We've been notified and are working on fixing it.", nil,
		},
		clerk.CodeServiceUnavailable: same(503, "Service unavailable"),
		clerk.CodeGatewayTimeout:     {504, "Gateway Timeout", "A request to a 3rd party service timed out", nil},
	}
}

func paramCatalogue() map[clerk.ErrorCode]catalogueEntry {
	address := paramMeta{"email_address"}
	return map[clerk.ErrorCode]catalogueEntry{
		clerk.CodeFormIdentifierExists: {422, textTaken, textTaken, address},
		clerk.CodeFormParamArraySizeExceeded: {
			422, "exceeds maximum size", "email_address should not exceed 10 items.", address,
		},
		clerk.CodeFormParamExceedsAllowedSize: {
			422, "exceeds allowed size", "public_metadata exceeds the allowed size.", paramMeta{"public_metadata"},
		},
		clerk.CodeFormParamFormatInvalid: {
			422, "is invalid", "email_address must be a valid email address.", address,
		},
		clerk.CodeFormParamMaxLengthExceeded: {
			422, "exceeds maximum length", "email_address should not exceed 254 characters.", address,
		},
		clerk.CodeFormParamMissing:     {422, "is missing", "email_address must be included.", address},
		clerk.CodeFormParamNil:         {422, "is nil", "email_address must not be null.", address},
		clerk.CodeFormParamTypeInvalid: {422, "is invalid", "`email_address` must be a `string`.", address},
		clerk.CodeFormParamUnknown: {
			422, "is unknown", "role is not a valid parameter for this request.", paramMeta{"role"},
		},
		clerk.CodeFormParamValueInvalid: {
			422, "is invalid", "expires_in_days is invalid", paramMeta{"expires_in_days"},
		},
		clerk.CodeFormParamValueTooLarge: {
			422, "Value too large", "The value of expires_in_days can't be greater than 365", paramMeta{"expires_in_days"},
		},
	}
}

func accessCatalogue() map[clerk.ErrorCode]catalogueEntry {
	return map[clerk.ErrorCode]catalogueEntry{
		clerk.CodeDevMonthlyEmailLimitExceeded: {
			400, "Development monthly email limit exceeded",
			"The monthly limit for email messages in development (100) has been reached. " +
				"Please use test emails (https://go.clerk.com/test-emails) instead",
			map[string]int{"dev_monthly_email_limit": 100},
		},
		clerk.CodeAuthorizationHeaderFormatInvalid: {
			401, "Invalid Authorization header format",
			"Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'", nil,
		},
		clerk.CodeClerkKeyInvalid: {
			401, "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
			"The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.", nil,
		},
		clerk.CodeActionBlocked: {
			403, "Action blocked", "This action was detected as suspicious and has been blocked. " +
				"If you believe this was a mistake, please contact support.", nil,
		},
		clerk.CodeAuthorizationInvalid: {
			403, "Unauthorized request", "You are not authorized to perform this request", nil,
		},
		clerk.CodeNotAllowedAccess: {
			403, "Access not allowed.", "ada@example.com is not allowed to access this application.",
			map[string][]string{"identifiers": {"ada@example.com"}},
		},
		clerk.CodeQuotaExceeded: {403, "Quota exceeded", "Quota exceeded, you have reached your limit.", nil},
		clerk.CodeUserQuotaExceeded: {
			403, "user quota exceeded", "You have reached your limit of 500 users. ", nil,
		},
		clerk.CodeTooManyRequests: {429, "Too many requests", "Too many requests, retry later", nil},
	}
}
