package transport

import (
	"errors"
	"net/http"
)

// classify returns the class of an attempt.
func (a *Attempt) classify(isWrite bool, sent delivery) Class {
	redelivered := isWrite && sent == deliveredAgain // the response is about the last delivery only
	switch {
	case a.Status == 0 && sent == deliveredNever:
		return NotSent
	case isSuccess(a.Status) && a.Err == nil:
		return Succeeded
	case a.isRateLimited() && !redelivered:
		return RateLimited
	case IsRefusal(a.Status) && !redelivered:
		return Refused
	case isWrite:
		return Ambiguous
	}
	return Failed
}

// isRateLimited reports whether the response says to wait: by its status, its error's code,
// or a Retry-After with a refusal.
func (a *Attempt) isRateLimited() bool {
	return a.Status == http.StatusTooManyRequests || errors.Is(a.Refusal, ErrRateLimited) ||
		IsRefusal(a.Status) && a.Header.Get("Retry-After") != ""
}
