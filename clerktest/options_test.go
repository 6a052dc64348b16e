package clerktest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestInvalidConfigurationPanics(t *testing.T) {
	require.Panics(t, func() { clerktest.WithRateLimits(clerktest.RateLimits{Creates: clerktest.Limit{Requests: 1}}) })
	require.Panics(t, func() { clerktest.WithBehavior(clerktest.Behavior{Bulks: "some"}) })
	require.Panics(t, func() { clerktest.New().Fail(clerk.OperationCreate, "drop_after") })
}
