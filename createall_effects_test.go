package clerk

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// TestEffectOf has a row for each kind of failure that a run may meet.
func TestEffectOf(t *testing.T) {
	code := func(c ErrorCode) *ClerkErrors {
		return &ClerkErrors{Errors: []ClerkError{{Code: c}}, class: classRefused}
	}
	// wrapped is an error that is not Clerk's documented one, about a response with a status.
	wrapped := func(c class, status int, err error) error {
		return &SDKError{ResponseMeta: ResponseMeta{StatusCode: status}, class: c, Err: err}
	}
	for name, test := range map[string]struct {
		failure error
		effect  effect
		outcome Outcome
	}{
		"duplicate_record":                       {code(CodeDuplicateRecord), rejectsItems, OutcomeAlreadyInvited},
		"duplicate_record, another status":       {wrapped(classRefused, 409, code(CodeDuplicateRecord)), rejectsItems, OutcomeAlreadyInvited},
		"form_identifier_exists":                 {code(CodeFormIdentifierExists), rejectsItems, OutcomeUserExists},
		"another documented refusal":             {code("something_new"), rejectsItems, OutcomeRejected},
		"not_allowed_access":                     {wrapped(classRefused, 403, code(CodeNotAllowedAccess)), rejectsItems, OutcomeRejected},
		"400 without an envelope":                {wrapped(classRefused, 400, nil), rejectsItems, OutcomeRejected},
		"413":                                    {wrapped(classRefused, 413, nil), rejectsItems, OutcomeRejected},
		"422 without an envelope":                {wrapped(classRefused, 422, nil), rejectsItems, OutcomeRejected},
		"an invalid key":                         {wrapped(classRefused, 401, nil), endsRun, 0},
		"quota_exceeded":                         {wrapped(classRefused, 403, code(CodeQuotaExceeded)), endsRun, 0},
		"user_quota_exceeded":                    {code(CodeUserQuotaExceeded), endsRun, 0},
		"dev_monthly_email_limit_exceeded":       {code(CodeDevMonthlyEmailLimitExceeded), endsRun, 0},
		"403 without an envelope":                {wrapped(classRefused, 403, nil), unexplained, 0},
		"404 without an envelope":                {wrapped(classRefused, 404, nil), unexplained, 0},
		"a conflict":                             {wrapped(classRefused, 409, code(CodeConflict)), mayPass, 0},
		"a locked resource":                      {wrapped(classRefused, 409, code(CodeResourceLocked)), mayPass, 0},
		"a refusal that is cut off":              {wrapped(classRefused, 422, transport.ErrCutOff), mayPass, 0},
		"a rate limit":                           {wrapped(classRateLimited, 429, nil), mayPass, 0},
		"a failed connection":                    {wrapped(classNotSent, 0, &net.OpError{Op: "dial", Err: errors.New("refused")}), mayPass, 0},
		"an untrusted certificate":               {wrapped(classNotSent, 0, &tls.CertificateVerificationError{}), endsRun, 0},
		"an unusable key":                        {wrapped(classNotSent, 0, errUnusableKey), endsRun, 0},
		"an ambiguous failure":                   {wrapped(classAmbiguous, 502, nil), mayPass, 0},
		"an ambiguous failure, no response":      {wrapped(classAmbiguous, 0, errors.New("reset")), mayPass, 0},
		"ambiguous, and then a rate limit":       {wrapped(classAmbiguous, 429, nil), mayPass, 0},
		"ambiguous, and then a conflict":         {wrapped(classAmbiguous, 409, code(CodeConflict)), mayPass, 0},
		"ambiguous, and then a refusal":          {wrapped(classAmbiguous, 422, code(CodeDuplicateRecord)), mayPass, 0},
		"ambiguous, and then an invalid key":     {wrapped(classAmbiguous, 401, nil), endsRun, 0},
		"ambiguous, and then a quota":            {wrapped(classAmbiguous, 403, code(CodeQuotaExceeded)), endsRun, 0},
		"ambiguous, and then not_allowed_access": {wrapped(classAmbiguous, 403, code(CodeNotAllowedAccess)), mayPass, 0},
		"ambiguous, and then 403":                {wrapped(classAmbiguous, 403, nil), endsRun, 0},
		"ambiguous, and then 422":                {wrapped(classAmbiguous, 422, nil), endsRun, 0},
		"a lookup with an invalid key":           {&SDKError{class: classAmbiguous, lookup: wrapped(classRefused, 401, nil)}, endsRun, 0},
		"lookups without a date":                 {&SDKError{class: classAmbiguous, lookup: errNoDate}, endsRun, 0},
		"a lookup that failed for the moment":    {&SDKError{class: classAmbiguous, lookup: wrapped(classFailed, 503, nil)}, mayPass, 0},
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
