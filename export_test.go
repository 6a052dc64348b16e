package clerk

import "github.com/clerk-invitations/clerk-go/internal/transport"

// ClassOf returns the class of an error in words, for tests of package clerk_test.
func ClassOf(err error) string {
	return map[transport.Class]string{
		transport.NoClass: "none", transport.Succeeded: "succeeded", transport.Refused: "refused", transport.RateLimited: "rate limited",
		transport.NotSent: "not sent", transport.Ambiguous: "ambiguous", transport.Failed: "failed",
	}[classOf(err)]
}
