package clerkriver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
)

func TestConfigThatCannotBeRight(t *testing.T) {
	t.Parallel()
	pool := connect(t, "postgres://nowhere.invalid/")
	for problem, config := range map[string]Config{
		`"Two Words" is not a name for an instance: use a-z and 0-9, with - and _ in between`: {Instance: "Two Words"},
		`"Jobs" is not a name for a queue: use up to 64 of a-z and 0-9`:                       {Queue: "Jobs"},
		"Wake is less than a second":         {Wake: time.Millisecond},
		"Limits has more than 10000 creates": {Limits: clerk.Budget{BulkCreates: 10_001}},
		"a limit is negative":                {Limits: clerk.Budget{Creates: -1, Window: time.Hour}},
		"has neither creates nor bulk":       {Limits: clerk.Budget{BulkCreates: 5}, Budget: clerk.Budget{Window: time.Hour, Creates: 0}},
		"Budget is not a part of Limits: it has 101 creates and 0 bulk creates, of 100 and 25": {Budget: clerk.Budget{Creates: 101}},
		"have different windows": {Budget: clerk.Budget{Creates: 1, Window: time.Minute}},
	} {
		_, err := New(pool, config)
		require.ErrorContains(t, err, problem)
	}
	_, err := New(nil, Config{})
	require.Error(t, err)
	c, err := New(pool, Config{})
	require.NoError(t, err)
	require.Equal(t, clerk.Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}, c.config.Budget)
	require.Equal(t, "clerk_invitations", c.config.Queue)
	require.Error(t, c.Install(nil, nil))
	c, err = New(pool, Config{Instance: "eu"})
	require.NoError(t, err)
	require.Equal(t, "clerk_invitations_eu", c.config.Queue)
}
