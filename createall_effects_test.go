package clerk

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/search"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A lastingError is an error of a transport that a retry would meet again.
type lastingError struct{}

func (lastingError) Error() string   { return "the breaker is open" }
func (lastingError) Permanent() bool { return true }

// The table has a row for each kind of failure that a run may meet.
func TestEffectOf(t *testing.T) {
	code := func(c ErrorCode) *ClerkErrors {
		return &ClerkErrors{Errors: []ClerkError{{Code: c}}, class: transport.Refused}
	}
	// wrapped returns an error other than a documented refusal, about a response with a
	// status.
	wrapped := func(c transport.Class, status int, err error) error {
		return &SDKError{ResponseMeta: ResponseMeta{StatusCode: status}, class: c, Err: err}
	}
	for name, test := range map[string]struct {
		failure error
		effect  effect
		outcome Outcome
	}{
		"duplicate_record":                       {code(CodeDuplicateRecord), rejectsItems, OutcomeAlreadyInvited},
		"duplicate_record, another status":       {wrapped(transport.Refused, 409, code(CodeDuplicateRecord)), rejectsItems, OutcomeAlreadyInvited},
		"form_identifier_exists":                 {code(CodeFormIdentifierExists), rejectsItems, OutcomeUserExists},
		"another documented refusal":             {code("something_new"), rejectsItems, OutcomeRejected},
		"not_allowed_access":                     {wrapped(transport.Refused, 403, code(CodeNotAllowedAccess)), rejectsItems, OutcomeRejected},
		"400 without an envelope":                {wrapped(transport.Refused, 400, nil), rejectsItems, OutcomeRejected},
		"413":                                    {wrapped(transport.Refused, 413, nil), rejectsItems, OutcomeRejected},
		"422 without an envelope":                {wrapped(transport.Refused, 422, nil), rejectsItems, OutcomeRejected},
		"an invalid key":                         {wrapped(transport.Refused, 401, nil), endsRun, 0},
		"quota_exceeded":                         {wrapped(transport.Refused, 403, code(CodeQuotaExceeded)), endsRun, 0},
		"user_quota_exceeded":                    {code(CodeUserQuotaExceeded), endsRun, 0},
		"dev_monthly_email_limit_exceeded":       {code(CodeDevMonthlyEmailLimitExceeded), endsRun, 0},
		"403 without an envelope":                {wrapped(transport.Refused, 403, nil), unexplained, 0},
		"404 without an envelope":                {wrapped(transport.Refused, 404, nil), unexplained, 0},
		"a conflict":                             {wrapped(transport.Refused, 409, code(CodeConflict)), mayPass, 0},
		"a locked resource":                      {wrapped(transport.Refused, 409, code(CodeResourceLocked)), mayPass, 0},
		"a refusal that is cut off":              {wrapped(transport.Refused, 422, transport.ErrCutOff), mayPass, 0},
		"a rate limit":                           {wrapped(transport.RateLimited, 429, nil), mayPass, 0},
		"a rate limit, status 400":               {&ClerkErrors{Errors: []ClerkError{{Code: CodeTooManyRequests}}, class: transport.RateLimited}, mayPass, 0},
		"a rate limit with another status":       {wrapped(transport.RateLimited, 422, code(CodeTooManyRequests)), mayPass, 0},
		"a 403 with a Retry-After":               {wrapped(transport.RateLimited, 403, nil), mayPass, 0},
		"a failed connection":                    {wrapped(transport.NotSent, 0, &net.OpError{Op: "dial", Err: errors.New("refused")}), mayPass, 0},
		"an untrusted certificate":               {wrapped(transport.NotSent, 0, &tls.CertificateVerificationError{}), endsRun, 0},
		"a transport that sends nothing":         {wrapped(transport.NotSent, 0, transport.ErrNotSent), mayPass, 0},
		"and for good":                           {wrapped(transport.NotSent, 0, fmt.Errorf("%w: %w", transport.ErrNotSent, lastingError{})), endsRun, 0},
		"an unusable key":                        {wrapped(transport.NotSent, 0, transport.ErrUnusableKey), endsRun, 0},
		"an ambiguous failure":                   {wrapped(transport.Ambiguous, 502, nil), mayPass, 0},
		"an ambiguous failure, no response":      {wrapped(transport.Ambiguous, 0, errors.New("reset")), mayPass, 0},
		"ambiguous, and then a rate limit":       {wrapped(transport.Ambiguous, 429, nil), mayPass, 0},
		"ambiguous, and then a conflict":         {wrapped(transport.Ambiguous, 409, code(CodeConflict)), mayPass, 0},
		"ambiguous, and then a refusal":          {wrapped(transport.Ambiguous, 422, code(CodeDuplicateRecord)), mayPass, 0},
		"ambiguous, and then an invalid key":     {wrapped(transport.Ambiguous, 401, nil), endsRun, 0},
		"ambiguous, and then a quota":            {wrapped(transport.Ambiguous, 403, code(CodeQuotaExceeded)), endsRun, 0},
		"ambiguous, and then not_allowed_access": {wrapped(transport.Ambiguous, 403, code(CodeNotAllowedAccess)), mayPass, 0},
		"ambiguous, and then 403":                {wrapped(transport.Ambiguous, 403, nil), endsRun, 0},
		"ambiguous, and then 422":                {wrapped(transport.Ambiguous, 422, nil), endsRun, 0},
		"a lookup with an invalid key":           {&SDKError{class: transport.Ambiguous, lookupErr: wrapped(transport.Refused, 401, nil)}, endsRun, 0},
		"lookups without a date":                 {&SDKError{class: transport.Ambiguous, lookupErr: search.ErrNoDate}, endsRun, 0},
		"a lookup that failed for the moment":    {&SDKError{class: transport.Ambiguous, lookupErr: wrapped(transport.Failed, 503, nil)}, mayPass, 0},
	} {
		t.Run(name, func(t *testing.T) {
			effect, outcome := effectOf(test.failure)
			require.Equal(t, test.effect, effect)
			require.Equal(t, test.outcome, outcome)
		})
	}
}

func TestNamedReturnsTheOutcomeOfEachAddress(t *testing.T) {
	refusal := &ClerkErrors{Errors: []ClerkError{
		{Code: CodeDuplicateRecord, Meta: []byte(`{"email_addresses":["ada@example.com","GRACE@example.com"]}`)},
		{Code: CodeNotAllowedAccess, Meta: []byte(`{"identifiers":["alan@example.com"]}`)},
		{Code: CodeFormParamMissing, Meta: []byte(`{"param_name":"email_address"}`)},
	}}
	require.Equal(t, map[addresses.Key]Outcome{
		addresses.KeyOf("ada@example.com"): OutcomeAlreadyInvited, addresses.KeyOf("grace@example.com"): OutcomeAlreadyInvited,
		addresses.KeyOf("alan@example.com"): OutcomeRejected,
	}, named(refusal))
	require.Equal(t, named(refusal), named(&SDKError{Err: refusal}))
	require.Empty(t, named(errors.New("other")))
}
