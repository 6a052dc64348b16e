package clerk

import (
	"errors"
	"net/http"
	"slices"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// An effect is what a failure means for a run.
type effect uint8

const (
	rejectsItems effect = iota // one of the batch, or all
	mayPass                    // the items are sent again later
	unexplained                // the same, unless it happens again and again
	endsRun                    // every request would fail
)

// maxUnexplained is how many requests in a row may be refused without an explanation, as
// by a proxy or a wrong base URL, before they end the run.
const maxUnexplained = 5

// effectOf returns the effect of a failure, and the outcome of the item that is its
// reason.
func effectOf(failure error) (effect, Outcome) {
	class, isClerks := classOf(failure), isDefinite(failure)
	var status int
	if m := metaOf(failure); m != nil {
		status = m.StatusCode
	}
	locked := hasCode(failure, CodeConflict, CodeResourceLocked)
	switch {
	case errors.Is(failure, ErrUnauthorized), lookupEnds(failure) != nil, hasCode(failure, instanceCodes...):
		return endsRun, 0
	case class == classAmbiguous:
		return ambiguousEffect(failure, status, locked), 0
	case class == classRateLimited, locked, errors.Is(failure, transport.ErrCutOff):
		return mayPass, 0
	case errors.Is(failure, ErrDuplicateInvitation):
		return rejectsItems, OutcomeAlreadyInvited
	case errors.Is(failure, ErrUserExists):
		return rejectsItems, OutcomeUserExists
	case isClerks, slices.Contains(aboutItems, status):
		return rejectsItems, OutcomeRejected
	case class == classNotSent && !transport.IsUntrusted(failure) && !errors.Is(failure, errUnusableKey):
		return mayPass, 0
	case class == classRefused:
		return unexplained, 0
	}
	return endsRun, 0
}

// lookupEnds returns the failure of a lookup if it would fail again; nil otherwise.
func lookupEnds(failure error) error {
	sdk, ok := errors.AsType[*SDKError](failure)
	if ok && (errors.Is(sdk.lookup, ErrUnauthorized) || errors.Is(sdk.lookup, errNoDate)) {
		return sdk.lookup
	}
	return nil
}

// ambiguousEffect returns the effect of an unknown outcome. A refusal with an undocumented
// status ends the run, because a retry would be refused, too.
func ambiguousEffect(failure error, status int, locked bool) effect {
	_, readable := errors.AsType[*ClerkErrors](failure)
	switch {
	case !isRefusal(status), status == http.StatusTooManyRequests, errors.Is(failure, transport.ErrCutOff), locked,
		hasCode(failure, CodeNotAllowedAccess), readable && slices.Contains(aboutItems, status):
		return mayPass
	}
	return endsRun
}

// instanceCodes are about the instance, not about one request.
var instanceCodes = []ErrorCode{
	CodeAPIVersionInvalid, CodeDevMonthlyEmailLimitExceeded, CodeInvitationsNotSupported, CodeQuotaExceeded, CodeUserQuotaExceeded,
}

// aboutItems are the statuses that are about what was sent, also without Clerk's
// envelope.
var aboutItems = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}

// named returns the addresses that a refusal names, and the outcome of each.
func named(refusal error) map[addressKey]Outcome {
	about := map[addressKey]Outcome{}
	if refused, ok := errors.AsType[*ClerkErrors](refusal); ok {
		for _, one := range refused.Errors {
			_, outcome := effectOf(&ClerkErrors{Errors: []ClerkError{one}, class: classRefused})
			for _, address := range one.EmailAddresses() {
				about[keyOf(address)] = outcome
			}
		}
	}
	return about
}
