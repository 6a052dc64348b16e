package clerk

// An ErrorCode is Clerk's name for an error. Codes that this package does not
// name can appear.
type ErrorCode string

// The codes of Clerk's public error catalogue that operations on invitations can return.
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
