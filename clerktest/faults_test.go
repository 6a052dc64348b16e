package clerktest_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestUnknownFaultsOperationsAndSharesPanic(t *testing.T) {
	fake := clerktest.New()
	for text, set := range map[string]func(){
		`unknown fault "drop_after"`:                    func() { fake.Fail(clerk.OperationCreate, "drop_after") },
		`unknown fault "response"`:                      func() { fake.Fail(clerk.OperationCreate, clerktest.FaultResponse) },
		`unknown operation "Create"`:                    func() { fake.Fail("Create", clerktest.FaultDropAfter) },
		`unknown operation ""`:                          func() { fake.Respond("", clerktest.Response{Status: 500}) },
		"status 99 is not":                              func() { fake.Respond(clerk.OperationCreate, clerktest.Response{Status: 99}) },
		`code "own" is not in`:                          func() { fake.Respond(clerk.OperationCreate, clerktest.Response{Code: "own"}) },
		"negative duration":                             func() { fake.Respond(clerk.OperationCreate, clerktest.Response{Delay: -1}) },
		"share 1.5 is not":                              func() { clerktest.WithFaults(clerktest.FaultMix{Share: 1.5}) },
		"share NaN is not":                              func() { fake.SetFaults(clerktest.FaultMix{Share: math.NaN()}) },
		`"List": the operations are CreateInvitation, `: func() { clerktest.WithFaults(clerktest.FaultMix{Operations: []clerk.Operation{"List"}}) },
		`"slow": the faults are refuse, drop before, `:  func() { clerktest.WithFaults(clerktest.FaultMix{Faults: []clerktest.Fault{"slow"}}) },
		"a limit of 1 requests has no d":                func() { fake.SetRateLimits(clerktest.RateLimits{Bulks: clerktest.Limit{Requests: 1}}) },
	} {
		func() {
			defer func() {
				err, ok := recover().(error)
				require.True(t, ok, text)
				require.ErrorContains(t, err, text)
			}()
			set()
		}()
	}
	require.Empty(t, fake.Planned())
	require.NoError(t, errors.Join(clerktest.Response{}.Validate(), clerktest.FaultMix{}.Validate()))
}
