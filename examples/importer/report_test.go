package main

import (
	"bytes"
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

// TestReportThatCannotBeWritten writes to a file that fails, like a full disk.
func TestReportThatCannotBeWritten(t *testing.T) {
	for _, test := range []struct{ flag, text string }{
		{"-notify=false", "There is no report, but nobody is lost: the invitations were created as counted above."},
		{"-dry-run", "There is no report, but nobody is lost: nobody was invited."},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := clerktest.New()
			c, out, to := prepared(t, fake, "ada@example.com\n", test.flag)
			require.NoError(t, c.reportFile.Close())
			readOnly, err := os.Open(to)
			require.NoError(t, err)
			c.reportFile = readOnly
			require.Equal(t, exitFailed, c.run(t.Context()))
			require.Contains(t, out.String(), "importer: the report could not be written: write "+to)
			require.Contains(t, out.String(), test.text)
			require.NotContains(t, out.String(), "report: ")
			require.NoFileExists(t, to)
		})
	}
}
