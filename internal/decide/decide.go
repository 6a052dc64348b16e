// Package decide chooses the next step for a write that may have been carried out, after a
// lookup, and says whose work the lookup has found. It does no I/O.
package decide

// A Failure says what the failure of a request means for its write.
type Failure uint8

// The failures.
const (
	OutcomeUnknown Failure = iota // it may have been carried out
	NotCarriedOut                 // for a reason outside the request
	Refused                       // the API does not document the reason
	RefusedAsDone                 // the reason may be an earlier request of the write
	RefusedForGood                // the reason cannot be an earlier request of the write
)

// A Finding is the result of a lookup. If there are several, the greatest counts.
type Finding uint8

// The findings. A lookup can find the work of the write itself or of others.
const (
	FoundNothing      Finding = iota // or a part, unless a refusal is about only that part
	FoundOwnPart                     // a part of the write's work; the refusal is only about that
	FoundForeignSoFar                // work of others, which explains a refusal once lists must show all
	FoundForeign                     // work of others, which explains a refusal
	FoundUnclear                     // the clocks differ too much to tell whose work it is
	FoundOwn                         // all of the write's work
	LookupFailed                     // another lookup may succeed
	LookupRefused                    // another lookup would fail as well
)

// A Situation holds everything that a decision depends on.
type Situation struct {
	Last            Failure // of the write's last request
	RetryDuplicates bool    // a retry would create a duplicate if the write was carried out
	Found           Finding // by the last lookup
	Settled         bool    // the lookup came late enough to find all of the write's work
	MayRetry        bool    // the configuration and the limits permit a retry
	WriteFits       bool    // there is time for a retry
	LookupFits      bool    // there is time for another lookup
}

// A Decision says what to do after a lookup.
type Decision uint8

// The decisions.
const (
	ReportUnknown Decision = iota // give up: the outcome stays unknown
	ReturnResult                  // the write was carried out
	ReturnFailure                 // the last request's failure is the write's
	RetryWrite
	LookUpAgain
)

// Next returns what to do in a situation. It retries the write only after a lookup that
// would have found its work, or if the server would refuse a duplicate.
func Next(s Situation) Decision {
	again := ReportUnknown
	if s.LookupFits {
		again = LookUpAgain
	}
	switch {
	case s.Found == FoundOwn:
		return ReturnResult
	case s.Found == LookupFailed:
		return again
	case s.Found == LookupRefused:
		return ReportUnknown
	case s.Last == RefusedForGood:
		return ReturnFailure
	case s.Last == RefusedAsDone && (s.Found == FoundForeign || s.Found == FoundForeignSoFar && s.Settled):
		return ReturnFailure
	case s.Found == FoundUnclear:
		return ReportUnknown
	case s.Last == RefusedAsDone && s.Found != FoundOwnPart:
		return again // the reason for the refusal may show up later
	case s.Settled && (s.Last == NotCarriedOut || !s.MayRetry):
		return ReportUnknown
	case s.Last != NotCarriedOut && s.MayRetry && (s.Settled || !s.RetryDuplicates) && s.WriteFits:
		return RetryWrite
	}
	return again
}
