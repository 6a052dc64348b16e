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
// refused if a run would refuse the line without asking Clerk. The exit code is 0. If an
// address has several invitations, the first of these outcomes counts.
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
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
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
