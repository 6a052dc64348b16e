package fakeserver

import (
	"fmt"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// presets are the names that Limits accepts.
var presets = []string{"off", "development", "production"}

// Limits returns the rate limits with a name: those that Clerk documents for
// "development" and "production", or "off".
func Limits(name string) (clerktest.RateLimits, error) {
	switch name {
	case "off":
		return clerktest.RateLimits{}, nil
	case "development":
		return clerktest.DevelopmentRateLimits(), nil
	case "production":
		return clerktest.ProductionRateLimits(), nil
	}
	return clerktest.RateLimits{}, fmt.Errorf("limits %q is none of off, development, production", name)
}
