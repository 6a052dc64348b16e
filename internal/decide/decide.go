// Package decide says what to do about a write whose outcome is unknown, once it has been
// looked up. It does no I/O.
package decide

// A Failure says what the failure of a write's last request means for the write.
type Failure uint8

// The failures.
const (
	OutcomeUnknown Failure = iota // it may have been carried out
	NotCarriedOut                 // for a reason that is not in the request
	Refused                       // for an undocumented reason
	RefusedForOwn                 // perhaps for an earlier request of the same write
	RefusedForGood                // for a reason that no earlier request can be
)

// A Finding is the result of a lookup. Of two findings the greater one counts.
type Finding uint8

// The findings: the write's own work, or that of others.
const (
	FoundNothing  Finding = iota // or a part of the own work that explains no refusal
	FoundPart                    // of the own work, which explains a refusal
	FoundOlder                   // work of others, which may explain a refusal
	FoundOther                   // work of others, which explains a refusal
	FoundUnclear                 // own work or that of others: the clocks differ
	FoundAll                     // of the own work
	LookupFailed                 // and may succeed later
	LookupRefused                // and would be again
)

// A Situation is what a decision depends on.
type Situation struct {
	Last       Failure // of the write's requests
	Ambiguous  bool    // an earlier request may have been carried out
	InParts    bool    // a refused request may have been carried out in part
	Duplicates bool    // a retry would be carried out a second time
	Found      Finding // by the last lookup
	Settled    bool    // the write's work would have been found
	MayRetry   bool    // the configuration and the limits permit it
	WriteFits  bool    // there is time for another request of the write
	LookupFits bool    // there is time for another lookup
}

// A Decision is what to do after a lookup.
type Decision uint8

// The decisions.
const (
	ReportUnknown Decision = iota
	ReturnResult
	ReturnFailure
	RetryWrite
	LookUpAgain
)

// Next returns what to do after a lookup.
func Next(s Situation) Decision {
	again := ReportUnknown
	if s.LookupFits {
		again = LookUpAgain
	}
	isRefusal := s.Last >= Refused
	switch {
	case s.Found == FoundAll:
		return ReturnResult
	case s.Found == LookupFailed:
		return again
	case s.Found == LookupRefused:
		return ReportUnknown
	case isRefusal && !s.Ambiguous, s.Last == RefusedForGood:
		if s.InParts && s.Duplicates && !s.Settled {
			return again // a part would be duplicated later, and may not be listed yet
		}
		return ReturnFailure
	case s.Last == RefusedForOwn && (s.Found == FoundOther || s.Found == FoundOlder && s.Settled):
		return ReturnFailure
	case s.Found == FoundUnclear:
		return ReportUnknown
	case s.Last == RefusedForOwn && s.Found != FoundPart:
		return again // the reason for the refusal may be listed later
	case s.Last == NotCarriedOut, !s.MayRetry && s.Settled:
		return ReportUnknown
	case s.MayRetry && (s.Settled || !s.Duplicates) && s.WriteFits:
		return RetryWrite
	}
	return again
}
