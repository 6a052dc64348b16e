package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestAccessLogShowsErrorsAndNoAddresses(t *testing.T) {
	p := start(t, "-faults", "1:drop before,error after")
	for range 10 {
		_, err := p.client.Invitations.List(t.Context(), clerk.ListInvitationsRequest{Query: "ada@example.com"},
			clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone}))
		require.Error(t, err)
	}
	p.kill(t)
	require.Contains(t, p.log.String(), " broken\n")
	require.Contains(t, p.log.String(), " 500 internal_clerk_error\n")
	require.NotContains(t, p.log.String(), "ada")

	quiet := start(t, "-quiet")
	quiet.invite(t, "ada@example.com")
	quiet.kill(t)
	require.Empty(t, quiet.log.String())
}
