package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

const (
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitStopped = 130
)

// settings hold the values of the flags and the environment.
type settings struct {
	file      string
	secretKey string // empty for a fake inside the process
	baseURL   string // empty for Clerk
	report    string // empty for a new file
	column    string // of the addresses; empty for a column with a usual name
	metadata  string
	oneByOne  bool
	notify    bool
	dry       bool
	status    bool                          // instead of inviting
	request   clerk.CreateInvitationRequest // the fields that all requests share
}

const usage = "usage: importer [flags] PEOPLE.csv"

// environment is the part of the usage that is not about flags.
const environment = `
Flags may stand before or after the file. Environment:
  CLERK_SECRET_KEY  the secret key of the instance, "sk_...". Without it, this is a
                    rehearsal with a fake of Clerk inside the program: nobody is invited.
  CLERK_BASE_URL    the default of -base-url

Exit codes:
  0    everybody has an invitation or an account, or -status was shown
  1    it ended early; run the same command again
  2    it was called wrongly and did nothing
  3    some lines were refused, or their outcome is unknown: the report says why
  130  it was stopped; run the same command again
`

// define defines the flags.
func (s *settings) define(flags *flag.FlagSet) {
	flags.StringVar(&s.column, "column", "", "the `name` of the column of the addresses (default: email_address, email, or what Outlook and Google call it, such as E-Mail-Adresse)")
	flags.StringVar(&s.metadata, "metadata", "", "put these `columns`, separated by commas, into the public metadata, under the names in the file")
	flags.StringVar(&s.request.RedirectURL, "redirect-url", "", "let the link in the email lead to this `URL`")
	flags.IntVar(&s.request.ExpiresInDays, "expires", 0, "let the invitations expire after this many `days`, 1 to 365 (default: Clerk's, 30)")
	flags.BoolVar(&s.notify, "notify", true, "send emails")
	flags.StringVar((*string)(&s.request.TemplateSlug), "template", "", "use the email template with this `slug`")
	flags.BoolVar(&s.oneByOne, "one-by-one", false,
		"create invitations one at a time, 90 an hour instead of 340, as bulks may lose metadata (an unconfirmed report)")
	flags.BoolVar(&s.dry, "dry-run", false, "list who is invited already, and send nothing")
	flags.BoolVar(&s.status, "status", false, "report who has accepted, is pending or lapsed, and send nothing")
	flags.StringVar(&s.report, "report", "", "write the report to this `file` (default: a new file beside the input)")
	flags.StringVar(&s.baseURL, "base-url", "", "use the API at this `URL`, such as a fakeclerk's (default: CLERK_BASE_URL, then Clerk's)")
}

// parse reads the command line. If asked to, it explains the command on stderr.
func parse(args []string, stderr io.Writer, getenv func(string) string) (settings, error) {
	set := settings{secretKey: getenv("CLERK_SECRET_KEY")}
	flags := flag.NewFlagSet("importer", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller reports errors
	set.define(flags)
	var files []string
	for {
		err := flags.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stderr)
			fmt.Fprint(stderr, usage+"\n\n")
			flags.PrintDefaults()
			fmt.Fprint(stderr, environment)
		}
		if err != nil {
			return set, err
		}
		if flags.NArg() == 0 {
			break
		}
		files, args = append(files, flags.Arg(0)), flags.Args()[1:]
	}
	set.baseURL = cmp.Or(set.baseURL, getenv("CLERK_BASE_URL"))
	if !set.notify {
		set.request.Notify = new(false)
	}
	switch {
	case len(files) == 0:
		return set, errors.New("no file")
	case len(files) > 1:
		return set, errors.New("more than one file")
	case set.baseURL != "" && set.secretKey == "":
		return set, errors.New("CLERK_SECRET_KEY is not set")
	case set.dry && set.status:
		return set, errors.New("-dry-run and -status exclude each other")
	case set.request.ExpiresInDays < 0 || set.request.ExpiresInDays > 365:
		return set, errors.New("-expires is not from 1 to 365")
	}
	set.file = files[0]
	return set, nil
}

// columns returns the columns that become metadata.
func (s *settings) columns() (names []string) {
	for name := range strings.SplitSeq(s.metadata, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}
