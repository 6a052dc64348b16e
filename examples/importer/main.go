// Command importer invites everybody in a CSV file, as fast as Clerk's limits allow. Run it
// again to resume.
//
//	CLERK_SECRET_KEY=sk_... importer [flags] people.csv
//
// The file is CSV in UTF-8, in UTF-16 with a byte order mark, or in Windows-1252, as Excel
// writes it in Western Europe and the United States. Commas, semicolons or tabs separate its
// columns, and its first line names them. One of them is email_address, email, or the name
// that Outlook or Google uses. An address may have a display name, as in "Ada
// <ada@example.com>", and mailto: in front. A file with only addresses needs no such line.
// Blank lines and other columns are ignored. If a column that is used may be in yet another
// character set, nothing is sent. Flags may come before or after the file:
//
//	-column NAME          the column of the addresses, if it has another name
//	-metadata role,team   put these columns into the invitations' public metadata
//	-redirect-url URL     where the link in the email leads
//	-expires DAYS         how long the invitations are valid (default: Clerk's, 30 days)
//	-notify=false         send no emails
//	-template SLUG        the template of the email
//	-one-by-one           create invitations one at a time: 90 an hour instead of 340
//	-dry-run              list who is invited already, and send nothing
//	-status               report who has accepted, is pending or lapsed, and send nothing
//	-report FILE          where to write the report (default: a new file beside the input)
//	-base-url URL         the API to use, such as a fakeclerk's (default: CLERK_BASE_URL,
//	                      then Clerk's)
//
// An open report, which nobody has confirmed, says that Clerk loses the metadata of
// invitations that are created ten at a time; see docs/clerk-api.md. -one-by-one is safe
// from that.
//
// The report is a CSV file with a line for each line of the input. It has the separator of the
// input and a byte order mark, for Excel. An apostrophe precedes text that Excel would take
// for a formula. No file is overwritten. The outcomes are
//
//	invited           this run created the invitation
//	already invited   the address had an invitation before
//	already accepted  it had one, which was accepted
//	has an account    the address belongs to a user
//	repeated          an earlier line has the address, and this run invited it
//	refused           the line is invalid, or Clerk refused it: the report says why
//	unknown           it is not known whether it was invited: run the command again later
//	not sent          the run ended before it was sent
//
// A dry run does not know what Clerk refuses. It only marks addresses that look unusual: those
// that are not valid by RFC 5322, need quotation marks, or have a domain without a dot.
//
// With -status, the outcomes are accepted, pending, lapsed, revoked and not invited, or
// refused if a run would refuse the line without asking Clerk. The exit code is 0. If an address has several invitations,
// the first of these outcomes counts.
//
// Without CLERK_SECRET_KEY, the program invites nobody. It rehearses with a fake inside the
// process, whose hours last a second. fakeclerk is a fake that keeps the invitations:
//
//	go run github.com/clerk-invitations/clerk-go/clerktest/cmd/fakeclerk
//	CLERK_SECRET_KEY=sk_test_clerktest importer -base-url http://127.0.0.1:8080/v1 people.csv
//
// SIGINT (Ctrl-C), SIGTERM and SIGHUP stop it after the request under way. A second signal
// ends it at once, without a report. Its exit code is 0 if everybody has an invitation or an
// account, 3 if a line was refused or its outcome is unknown, 130 if it was stopped, 1 if it
// ended early for another reason, and 2 for wrong usage, in which case it did nothing.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/clerk-invitations/clerk-go"
)

const (
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitStopped = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}

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

// command executes the command line and returns the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	set, err := parse(args, stderr, getenv)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "importer:", err)
		fmt.Fprintln(stderr, usage+"; -h lists the flags")
		return exitUsage
	}
	c := campaign{settings: set, stdout: stdout, stderr: stderr}
	if err := c.prepare(); err != nil {
		fmt.Fprintln(stderr, "importer:", err)
		return exitUsage
	}
	return c.run(ctx)
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
