package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// writeError answers with the status of an error.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	if status >= http.StatusInternalServerError {
		slog.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "error", err) // shows no address
	}
	if meta, ok := clerk.MetaFromError(err); ok && meta.RetryAfter > 0 {
		seconds := (meta.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	http.Error(w, http.StatusText(status), status)
}

// statusOf returns the HTTP status for an error of a call. An error can match several
// sentinels. ErrOutcomeUnknown, after which nothing is certain, comes first.
func statusOf(err error) int {
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown): // possibly invited: another try then gets 409
		return http.StatusGatewayTimeout // or 202, if the service looks it up later
	case errors.Is(err, clerk.ErrRateLimited): // certainly not invited
		return http.StatusTooManyRequests
	case errors.Is(err, clerk.ErrNotSent): // certainly not invited
		return http.StatusServiceUnavailable
	case errors.Is(err, clerk.ErrDuplicateInvitation), errors.Is(err, clerk.ErrUserExists),
		errors.Is(err, clerk.ErrAlreadyRevoked), errors.Is(err, clerk.ErrAlreadyAccepted):
		return http.StatusConflict
	case errors.Is(err, clerk.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, clerk.ErrInvalidRequest) && isCallers(err):
		return http.StatusUnprocessableEntity
	case errors.Is(err, clerk.ErrInvalidRequest): // such as a redirect URL: this service's mistake
		return http.StatusInternalServerError
	case errors.Is(err, clerk.ErrUnauthorized): // this service's key, not the caller's
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusGatewayTimeout
	}
	return http.StatusServiceUnavailable // such as an answer that is not Clerk's
}

// isCallers reports whether err, an ErrInvalidRequest, is about what the caller has sent. Clerk
// need not name a parameter. Then it most likely is: the rest of a request does not vary.
func isCallers(err error) bool {
	var field string
	if input, ok := errors.AsType[*clerk.InputError](err); ok { // the library found it
		field = input.Field
	} else if refused, ok := errors.AsType[*clerk.ClerkErrors](err); ok { // Clerk did
		field = refused.Errors[0].ParamName()
	}
	return slices.Contains([]string{"", "email_address", "invitation_id"}, field)
}
