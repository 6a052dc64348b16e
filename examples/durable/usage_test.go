package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWrongUsageIsNamed: one line says what is wrong, and nothing is done.
func TestWrongUsageIsNamed(t *testing.T) {
	for _, test := range []struct {
		args    []string
		problem string
	}{
		{nil, "a command or PEOPLE.csv is missing"},
		{[]string{"-campaign", "spring"}, "a command or PEOPLE.csv is missing"},
		{[]string{"invite", "people.csv"}, `unknown command "invite"`},
		{[]string{"all", "people.csv"}, `unknown command "all"`},
		{[]string{""}, `unknown command ""`},
		{[]string{"people.csv", "more.csv"}, "people.csv takes no argument"},
		{[]string{"enqueue"}, "enqueue: PEOPLE.csv is missing"},
		{[]string{"status"}, "status: CAMPAIGN is missing"},
		{[]string{"cancel", ""}, "cancel: CAMPAIGN is missing"},
		{[]string{"pause"}, "pause: REASON is missing"},
		{[]string{"erase"}, "erase: ADDRESS is missing"},
		{[]string{"pause", "wrong", "list"}, "pause takes one REASON; put it in quotation marks if it has spaces"},
		{[]string{"erase", "a@example.com", "b@example.com"}, "erase takes one ADDRESS; put it in quotation marks if it has spaces"},
		{[]string{"resume", "spring"}, "resume takes no argument"},
		{[]string{"sql", "clerk"}, "sql takes no argument"},
		{[]string{"-capmaign", "spring", "pause", "later"}, "flag provided but not defined: -capmaign"},
		{[]string{"pause", "later", "-capmaign", "spring"}, "flag provided but not defined: -capmaign"},
		{[]string{"pause", "-5 minutes"}, "flag provided but not defined: -5 minutes"},
		{[]string{"pause", "later", "-campaign"}, "flag needs an argument: -campaign"},
		{[]string{"pause", "-campaign", "later"}, "pause: REASON is missing"},
		{[]string{"-after", "soon", "remind", "people"}, `invalid value "soon" for flag -after: parse error`},
		{[]string{"-campaign", "", "pause", "later"}, `invalid value "" for flag -campaign: it is empty`},
		{[]string{"-instance", "", "list"}, `invalid value "" for flag -instance: it is empty`},
		{[]string{"-queue=", "list"}, `invalid value "" for flag -queue: it is empty`},
		{[]string{"-campaign", "people", "cancel", "spring"}, "-campaign has no meaning for cancel"},
		{[]string{"list", "-campaign", "people"}, "-campaign has no meaning for list"},
		{[]string{"-after", "48h", "people.csv"}, "-after has no meaning for people.csv"},
		{[]string{"remind", "people", "-metadata", "team"}, "-metadata has no meaning for remind"},
	} {
		var stdout, stderr bytes.Buffer
		p := program{stdout: &stdout, stderr: &stderr, databaseURL: "postgres://127.0.0.1:1/none"}
		require.Equal(t, exitUsage, p.main(t.Context(), test.args), "%q", test.args)
		require.Empty(t, stdout.String(), "%q", test.args)
		require.Equal(t, "durable: "+test.problem+"; run \"durable -h\" for help\n", stderr.String(), "%q", test.args)
	}
}

// TestFlagsStandAnywhere: a flag after the command is not taken for a part of a reason.
func TestFlagsStandAnywhere(t *testing.T) {
	const campaign, reason = "spring", "wrong list"
	for _, args := range [][]string{
		{"-campaign", campaign, "-instance", "two", "pause", reason},
		{"-instance", "two", "pause", "-campaign", campaign, reason},
		{"pause", reason, "-campaign=" + campaign, "--instance", "two"},
	} {
		var p program
		name, argument, err := p.parse(args)
		require.NoError(t, err, "%q", args)
		require.Equal(t, []string{"pause", reason, campaign, "two"}, []string{name, argument, p.campaign, p.instance}, "%q", args)
	}
	var p program
	name, argument, err := p.parse([]string{"people.csv", "-metadata", "team,seat", "-queue", "theirs"})
	require.NoError(t, err)
	require.Equal(t, []string{"all", "people.csv", "theirs", "team", "seat"}, append([]string{name, argument, p.queue}, p.metadata...))
	require.Equal(t, []string{"", defaultInstance}, []string{p.campaign, p.instance})
	_, _, err = p.parse([]string{"remind", "people", "-after", "48h"})
	require.NoError(t, err)
	require.Equal(t, 48*time.Hour, p.after)
	_, argument, err = p.parse([]string{"pause", "--", "-5 minutes"})
	require.NoError(t, err)
	require.Equal(t, "-5 minutes", argument)
}

// TestHelp: it is complete, and fits on a screen.
func TestHelp(t *testing.T) {
	code, stdout, help := run(t, program{}, "-h")
	require.Zero(t, code)
	require.Empty(t, stdout)
	texts := []string{
		"\n  CLERK_SECRET_KEY ", "\n  CLERK_BASE_URL ", "\n  DATABASE_URL ", "?search_path=SCHEMA,public", "nobody is invited",
		"\n  0 ", "\n  1 ", "\n  2 ", "\n  3 ", "\n  130 ", "usage: durable [flags] PEOPLE.csv\n", "(default: all)",
	}
	for _, c := range commands {
		texts = append(texts, "\n  "+strings.TrimSpace(c.name+" "+c.argument)+" ", " "+c.does+"\n")
	}
	new(program).flags().VisitAll(func(f *flag.Flag) { texts = append(texts, "\n  -"+f.Name+" ") })
	for _, text := range texts {
		require.Contains(t, help, text)
	}
	require.Less(t, strings.Count(help, "\n"), 50)
	for line := range strings.Lines(strings.ReplaceAll(help, "    \t", "        ")) {
		require.LessOrEqual(t, len(line), len("\n")+80, line)
	}
	code, stdout, stderr := run(t, program{}, "pause later -h")
	require.Zero(t, code)
	require.Empty(t, stdout)
	require.Equal(t, help, stderr)
}

// TestPackageCommentListsTheCommands: as -h does.
func TestPackageCommentListsTheCommands(t *testing.T) {
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	comment, _, _ := strings.Cut(string(source), "\npackage main\n")
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^//\tdurable (\w+) `).FindAllStringSubmatch(comment, -1) {
		names = append(names, found[1])
	}
	var want []string
	for _, c := range commands {
		want = append(want, c.name)
	}
	require.Equal(t, want, names)
}

// TestDocumentedCommands: the commands that the page about operating recommends exist.
func TestDocumentedCommands(t *testing.T) {
	readme, err := os.ReadFile("../../docs/operating-campaigns.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(readme), "## Commands\n")
	section, _, _ = strings.Cut(section, "\n## ")
	n := 0
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) == 6 && !strings.Contains(line, "---") && !strings.Contains(line, "durable ...") {
			for _, command := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[3], -1) {
				_, _, err := new(program).parse(strings.Fields(command[1]))
				require.NoError(t, err, command[1])
				n++
			}
		}
	}
	require.GreaterOrEqual(t, n, 8)
}
