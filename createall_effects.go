package clerk

import (
	"errors"
	"net/http"
	"slices"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/search"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// An effect says what a failure means for a run.
type effect uint8

const (
	rejectsItems effect = iota // the items it names, the only one or, with OutcomeUnknown, all
	mayPass                    // the items are sent again later
	unexplained                // the same, unless it happens again and again, as with a wrong base URL
	endsRun                    // every request would fail
)

// effectOf returns the effect of a failure, and the outcome of the item that is its reason.
func effectOf(failure error) (effect, Outcome) {
	class := classOf(failure)
	meta, _ := MetaFromError(failure)
	_, hasEnvelope := errors.AsType[*ClerkErrors](failure)
	sdk, _ := errors.AsType[*SDKError](failure)
	isAboutItems := slices.Contains( // even without Clerk's envelope
		[]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, meta.StatusCode)
	isExplained := hasEnvelope && isAboutItems || hasCode(failure, CodeNotAllowedAccess)
	passes := errors.Is(failure, ErrRateLimited) || errors.Is(failure, transport.ErrCutOff) ||
		hasCode(failure, CodeConflict, CodeResourceLocked)
	switch {
	case errors.Is(failure, ErrUnauthorized), lookupEnds(failure) != nil, hasCode(failure, instanceCodes...):
		return endsRun, 0
	case errors.Is(failure, errOtherAddress), sdk != nil && errors.Is(sdk.lookupErr, search.ErrSpelled):
		return rejectsItems, OutcomeUnknown
	case passes:
		return mayPass, 0
	case class == transport.Ambiguous && transport.IsRefusal(meta.StatusCode) && !isExplained && sdk.lookupErr == nil:
		return endsRun, 0 // a retry was refused with an undocumented status, and would be again
	case class == transport.Ambiguous:
		return mayPass, 0
	case errors.Is(failure, ErrDuplicateInvitation):
		return rejectsItems, OutcomeAlreadyInvited
	case errors.Is(failure, ErrUserExists):
		return rejectsItems, OutcomeUserExists
	case isDefinite(failure), isAboutItems:
		return rejectsItems, OutcomeRejected
	case class == transport.NotSent && !transport.IsPermanent(failure) && !errors.Is(failure, transport.ErrUnusableKey):
		return mayPass, 0
	case class == transport.Refused:
		return unexplained, 0
	}
	return endsRun, 0
}

// lookupEnds returns the failure of a lookup if it would fail again; nil otherwise.
func lookupEnds(failure error) error {
	sdk, ok := errors.AsType[*SDKError](failure)
	if ok && (errors.Is(sdk.lookupErr, ErrUnauthorized) || errors.Is(sdk.lookupErr, search.ErrNoDate)) {
		return sdk.lookupErr
	}
	return nil
}

// instanceCodes are about the instance, not about one request.
var instanceCodes = []ErrorCode{
	CodeAPIVersionInvalid, CodeDevMonthlyEmailLimitExceeded, CodeInvitationsNotSupported, CodeQuotaExceeded, CodeUserQuotaExceeded,
}

// named returns the addresses that a refusal names, and the outcome of each.
func named(refusal error) map[addresses.Key]Outcome {
	about := map[addresses.Key]Outcome{}
	if refused, ok := errors.AsType[*ClerkErrors](refusal); ok {
		for _, one := range refused.Errors {
			_, outcome := effectOf(&ClerkErrors{Errors: []ClerkError{one}, class: transport.Refused})
			for _, address := range one.EmailAddresses() {
				about[addresses.KeyOf(address)] = outcome
			}
		}
	}
	return about
}
