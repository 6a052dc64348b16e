package clerk

import (
	"math"
	"math/rand/v2"
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

// SeedBackoff makes the waits of a client's calls depend on random alone.
func SeedBackoff(c *Client, random *rand.Rand) {
	b := c.config().retry.Backoff
	c.config().backoff = func(attempt int) time.Duration {
		interval := min(float64(b.MaxInterval), float64(b.InitialInterval)*math.Pow(b.Exponent, float64(attempt-1)))
		return 1 + time.Duration(random.Int64N(max(1, int64(interval))))
	}
}
