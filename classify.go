package clerk

import "net/http"

// A class says what an attempt means for the operation. It is decided here, once for
// each attempt; retrying, reconciling and CreateAll depend on it.
type class uint8

const (
	// classNone is the class of an error that was not made by a request.
	classNone class = iota
	// classSucceeded: the response is the operation's result.
	classSucceeded
	// classRefused: the operation was not carried out, for a reason in the request.
	classRefused
	// classRateLimited: the operation was not carried out, for too many requests.
	classRateLimited
	// classNotSent: the request certainly did not reach the server.
	classNotSent
	// classAmbiguous: a write may have been carried out, or not.
	classAmbiguous
	// classFailed: a read failed.
	classFailed
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
func classify(isWrite bool, sent delivery, status int, err error) class {
	repeated := isWrite && sent == deliveredAgain // the status is of the last delivery only
	switch {
	case status == 0 && sent == deliveredNever:
		return classNotSent
	case isSuccess(status) && err == nil:
		return classSucceeded
	case status == http.StatusTooManyRequests && !repeated:
		return classRateLimited
	case isRefusal(status) && !repeated:
		return classRefused
	case isWrite:
		return classAmbiguous
	}
	return classFailed
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// isRefusal reports whether a status says that the request was not carried out. That is
// any 4xx but 408, which a proxy may send while the server is still at work.
func isRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}
