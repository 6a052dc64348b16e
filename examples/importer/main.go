// Command importer invites everybody in a CSV file, as fast as Clerk's limits allow,
// and goes on where it stopped when it is run again.
//
//	CLERK_SECRET_KEY=sk_... importer people.csv
//
// The file's first line names the columns. One of them is email_address (or email);
// the others become the invitations' public metadata. A file of addresses alone needs
// no such line. Without CLERK_SECRET_KEY it shows the same with a fake of Clerk inside
// the process, whose hours last a second, and without a file too with ten thousand
// people that it makes up.
//
// Its exit code is 0 when everybody has an invitation or an account, 3 when some rows
// were refused, 130 when it was interrupted, 1 when anything else ended it early, 2
// when it was called wrongly. Except for 2 it has then written its report, a CSV file
// with a line for each line of the input.
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
	"strings"
	"syscall"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

const (
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv("CLERK_SECRET_KEY")))
}

// command carries out the command line, and gives the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer, secretKey string) int {
	flags := flag.NewFlagSet("importer", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dry := flags.Bool("dry-run", false, "send nothing; report what would be sent")
	reportTo := flags.String("report", "", "where to write the report (by default beside the input: people.report.csv)")
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
	input := madeUp()
	if flags.NArg() == 1 {
		var err error
		if input, err = os.ReadFile(flags.Arg(0)); err != nil {
			fmt.Fprintln(stderr, "importer:", err)
			return exitUsage
		}
	}
	file := cmp.Or(flags.Arg(0), "people.csv")
	c := campaign{
		client: connect(secretKey, *dry, stderr), dry: *dry, stdout: stdout, stderr: stderr,
		reportTo: cmp.Or(*reportTo, strings.TrimSuffix(file, ".csv")+".report.csv"),
	}
	return c.run(ctx, input)
}

// A connection is a client, and how much of the limits there is to take.
type connection struct {
	*clerk.Client

	share clerk.Share
	err   error
}

// connect makes a client of Clerk, or of a fake where there is no key. A dry one sends
// no more than what lists.
func connect(secretKey string, dry bool, stderr io.Writer) connection {
	c := connection{share: clerk.Share{Creates: 90, Bulks: 25, Per: time.Hour}}
	transport := http.DefaultTransport
	if secretKey == "" {
		fmt.Fprintln(stderr, "CLERK_SECRET_KEY is not set: this is a fake of Clerk, and its hours last a second.")
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
			Creates: clerktest.Limit{Requests: 100, Per: time.Second},
			Bulks:   clerktest.Limit{Requests: 25, Per: time.Second},
		}))
		secretKey, transport, c.share.Per = fake.SecretKey(), fake, time.Second
	}
	if dry {
		transport, c.share = &dryRun{next: transport}, clerk.Share{Creates: math.MaxInt, Bulks: math.MaxInt, Per: time.Second}
	}
	c.Client, c.err = clerk.NewClient(secretKey, clerk.WithAppName("importer"), clerk.WithHTTPClient(&http.Client{Transport: transport}))
	return c
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

// A campaign is one run of the program.
type campaign struct {
	client         connection
	dry            bool
	reportTo       string
	stdout, stderr io.Writer
}

// run invites everybody, writes the report, and gives the exit code.
func (c *campaign) run(ctx context.Context, input []byte) int {
	if c.client.err != nil {
		fmt.Fprintln(c.stderr, "importer:", c.client.err)
		return exitUsage
	}
	people, err := readPeople(input)
	if err != nil {
		fmt.Fprintln(c.stderr, "importer:", err)
		return exitUsage
	}
	report := newReport(people)
	display := newDisplay(c.stderr, len(people.requests), min(c.client.share.Per, 10*time.Second))
	results := c.client.Invitations.CreateAll(ctx, people.all(),
		clerk.WithShare(c.client.share), clerk.WithObserver(display.show))
	var failure error
	for result, err := range results {
		if err != nil {
			failure = err
			continue
		}
		report.add(result, c.dry)
	}
	display.close()
	if err := report.write(c.reportTo); err != nil {
		fmt.Fprintln(c.stderr, "importer: the report could not be written:", err)
		failure = cmp.Or(failure, err)
	}
	interrupted := failure != nil && ctx.Err() != nil
	c.summarise(report, failure, interrupted)
	switch {
	case interrupted:
		return exitInterrupted
	case failure != nil:
		return exitFailed
	case report.counts[refused] > 0:
		return exitRefused
	}
	return 0
}

// summarise says what came of it, and how to go on.
func (c *campaign) summarise(report *report, failure error, interrupted bool) {
	fmt.Fprintf(c.stdout, "%d lines: %s\n", len(report.lines), report.summary())
	if hours := time.Duration(report.counts[wouldBeInvited]/340) * time.Hour; c.dry && hours > 0 {
		fmt.Fprintf(c.stdout, "to invite them takes about %s, at 340 an hour\n", hours)
	}
	fmt.Fprintln(c.stdout, "report:", c.reportTo)
	switch {
	case failure == nil:
		return
	case interrupted && !errors.Is(failure, clerk.ErrOutcomeUnknown):
		fmt.Fprintln(c.stderr, "importer: interrupted")
	default:
		fmt.Fprintln(c.stderr, "importer:", failure)
	}
	fmt.Fprintln(c.stderr, "Run the same command again to go on: who is invited already is skipped.")
}
