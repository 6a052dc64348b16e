package clerk

import (
	"context"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// A RequestInfo says which call a request belongs to.
type RequestInfo struct {
	// Operation is the request's operation. A lookup after a failed write is an
	// OperationList.
	Operation Operation
	// Route is the method and the path below the base URL, without the values of its
	// parameters, such as "POST /invitations/{invitation_id}/revoke".
	Route string
	// Attempt counts the attempts of the request, from 1.
	Attempt int
}

// RequestInfoFromContext returns the information about a request of this package from
// its context. It is for transports, for example to name spans without the request's
// URL, whose query may contain an address. The second result is false for other
// requests.
func RequestInfoFromContext(ctx context.Context) (RequestInfo, bool) {
	r, attempt := transport.FromContext(ctx)
	if r == nil {
		return RequestInfo{}, false
	}
	return RequestInfo{Operation: Operation(r.Operation), Route: r.Route(), Attempt: attempt}, true
}
