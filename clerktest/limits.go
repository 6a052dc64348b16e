package clerktest

import (
	"fmt"
	"time"
)

// RateLimits are the numbers of requests that a [Fake] accepts.
// [ProductionRateLimits] and [DevelopmentRateLimits] return the limits that Clerk documents.
type RateLimits struct {
	// Creates limits the requests that create one invitation.
	Creates Limit
	// Bulks limits the requests that create several invitations.
	Bulks Limit
	// Requests limits all requests together.
	Requests Limit
	// Sliding counts the requests of the last hour (or other Per) at any time.
	// Otherwise the window is fixed: it begins with the first request after the
	// previous window ended. Clerk does not document which kind it has. [Behavior].Windows has
	// more kinds and, if set, overrides Sliding.
	Sliding bool
}

// Validate returns an error if a limit has Requests but no Per.
func (l RateLimits) Validate() error {
	for _, limit := range []Limit{l.Creates, l.Bulks, l.Requests} {
		if limit.Requests < 0 || limit.Per < 0 || limit.Requests > 0 && limit.Per == 0 {
			return fmt.Errorf("clerktest: a limit of %d requests has no duration", limit.Requests)
		}
	}
	return nil
}

// A Limit is a number of requests in a duration. The zero Limit does not limit.
type Limit struct {
	// Requests is the number of requests that are accepted. If only Per is set, none is.
	Requests int
	// Per is the duration of the window.
	Per time.Duration
}

// ProductionRateLimits returns the limits that Clerk's "Rate limits" page states
// for production instances: 100 creates and 25 bulk creates an hour, and 1000
// requests in 10 seconds.
func ProductionRateLimits() RateLimits {
	return RateLimits{
		Creates:  Limit{100, time.Hour},
		Bulks:    Limit{25, time.Hour},
		Requests: Limit{1000, 10 * time.Second},
	}
}

// DevelopmentRateLimits returns the limits for development instances: those for
// production, but 100 requests in 10 seconds.
func DevelopmentRateLimits() RateLimits {
	limits := ProductionRateLimits()
	limits.Requests.Requests = 100
	return limits
}

// A LimitUsage is the usage of one limit.
type LimitUsage struct {
	// Limit is the limit; zero for none.
	Limit Limit
	// Used is the number of requests that count against it now.
	Used int
	// Wait is the time until the next request is accepted; 0 if it is accepted now.
	Wait time.Duration
}

// A RateLimitUsage is the usage of all limits.
type RateLimitUsage struct {
	Creates, Bulks, Requests LimitUsage
}
