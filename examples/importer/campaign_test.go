package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// guests returns n addresses, a line each.
func guests(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("guest" + strconv.Itoa(i) + "@example.com\n")
	}
	return b.String()
}

func TestMacLineEnds(t *testing.T) {
	fake := clerktest.New()
	code, printed, _ := importPeople(t.Context(), t, fake, "email\rAda <ada@example.com>\rgrace@example.com\r")
	require.Zero(t, code)
	require.Contains(t, printed, "2 lines: 2 invited\n")
	require.Len(t, fake.Invitations(), 2)
}

// TestExcelOfWesternEurope imports a CSV in Windows-1252, with umlauts in two columns.
func TestExcelOfWesternEurope(t *testing.T) {
	input := "Name,E-Mail,Team\r\nM\xfcller,guest@example.com,K\xf6ln\r\nZo\xeb,ada@example.com,\r\n"
	fake := clerktest.New()
	code, printed, _ := importPeople(t.Context(), t, fake, input)
	require.Zero(t, code)
	require.Contains(t, printed, "2 lines: 2 invited\n")
	require.NotContains(t, printed, "Note", "no such column is used")

	fake = clerktest.New()
	code, printed, _ = importPeople(t.Context(), t, fake, input, "-metadata", "Team")
	require.Zero(t, code)
	require.True(t, strings.HasPrefix(printed, "Note: the file is not in UTF-8 and was read as Windows-1252, as in \"Köln\". "+
		"If that is wrong, save it as \"CSV UTF-8\".\n"), printed)
	require.JSONEq(t, `{"Team":"Köln"}`, string(fake.Invitations()[0].PublicMetadata))
}

// TestUnreadFileIsRefusedAsAWhole: what the file may mean is not guessed, and no advice loses
// a line.
func TestUnreadFileIsRefusedAsAWhole(t *testing.T) {
	const people = "Ada,ada@example.com\r\nGrace,grace@example.com\r\n"
	const noHeader = "the first line is no header, as it has an address: Ada, ada@example.com; put a line above it that names the columns, one of them email"
	for _, test := range []struct{ input, column, text string }{
		{"Team;E-Mail\r\n;ada@example.com\r\nK\x94ln;grace@example.com\r\n", "", // MS-DOS
			`line 3: the text is not in UTF-8, and what it is in is not certain: save the file as "CSV UTF-8"`},
		{"Team;Contact\r\n;ada@example.com\r\n", "",
			"the first line names no column of addresses: Team, Contact; name it with -column, or remove what is above the line that names it"},
		{people, "", noHeader},
		{people, "ada@example.com", noHeader},
		{people, "Ada", noHeader},
	} {
		file := filepath.Join(t.TempDir(), "people.csv")
		require.NoError(t, os.WriteFile(file, []byte(test.input), 0o600))
		fake := clerktest.New()
		set, err := parse([]string{"-metadata", "team", "-column", test.column, file}, io.Discard, key)
		require.NoError(t, err)
		c := campaign{settings: set, api: fake}
		require.EqualError(t, c.prepare(), test.text)
		require.Empty(t, fake.Requests())
		files, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		require.Len(t, files, 1, "no report is left")
	}
}

func TestColumnOfAddresses(t *testing.T) {
	fake := clerktest.New()
	code, _, report := importPeople(t.Context(), t, fake, "email,Work\nx@example.com,ada@example.com\n", "-column", "work")
	require.Zero(t, code)
	require.Equal(t, "ada@example.com", report[0][1])
	require.Equal(t, "ada@example.com", fake.Invitations()[0].EmailAddress)
}

func TestOneLine(t *testing.T) {
	code, printed, _ := importPeople(t.Context(), t, clerktest.New(), "ada@example.com\n")
	require.Zero(t, code)
	require.Contains(t, printed, "0 of 1 line: 1 to go: ")
	require.Contains(t, printed, "\n1 line: 1 invited\n")
	require.NotContains(t, printed, "1 lines")
}

// TestOneByOneKeepsMetadata: -one-by-one keeps metadata although the fake loses that of bulks.
func TestOneByOneKeepsMetadata(t *testing.T) {
	lossy := clerktest.WithBehavior(clerktest.Behavior{BulkMetadata: clerktest.BulkMetadataLostSilently})
	const input = "email,team\nada@example.com,engines\ngrace@example.com,engines\n"
	const note = "Note: an open report, which nobody has confirmed, says that Clerk loses the metadata"
	for flag, metadata := range map[string]string{"-one-by-one": `{"team":"engines"}`, "-one-by-one=false": `{}`} {
		fake := clerktest.New(lossy)
		code, printed, _ := importPeople(t.Context(), t, fake, input, "-metadata", "team", flag)
		require.Zero(t, code)
		for _, inv := range fake.Invitations() {
			require.JSONEq(t, metadata, string(inv.PublicMetadata), flag)
		}
		require.Equal(t, flag != "-one-by-one", strings.Contains(printed, note))
	}
	_, printed, _ := importPeople(t.Context(), t, clerktest.New(), input)
	require.NotContains(t, printed, "Note", "no metadata is sent")
}

func TestOneByOneMakesNoBulks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.ProductionRateLimits()))
		code, printed, _ := importPeople(t.Context(), t, fake, guests(100), "-one-by-one")
		require.Zero(t, code)
		require.Contains(t, printed, "90 of 100 lines: 90 invited, 10 to go: All is well: waiting for Clerk's hourly limit")
		for _, request := range fake.Requests() {
			require.NotEqual(t, clerk.OperationBulkCreate, request.Operation)
		}
		_, printed, _ = importPeople(t.Context(), t, clerktest.New(), guests(100), "-one-by-one", "-dry-run")
		require.Contains(t, printed, "Inviting them takes about 1 hour, at 90 an hour.\n")
	})
}

func TestRefusedKeyIsToBeCorrected(t *testing.T) {
	_, printed, _ := importPeople(t.Context(), t, clerktest.New(clerktest.WithSecretKey("sk_test_another")), sample)
	require.Contains(t, printed, "Correct CLERK_SECRET_KEY, then run the same command again.")
	require.NotContains(t, printed, "To resume")
	require.NotContains(t, printed, "Note", "nothing else failed")
}
