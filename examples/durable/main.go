// Command durable invites everybody in a CSV file with package clerkriver, so that the
// campaign survives its process, and any number of machines can work on it.
//
//	CLERK_SECRET_KEY=sk_... durable people.csv
//
// It enqueues a campaign of that name, works on it until it has finished, and writes its
// report to the standard output. It may be killed at any time, and resumes when it is run
// again. The single steps are:
//
//	durable enqueue people.csv     add the campaign; a second time adds nothing
//	durable work                   send what is enqueued, until SIGINT or SIGTERM
//	durable status people          what was sent, what waits and until when, when it will end
//	durable report people          the report so far: a line for each row, and in its column
//	                               untold why a service's OnResult or OnChange refused it
//	durable remind people          remind those who have not accepted a week after they were
//	                               invited (-after), as the campaign people-reminder
//	durable cancel people          do not send the remaining invitations
//	durable list                   the campaigns, and what they share: limits, runs, a pause
//	durable pause "wrong list"     stop sending, on all machines
//	durable resume                 continue at once after a pause
//	durable exclude ADDRESS        never remind a person
//	durable erase ADDRESS          erase a person from the campaigns, and at Clerk
//	durable delete people          erase the addresses of a campaign that has finished
//	durable migrate                create the tables in the database of DATABASE_URL
//	durable sql                    print the SQL that creates the tables, for your own
//	                               migration tool; it needs no database
//
// Flags may come before or after the command; "durable -h" lists them. With -campaign, pause
// and resume change only that campaign. Reports and the status that a command shows are on the
// standard output. Progress, what a command did, and problems are on the standard error.
//
// Without DATABASE_URL it runs its own PostgreSQL server, in the folder durable-postgres
// beside the list (or in the current directory), for as long as one of its processes needs it.
//
// With DATABASE_URL it uses that database, which may already have River. In that case, run
// "durable migrate" once, with a role that may create tables, or let your own tool run the SQL
// of "durable sql", which creates the tables of campaigns in the first schema of its
// connection's search_path, and not River's. Keep to one of the two. If a service has campaigns
// there, all commands show and change these; for a Config.Schema, append
// ?search_path=SCHEMA,public to the URL. The intervals and limits are those of the process that
// sent last, or else the defaults. "work" and "durable people.csv" send in place of the service,
// whose OnResult and OnChange are called when it runs again. Only these two and "enqueue" accept
// an -instance that the tables do not have.
//
// Without CLERK_SECRET_KEY "durable people.csv" invites nobody: it shows the same with a fake
// of Clerk inside the process, which accepts few requests, and a temporary database. To
// rehearse with interruptions, set CLERK_BASE_URL to a fake server and CLERK_SECRET_KEY to its
// key.
//
// The exit code is 0 if all went well, 1 if anything failed, and 2 for wrong usage, in which
// case it did nothing. "durable people.csv" exits with 3 if some rows were not sent. All
// commands except "work" exit with 130 if they are stopped before they are done.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerkriver"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

const (
	exitFailed  = 1
	exitUsage   = 2
	exitUnsent  = 3
	exitStopped = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	p := program{
		stdout: os.Stdout, stderr: os.Stderr, secretKey: os.Getenv("CLERK_SECRET_KEY"),
		baseURL: os.Getenv("CLERK_BASE_URL"), databaseURL: os.Getenv("DATABASE_URL"),
	}
	os.Exit(p.main(ctx, os.Args[1:]))
}

// main executes the command line, and returns the exit code.
func (p *program) main(ctx context.Context, args []string) int {
	name, argument, err := p.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		p.help()
		return 0
	case err != nil:
		fmt.Fprintf(p.stderr, "durable: %v; run \"durable -h\" for help\n", err)
		return exitUsage
	}
	code, err := p.run(ctx, name, argument)
	switch {
	case err == nil:
		return code
	case ctx.Err() != nil && errors.Is(err, ctx.Err()) && name == "work":
		return 0
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintln(p.stderr, "durable: stopped; run the same command again")
		return exitStopped
	}
	fmt.Fprintln(p.stderr, "durable:", err)
	return exitFailed
}

