package transport

import "net/http"

// A Class says what an attempt means for the operation. It is decided here, once for
// each attempt; retrying, reconciling and CreateAll depend on it.
type Class uint8

const (
	// NoClass is the class of an error that was not made by a request.
	NoClass Class = iota
	// Succeeded means that the response is the operation's result.
	Succeeded
	// Refused means that the operation was not carried out, for a reason in the request.
	Refused
	// RateLimited means that the operation was not carried out, for too many requests.
	RateLimited
	// NotSent means that the request certainly did not reach the server.
	NotSent
	// Ambiguous means that a write may have been carried out, or not.
	Ambiguous
	// Failed means that a read failed.
	Failed
)

// A delivery says how often net/http has sent an attempt's request, as far as is known.
type delivery uint8

const (
	deliveredNever delivery = iota // certainly not processed by the server
	deliveredOnce
	deliveredAgain // net/http has retried it on another connection
)

// classify returns the class of an attempt from its response's status, which is 0 if
// there was none, and err, which says why it has no usable response.
func classify(isWrite bool, sent delivery, status int, err error) Class {
	repeated := isWrite && sent == deliveredAgain // the status is of the last delivery only
	switch {
	case status == 0 && sent == deliveredNever:
		return NotSent
	case IsSuccess(status) && err == nil:
		return Succeeded
	case status == http.StatusTooManyRequests && !repeated:
		return RateLimited
	case IsRefusal(status) && !repeated:
		return Refused
	case isWrite:
		return Ambiguous
	}
	return Failed
}

// IsSuccess reports whether a status is a 2xx.
func IsSuccess(status int) bool { return status >= 200 && status < 300 }

// IsRefusal reports whether a status says that the request was not carried out. That is
// any 4xx but 408, which a proxy may send while the server is still at work.
func IsRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}
