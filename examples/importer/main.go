// Command importer invites everybody in a CSV file, as fast as Clerk's limits allow,
// and goes on where it stopped when it is run again.
//
//	CLERK_SECRET_KEY=sk_... importer [-dry-run] [-report FILE] people.csv
//
// The file is in UTF-8, with commas or semicolons. Its first line names the columns. One
// of them is email_address (or email); the others become the invitations' public
// metadata. A file of addresses alone needs no such line.
//
// With -dry-run it lists who is invited already, and sends nothing. It writes a report, a
// CSV file with a line for each line of the input; by default a new one for each run,
// beside the input. It does not overwrite a file.
//
// Without CLERK_SECRET_KEY nobody is invited: it shows the same with a fake of Clerk
// inside the process, whose hours last a second, and without a file with ten thousand
// people that it makes up.
//
// SIGINT (Ctrl-C), SIGTERM and SIGHUP stop it once the request under way has ended; a
// second one ends it at once, without a report. Its exit code is 0 when everybody has an
// invitation or an account, 3 when some rows were refused, 130 when it was stopped, 1
// when anything else ended it early, and 2 when it was called wrongly and did nothing.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
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
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv("CLERK_SECRET_KEY")))
}

// command carries out the command line, and gives the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer, secretKey string) int {
	flags := flag.NewFlagSet("importer", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dry := flags.Bool("dry-run", false, "list who is invited already, and send nothing")
	reportTo := flags.String("report", "", "where to write the report; by default a new file beside the input")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: importer [-dry-run] [-report FILE] PEOPLE.csv")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	if flags.NArg() > 1 || flags.NArg() == 0 && secretKey != "" {
		flags.Usage()
		return exitUsage
	}
	c := campaign{stdout: stdout, stderr: stderr, dry: *dry, fake: secretKey == ""}
	err := c.prepare(flags.Arg(0), *reportTo, secretKey)
	if err != nil {
		fmt.Fprintln(stderr, "importer:", err)
		return exitUsage
	}
	return c.run(ctx)
}

// A campaign is one run of the program.
type campaign struct {
	client         *clerk.Client
	share          clerk.Budget
	people         *people.List
	report         *os.File
	dry, fake      bool
	stdout, stderr io.Writer
}

// prepare does what can fail before anything is sent.
func (c *campaign) prepare(file, reportTo, secretKey string) (err error) {
	input := madeUp()
	if file != "" {
		if input, err = os.ReadFile(file); err != nil { //nolint:gosec // the file that the user names
			return err
		}
	}
	if c.people, err = people.Read(input); err != nil {
		return err
	}
	if err := c.connect(secretKey); err != nil {
		return err
	}
	kind := "report"
	switch {
	case c.dry:
		kind = "dry-run"
	case c.fake:
		kind = "fake"
	}
	name := strings.TrimSuffix(cmp.Or(file, "people.csv"), ".csv")
	c.report, err = create(cmp.Or(reportTo, name+"."+kind+"-"+time.Now().Format("20060102-150405.000")+".csv"))
	return err
}

// connect makes a client of Clerk, or of a fake. A dry one sends no more than what lists.
func (c *campaign) connect(secretKey string) (err error) {
	transport := http.DefaultTransport
	c.share = clerk.Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}
	if c.fake {
		fmt.Fprintln(c.stderr, "CLERK_SECRET_KEY is not set: this is a fake of Clerk, and its hours last a second.")
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
			Creates: clerktest.Limit{Requests: 100, Per: time.Second},
			Bulks:   clerktest.Limit{Requests: 25, Per: time.Second},
		}))
		secretKey, transport, c.share.Window = fake.SecretKey(), fake, time.Second
	}
	if c.dry {
		transport, c.share = &dryRun{next: transport}, clerk.Budget{Creates: math.MaxInt, BulkCreates: math.MaxInt, Window: time.Second}
	}
	c.client, err = clerk.NewClient(secretKey, clerk.WithAppName("importer"), clerk.WithHTTPClient(&http.Client{Transport: transport}))
	return err
}

// madeUp is ten thousand people, as a CSV file.
func madeUp() []byte {
	var b bytes.Buffer
	b.WriteString("email_address,name,seat\n")
	for i := range 10_000 {
		switch i % 1000 {
		case 500:
			fmt.Fprintf(&b, "guest%d at example.com,No Address,%d\n", i, i)
		case 501:
			fmt.Fprintf(&b, "guest%d@example.com,\"Guest, Again\",%d\n", i-10, i)
		default:
			fmt.Fprintf(&b, "guest%d@example.com,Guest %d,%d\n", i, i, i)
		}
	}
	return b.Bytes()
}

// run invites everybody, writes the report, and gives the exit code.
func (c *campaign) run(ctx context.Context) int {
	report := newReport(c.people)
	display := newDisplay(c.stderr, len(c.people.Requests), min(c.share.Window, 10*time.Second))
	results := c.client.Invitations.CreateAll(ctx, slices.Values(c.people.Requests),
		clerk.WithBudget(c.share), clerk.WithProgress(display.show))
	var failure error
	for result, err := range results {
		if err != nil {
			failure = err
			continue
		}
		report.add(result, c.dry)
	}
	display.close()
	stopped := failure != nil && ctx.Err() != nil
	c.summarise(report, failure, stopped)
	if err := report.write(c.report); err != nil {
		fmt.Fprintln(c.stderr, "importer: the report could not be written:", err)
		failure = cmp.Or(failure, err)
	} else {
		fmt.Fprintln(c.stdout, "report:", c.report.Name())
	}
	switch {
	case stopped:
		return exitStopped
	case failure != nil:
		return exitFailed
	case report.counts[refused] > 0:
		return exitRefused
	}
	return 0
}

// summarise says what came of it, and how to go on.
func (c *campaign) summarise(report *report, failure error, stopped bool) {
	fmt.Fprintf(c.stdout, "%d lines: %s\n", len(report.lines), report.summary())
	if hours := time.Duration(report.counts[wouldBeInvited]/340) * time.Hour; c.dry && hours > 0 {
		fmt.Fprintf(c.stdout, "to invite them takes about %s, at 340 an hour\n", hours)
	}
	if c.fake {
		fmt.Fprintln(c.stdout, "nobody was invited, for Clerk was a fake: CLERK_SECRET_KEY is not set")
	}
	switch {
	case failure == nil:
		return
	case stopped && !errors.Is(failure, clerk.ErrOutcomeUnknown):
		fmt.Fprintln(c.stderr, "importer: stopped")
	default:
		fmt.Fprintln(c.stderr, "importer:", failure)
	}
	if !c.fake {
		fmt.Fprintln(c.stderr, "To go on, run the same command again: who is invited already is skipped.")
	}
}
