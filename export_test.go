package clerk

import (
	"time"

	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// ClassOf returns the class of an error in words, for tests of package clerk_test.
func ClassOf(err error) string {
	return map[transport.Class]string{
		transport.NoClass: "none", transport.Succeeded: "succeeded", transport.Refused: "refused", transport.RateLimited: "rate limited",
		transport.NotSent: "not sent", transport.Ambiguous: "ambiguous", transport.Failed: "failed",
	}[classOf(err)]
}

// Suspend makes a client's machine look as if it had just been suspended for d.
func Suspend(c *Client, d time.Duration) {
	skew := c.config().skew
	skew.Jumped = func(time.Time) time.Duration { return d }
}
