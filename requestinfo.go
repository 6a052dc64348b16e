package clerk

import (
	"context"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A RequestInfo says which call a request belongs to.
type RequestInfo struct {
	// Operation is the request's operation. A lookup after a failed write is an OperationList.
	Operation Operation
	// Route is the method and the path below the base URL, without the values of its
	// parameters, such as "POST /invitations/{invitation_id}/revoke".
	Route string
	// Attempt counts the attempts of the request, from 1.
	Attempt int
}

// RequestInfoFromContext returns the information about a request of this package from its
// context. It is for transports, for example to name spans without the request's URL, whose
// query may contain an address. The second result is false for other requests.
func RequestInfoFromContext(ctx context.Context) (RequestInfo, bool) {
	r, attempt := transport.FromContext(ctx)
	if r == nil {
		return RequestInfo{}, false
	}
	return RequestInfo{Operation: Operation(r.Operation), Route: r.Route(), Attempt: attempt}, true
}

// NotSent reports whether the request with context ctx, for which a transport returned
// err, certainly had no effect: it did not reach the server, or the server did not process
// it. The library classifies its own attempts in the same way: it traces the connections
// of the attempt, and knows failed dials and TLS handshakes, proxies that refuse to
// connect, contexts that end while waiting for a connection, HTTP/2 requests that the
// server reports as not processed, and errors that match [ErrNotSent].
//
// A transport that wraps another calls it inside RoundTrip, after the other one has
// returned, for example to give back a slot of a rate limit. The result is about all
// connections of the attempt so far. It is false if err is nil. For a request that is not
// from this package, connections are not traced, and only err decides.
func NotSent(ctx context.Context, err error) bool { return transport.IsNotSent(ctx, err) }
