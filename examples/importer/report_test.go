package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// prepared returns a campaign that is ready to run, and its report's path.
func prepared(t *testing.T, api http.RoundTripper, input string, flags ...string) (c campaign, out *bytes.Buffer, to string) {
	t.Helper()
	dir := t.TempDir()
	file, to := filepath.Join(dir, "people.csv"), filepath.Join(dir, "report.csv")
	require.NoError(t, os.WriteFile(file, []byte(input), 0o600))
	out = &bytes.Buffer{}
	set, err := parse(append([]string{file, "-report", to}, flags...), out, key)
	require.NoError(t, err, out.String())
	c = campaign{settings: set, api: api, stdout: out, stderr: out}
	require.NoError(t, c.prepare())
	return c, out, to
}

func TestReportOpensInExcel(t *testing.T) {
	for comma, input := range map[string]string{
		";":  "sep=;\rname;email\rAda;ada@example.com\rBob;\"=HYPERLINK(\"\"http://example.com\"\")\"\rEve;\"x;-1+2\"\r",
		"\t": "name\temail\nAda\tada@example.com\nBob\t\"=HYPERLINK(\"\"http://example.com\"\")\"\nEve\tx;-1+2\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _, to := prepared(t, clerktest.New(), input)
			require.Equal(t, exitRefused, c.run(t.Context()))
			content, err := os.ReadFile(to)
			require.NoError(t, err)
			lines := bytes.Split(content, []byte("\n"))
			require.Equal(t, "\ufeffline"+comma+"email_address"+comma+"outcome"+comma+"invitation_id"+comma+"problem", string(lines[0]))
			require.Contains(t, string(lines[1]), comma+"ada@example.com"+comma+"invited"+comma+"inv_")
			require.Contains(t, string(lines[2]), `'=HYPERLINK(`)
			require.Contains(t, string(lines[3]), `x;'-1+2`)
		})
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"ada+two@example.com": "ada+two@example.com",
		"=1+2":                "'=1+2",
		"+ada@example.com":    "'+ada@example.com",
		"-2":                  "'-2",
		"@SUM(A1)":            "'@SUM(A1)",
		"\t=1":                "\t'=1",
		"＝1":                  "'＝1",
		"a,=1;+2\n-3|@4":      "a,'=1;'+2\n'-3|'@4",
		"a = b":               "a = b",
	} {
		require.Equal(t, want, cell(text))
	}
}

// TestReportThatCannotBeWritten has another program create the file meanwhile.
func TestReportThatCannotBeWritten(t *testing.T) {
	for _, test := range []struct{ flag, text string }{
		{"-notify=false", "There is no report, but nobody is lost: the invitations were created as counted above."},
		{"-dry-run", "There is no report, but nobody is lost: nobody was invited."},
		{"-status", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New()
			c, out, to := prepared(t, fake, "ada@example.com\n", test.flag)
			require.NoError(t, os.WriteFile(to, []byte("another's"), 0o600))
			require.Equal(t, exitFailed, c.run(t.Context()))
			require.Contains(t, out.String(), "importer: the report could not be written: open "+to)
			require.Contains(t, out.String(), test.text)
			require.NotContains(t, out.String(), "report: ")
			content, err := os.ReadFile(to)
			require.NoError(t, err)
			require.Equal(t, "another's", string(content), "no file is overwritten")
		})
	}
}

// TestReportOnAFullDisk writes to a file that refuses it.
func TestReportOnAFullDisk(t *testing.T) {
	file, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.Error(t, (&report{comma: ','}).fill(file))
}

// TestNoFileIsLeftWithoutAReport: a process that is killed leaves no empty report, which
// would be in the way of the same command.
func TestNoFileIsLeftWithoutAReport(t *testing.T) {
	dir := t.TempDir()
	file, to := filepath.Join(dir, "people.csv"), filepath.Join(dir, "report.csv")
	require.NoError(t, os.WriteFile(file, []byte("ada@example.com\n"), 0o600))
	prepare := func() error {
		set, err := parse([]string{file, "-report", to}, io.Discard, key)
		require.NoError(t, err)
		return (&campaign{settings: set, api: clerktest.New()}).prepare()
	}
	require.NoError(t, prepare())
	require.NoFileExists(t, to)
	require.NoError(t, prepare(), "the same command again")
	require.NoError(t, os.WriteFile(to, nil, 0o600))
	require.ErrorIs(t, prepare(), os.ErrExist, "before anything is sent")
}
