package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client()
		require.NoError(t, err)
		_, err = client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{EmailAddress: "alan@example.com"})
		require.NoError(t, err)
		code, printed, report := importPeople(t.Context(), t, fake, sample, "-dry-run")
		require.Equal(t, exitRefused, code)
		require.Equal(t, []string{"2", "ada@example.com", "would be invited", "", ""}, report[0])
		require.Contains(t, printed, "6 lines: 2 would be invited, 1 already invited, 1 repeated, 2 refused\n")
		require.Len(t, fake.Invitations(), 1)

		var many strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&many, "guest%d@example.com\n", i)
		}
		code, printed, _ = importPeople(t.Context(), t, fake, many.String(), "-dry-run")
		require.Zero(t, code)
		require.Contains(t, printed, "Inviting them takes about 2 hours, at 340 an hour.\n")
		require.Len(t, fake.Invitations(), 1)
	})
}

// TestDryRunWarnsOfUnusualAddresses, but does not refuse them.
func TestDryRunWarnsOfUnusualAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const input = "ada@example.com\nada@example..com\nada@example..com\nmailto:alan@example.com\nbroken\n"
		_, printed, report := importPeople(t.Context(), t, clerktest.New(), input, "-dry-run")
		require.Equal(t, [][]string{
			{"1", "ada@example.com", "would be invited", "", ""},
			{"2", "ada@example..com", "would be invited", "", "the address looks unusual and is most likely refused"},
			{"3", "ada@example..com", "repeated", "", "the same address as in line 2"},
			{"4", "alan@example.com", "would be invited", "", ""},
			{"5", "broken", "refused", "", "the address has no @"},
		}, report)
		const warning = "1 address looks unusual and is most likely refused: see the report.\n"
		require.Contains(t, printed, "5 lines: 3 would be invited, 1 repeated, 1 refused\n"+warning)

		code, printed, _ := importPeople(t.Context(), t, clerktest.New(), "ada@example..com\nada@example\n", "-dry-run")
		require.Zero(t, code)
		require.Contains(t, printed, "2 addresses look unusual and are most likely refused: see the report.\n")

		_, printed, _ = importPeople(t.Context(), t, clerktest.New(), input)
		require.NotContains(t, printed, "unusual", "Clerk has decided")
	})
}

// TestDryRunKeepsMetadata: a dry run returns the metadata of the requests, so that it does not
// report it as lost.
func TestDryRunKeepsMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		input := "email_address,team\nada@example.com,engines\nalan@example.com,logic\n"
		for _, flags := range [][]string{{"-metadata=team"}, {"-metadata=team", "-one-by-one"}} {
			code, _, report := importPeople(t.Context(), t, clerktest.New(), input, append(flags, "-dry-run")...)
			require.Zero(t, code)
			require.Len(t, report, 2)
			for _, line := range report {
				require.Equal(t, []string{"would be invited", "", ""}, line[2:])
			}
		}
	})
}