// run executes a command.
func (p *program) run(ctx context.Context, name, argument string) (code int, err error) {
	switch {
	case name == "all" && p.secretKey == "":
		return p.demonstrate(ctx, argument)
	case name == "sql":
		return 0, writeSQL(p.stdout)
	}
	folder := ""
	if p.databaseURL == "" {
		folder = "durable-postgres"
		if name == "all" || name == "enqueue" {
			folder = filepath.Join(filepath.Dir(argument), folder)
		}
		if _, err := os.Stat(folder); err != nil && !slices.Contains([]string{"all", "enqueue", "work"}, name) { //nolint:gosec // beside the file that the user names
			return 0, fmt.Errorf("DATABASE_URL is not set, and %w", err)
		}
	}
	config := clerkriver.Config{Instance: p.instance, Queue: p.queue}
	sends := name == "all" || name == "work"
	if sends || p.databaseURL == "" { // otherwise a service may send, with the default Wake
		config.Wake = wake
	}
	s, err := open(ctx, p.databaseURL, folder, config)
	if err != nil {
		return 0, err
	}
	defer func() { err = cmp.Or(err, s.close(context.WithoutCancel(ctx))) }()
	switch {
	case name == "migrate":
		return 0, p.migrate(ctx, s)
	case sends:
		code, err = p.send(ctx, s, nil, argument)
	default:
		err = p.manage(ctx, s, name, argument)
	}
	return code, s.explain(ctx, err)
}

// demonstrate runs a campaign with a fake of Clerk.
func (p *program) demonstrate(ctx context.Context, file string) (code int, err error) {
	fmt.Fprintln(p.stderr, "CLERK_SECRET_KEY is not set: this is a fake of Clerk, which takes 5 creates and 2 bulks in 10 seconds.")
	limits := clerk.Budget{Creates: 5, BulkCreates: 2, Window: 10 * time.Second}
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
		Creates: clerktest.Limit{Requests: limits.Creates, Per: limits.Window},
		Bulks:   clerktest.Limit{Requests: limits.BulkCreates, Per: limits.Window},
	}))
	p.secretKey, p.baseURL = fake.SecretKey(), ""
	folder, err := os.MkdirTemp("", "durable")
	if err != nil {
		return 0, err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(folder)) }()
	s, err := open(ctx, "", folder, clerkriver.Config{Limits: limits, Budget: limits, Wake: wake})
	if err != nil {
		return 0, err
	}
	defer func() { err = cmp.Or(err, s.close(context.WithoutCancel(ctx))) }()
	return p.send(ctx, s, fake, file)
}

// send enqueues the file, if there is one, and lets River work until its campaign has
// finished.
func (p *program) send(ctx context.Context, s *service, api http.RoundTripper, file string) (int, error) {
	stop, err := s.start(ctx, p.secretKey, p.baseURL, api, p.stderr)
	if err != nil {
		return 0, err
	}
	if file == "" {
		fmt.Fprintf(p.stderr, "working for the instance %q\n", p.instance)
		<-ctx.Done()
		return 0, stop()
	}
	campaign := cmp.Or(p.campaign, nameOf(file))
	unread, err := p.enqueue(ctx, s, campaign, file)
	if err == nil { // a file that cannot be read must not lift a pause
		err = s.tryAgain(ctx)
	}
	if err != nil {
		return 0, errors.Join(err, stop()) // River has to stop in any case
	}
	st, err := p.watch(ctx, s, campaign)
	switch err = cmp.Or(err, stop()); { // River has to stop in any case
	case err != nil:
		return 0, err
	case st.Paused != "" && st.PausedUntil.IsZero():
		return 0, errors.New("nothing more is sent until it is resumed")
	case st.Paused != "":
		return 0, errors.New("nothing more is sent; fix the cause, then run it again")
	case unread+st.Counts[clerkriver.StateRejected]+st.Counts[clerkriver.StateUnknown]+st.Counts[clerkriver.StateCancelled] > 0:
		return exitUnsent, writeReport(ctx, s, campaign, p.stdout)
	}
	return 0, writeReport(ctx, s, campaign, p.stdout)
}

// watch prints the status of a campaign whenever it changes, until it has finished or is
// paused.
func (p *program) watch(ctx context.Context, s *service, campaign string) (*clerkriver.Status, error) {
	for last := ""; ; {
		st, err := s.campaigns.Status(ctx, campaign)
		if err != nil {
			return nil, err
		}
		now := *st
		now.EstimatedEnd = time.Time{} // it moves with the clock
		if text := s.describe(&now); text != last {
			fmt.Fprintln(p.stderr, s.describe(st))
			last = text
		}
		if st.Done() || st.Paused != "" {
			return st, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
