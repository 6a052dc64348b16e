package clerktest

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// errRoute returns the refusal of a path or method that the API does not have.
func errRoute(r *http.Request) *apiError {
	text := fmt.Sprintf("Not Found: the fake has no %s %s.", r.Method, r.URL.Path)
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		text += " Its operations are under /v1/invitations: the base URL ends in /v1."
		return &apiError{status: http.StatusNotFound, text: text}
	}
	return known(clerk.CodeResourceNotFound).withText("%s", text)
}

// errStore returns the refusal of a request whose changes could not be stored.
func errStore(err error) *apiError {
	return known(clerk.CodeInternalClerkError).withText("%s", strings.TrimPrefix(err.Error(), "clerktest: "))
}

func errAPIVersion(version string) *apiError {
	return known(clerk.CodeAPIVersionInvalid).withText("Invalid Clerk API version: %s does not exist", version)
}

func errContentType(got string) *apiError {
	return known(clerk.CodeUnsupportedContentType).
		withText("Content-Type %s is unsupported. You should use application/json instead.", got)
}

func errTooManyRequests(retryAfter time.Duration) *apiError {
	refusal := known(clerk.CodeTooManyRequests)
	refusal.retryAfter = retryAfter
	return refusal
}

func errInvitationID(id string) *apiError {
	return known(clerk.CodeResourceNotFound).withText("No invitation was found with id %s.", id)
}

func errDuplicates(addresses []string) *apiError {
	refusal := known(clerk.CodeDuplicateRecord).withText(
		"There are already pending invitations for the following email addresses: %s", strings.Join(addresses, ", "))
	refusal.errors[0].Meta = map[string][]string{"email_addresses": addresses}
	return refusal
}
