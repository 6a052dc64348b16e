package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
				require.Contains(t, printed, "Note: 1 address has an earlier invitation with other metadata than in this run, and keeps it: the report marks it.\n")
				require.Equal(t, []string{problem, "", "", "the same address as in line 2", ""},
					[]string{report[0][4], report[1][4], report[2][4], report[3][4], report[4][4]})
			}
			_, printed, _ := importPeople(t.Context(), t, fake, begun, "-metadata", "team")
			require.NotContains(t, printed, "other metadata")
			_, printed, report := importPeople(t.Context(), t, fake, begun)
			require.Contains(t, printed, "Note: 2 addresses have earlier invitations with other metadata than in this run, and keep it: the report marks them.\n")
			require.Equal(t, []string{problem, problem, ""}, []string{report[0][4], report[1][4], report[2][4]})
		})
	}
}

// TestOtherMetadataIsReportedBeforeAnybodyIsInvited, as a long run may be stopped.
func TestOtherMetadataIsReportedBeforeAnybodyIsInvited(t *testing.T) {
	const note = "\nNote: 30 addresses have earlier invitations with other metadata than in this run, and keep it: the report marks them.\n"
	for name, test := range map[string]struct {
		stop func(*clerktest.Fake, context.CancelFunc)
		code int
		end  string
	}{
		"stopped": {func(_ *clerktest.Fake, stop context.CancelFunc) { time.AfterFunc(time.Minute, stop) }, exitStopped, "importer: stopped"},
		"failed": {func(fake *clerktest.Fake, _ context.CancelFunc) {
			fake.Respond(clerk.OperationBulkCreate, clerktest.Response{Code: clerk.CodeClerkKeyInvalid})
		}, exitFailed, "importer: Clerk does not accept the secret key"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
				_, _, _ = importPeople(t.Context(), t, fake, guests(30))
				time.Sleep(time.Hour)
				ctx, cancel := context.WithCancel(t.Context())
				test.stop(fake, cancel)
				input := "email,team\n" + strings.ReplaceAll(guests(400), "\n", ",engines\n")
				code, printed, report := importPeople(ctx, t, fake, input, "-metadata", "team")
				require.Equal(t, test.code, code)
				require.Contains(t, printed, test.end)
				require.Equal(t, 1, strings.Count(printed, note), printed)
				require.Less(t, strings.Index(printed, note), strings.Index(printed, ": Inviting."))
				for i, line := range report {
					require.Equal(t, i < 30, line[4] == otherMetadata, line)
				}
			})
		})
	}
}

// TestReportMarksNobodyWhoIsInvitedAnew: the earlier invitation was revoked after it was
// compared.
func TestReportMarksNobodyWhoIsInvitedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		const input = "email,team\nada@example.com,engines\n"
		_, _, _ = importPeople(t.Context(), t, fake, input)
		revokes := func(req *http.Request) (*http.Response, error) {
			resp, err := fake.RoundTrip(req)
			if inv := fake.Invitations()[0]; inv.Status == clerk.InvitationStatusPending {
				require.NoError(t, fake.Revoke(inv.ID))
			}
			return resp, err
		}
		_, printed, report := importPeople(t.Context(), t, roundTripper(revokes), input, "-metadata", "team")
		require.Contains(t, printed, "Note: 1 address has an earlier invitation with other metadata")
		require.Equal(t, []string{"2", "ada@example.com", "invited", fake.Invitations()[1].ID, ""}, report[0])
	})
}

// TestNewestInvitationIsCompared: it is the one that the report names.
func TestNewestInvitationIsCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		client, err := fake.Client()
		require.NoError(t, err)
		for _, team := range []string{"logic", "engines", "logic"} {
			_, err := client.Invitations.Create(t.Context(), clerk.CreateInvitationRequest{
				EmailAddress: "ada@example.com", PublicMetadata: map[string]any{"team": team}, IgnoreExisting: true,
			})
			require.NoError(t, err)
		}
		invs := fake.Invitations()
		require.NoError(t, fake.Expire(invs[2].ID))
		_, printed, report := importPeople(t.Context(), t, fake, "email,team\nada@example.com,engines\n", "-metadata", "team")
		require.NotContains(t, printed, "other metadata")
		require.Equal(t, []string{"2", "ada@example.com", "already invited", invs[1].ID, ""}, report[0])
	})
}

// TestStoppedBetweenPages: a run is stopped while it compares.
func TestStoppedBetweenPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		_, _, _ = importPeople(t.Context(), t, fake, guests(1200))
		ctx, cancel := context.WithCancel(t.Context())
		stops := func(req *http.Request) (*http.Response, error) {
			if req.FormValue("offset") == "500" {
				cancel()
				return nil, ctx.Err()
			}
			return fake.RoundTrip(req)
		}
		code, printed, report := importPeople(ctx, t, roundTripper(stops), "email,team\nguest0@example.com,engines\n", "-metadata", "team", "-one-by-one")
		require.Equal(t, exitStopped, code)
		require.NotContains(t, printed, "Note", "nothing failed")
		require.Equal(t, []string{"2", "guest0@example.com", "not sent", "", ""}, report[0])
	})
}

// TestMetadataThatCannotBeReadFailsNoRun, for instance as invitations are revoked meanwhile.
func TestMetadataThatCannotBeReadFailsNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New()
		fake.Respond(clerk.OperationList, clerktest.Response{Status: http.StatusOK, Body: `{"data":[],"total_count":1}`})
		code, printed, _ := importPeople(t.Context(), t, fake, "ada@example.com\n")
		require.Zero(t, code)
		require.Contains(t, printed, "Note: it is not known who has an earlier invitation with other metadata (clerk: ListInvitations: 200 the pages ended after 0 of 1 invitations")
		require.Contains(t, printed, "1 line: 1 invited\n")
	})
}
