package transport

import (
	"errors"
	"net/http"
)

// A Class says what the result of an attempt means for the operation. Each attempt is
// classified once; retries, reconciliation and CreateAll depend on it.
type Class uint8

const (
	// NoClass is the class of an error that no request caused.
	NoClass Class = iota
	// Succeeded means that the response contains the operation's result.
	Succeeded
	// Refused means that the server did not carry out the operation, for a reason in the
	// request.
	Refused
	// RateLimited means that the server did not carry out the operation because of too many
	// requests, and asks to wait.
	RateLimited
	// NotSent means that the server certainly did not process the request.
	NotSent
	// Ambiguous means that a write may or may not have been carried out.
	Ambiguous
	// Failed means that a read failed.
	Failed
)

// A delivery says how often net/http has sent the request of an attempt, as far as is known.
type delivery uint8

const (
	deliveredNever delivery = iota // not sent, or certainly not processed by the server
	deliveredOnce
	deliveredAgain // net/http has retried it on another connection
)

// ErrRateLimited means that a server refused a request because of too many requests.
// Refusals from Config.Refusal match it.
var ErrRateLimited = errors.New("clerk: too many requests")

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// IsRefusal reports whether a status means that the request was not carried out: any 4xx
// except 408, which a proxy may send while the server is still processing the request.
func IsRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}
