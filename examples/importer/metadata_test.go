package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// TestOtherMetadataIsReported: a run is resumed with other columns.
func TestOtherMetadataIsReported(t *testing.T) {
	for _, behavior := range []clerktest.Behavior{{}, {NullMetadata: true}} {
		synctest.Test(t, func(t *testing.T) {
			const begun = "email,team,role\nada@example.com,engines,author\nalan@example.com,logic,\nhedy@example.com,,\n"
			const input = begun + "ADA@example.com,engines,author\ngrace@example.com,compilers,author\n"
			const problem = "the earlier invitation has other metadata, and keeps it"
			fake := clerktest.New(clerktest.WithBehavior(behavior))
			code, _, _ := importPeople(t.Context(), t, fake, begun, "-metadata", "team")
			require.Zero(t, code)
			require.NoError(t, fake.Accept(fake.Invitations()[1].ID))

			for _, test := range []struct{ flag, outcome string }{
				{"-dry-run", "would be invited"}, {"-notify", "invited"}, {"-notify", "already invited"},
			} {
				code, printed, report := importPeople(t.Context(), t, fake, input, "-metadata", "team,role", test.flag)
				require.Zero(t, code)
				require.Equal(t, test.outcome, report[4][2])
				require.Contains(t, printed, "\n1 address has an earlier invitation with other metadata than in this run, and keeps it: see the report.\n")
				require.Equal(t, []string{problem, "", "", "the same address as in line 2", ""},
					[]string{report[0][4], report[1][4], report[2][4], report[3][4], report[4][4]})
			}
			_, printed, _ := importPeople(t.Context(), t, fake, begun, "-metadata", "team")
			require.NotContains(t, printed, "other metadata")
			_, printed, report := importPeople(t.Context(), t, fake, begun)
			require.Contains(t, printed, "\n2 addresses have earlier invitations with other metadata than in this run, and keep it: see the report.\n")
			require.Equal(t, []string{problem, problem, ""}, []string{report[0][4], report[1][4], report[2][4]})
		})
	}
}

// TestMetadataThatCannotBeReadFailsNoRun, and a first run does not read it.
func TestMetadataThatCannotBeReadFailsNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		_, printed, _ := importPeople(t.Context(), t, fake, "ada@example.com\n")
		require.NotContains(t, printed, "metadata")
		require.Len(t, fake.Requests(), 2, "a list and a create")

		fake.Fail(clerk.OperationList, "") // the list of the run succeeds
		fake.Respond(clerk.OperationList, clerktest.Response{Code: clerk.CodeClerkKeyInvalid})
		code, printed, _ := importPeople(t.Context(), t, fake, "ada@example.com\n")
		require.Zero(t, code)
		require.Contains(t, printed, "1 line: 1 already invited\nNote: the metadata of earlier invitations could not be read: Clerk does not accept")
	})
}
