// Command durable invites everybody in a CSV file with jobs in a database, so that the
// campaign survives its process, and any number of machines can work on it.
//
//	CLERK_SECRET_KEY=sk_... durable people.csv
//
// enqueues a campaign of that name, works on it until it has ended, and writes its report
// to the standard output: a line for each line of the file. It may be killed at any time;
// run again, it goes on. The parts of it by themselves:
//
//	durable enqueue people.csv     add the campaign; a second time adds nothing
//	durable work                   carry out what is enqueued, until SIGINT or SIGTERM
//	durable status people          what was sent, what waits until when, when it will end
//	durable report people          the report, as far as it is
//	durable cancel people          keep back what has not gone out
//	durable resume                 go on, when a refusal of the key has stopped everything
//
// With -campaign NAME ahead of them people.csv can be enqueued under another name. With
// -instance NAME several instances of Clerk are kept apart, in one database: each has
// limits, campaigns and workers of its own.
//
// A campaign's name is for its rows alone: once it has ended, or was cancelled, nothing is
// added to it. Under another name, and in any other case, who has an invitation already is
// not invited again.
//
// The database is the file campaigns.sqlite3 in the current directory, which processes of one
// machine may share, or the PostgreSQL database that DATABASE_URL names. It holds the
// addresses, until you delete them. The clocks of the machines are to agree to a second or so.
//
// A worker that is stopped finishes the request under way, for 15 seconds at most. One that
// was killed leaves up to four jobs "under way", which another worker begins anew after five
// minutes.
//
// Without CLERK_SECRET_KEY "durable people.csv" invites nobody: it shows the same with a
// fake of Clerk inside the process, which takes few requests, and a database that is
// removed again.
//
// The exit code is 0 when all is well, 1 when anything failed, and 2 when it was called
// wrongly; of "durable people.csv" also 3 when the campaign has ended and some rows were not
// sent. All but "work" exit with 130 when they are stopped before they are done.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
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
	exitUnsent  = 3
	exitStopped = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	p := program{stdout: os.Stdout, stderr: os.Stderr, secretKey: os.Getenv("CLERK_SECRET_KEY"), databaseURL: os.Getenv("DATABASE_URL")}
	os.Exit(p.main(ctx, os.Args[1:]))
}

// A program is one run of the command.
type program struct {
	secretKey, databaseURL string
	campaign, instance     string
	stdout, stderr         io.Writer
}

// main carries out the command line, and gives the exit code.
func (p *program) main(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("durable", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	flags.StringVar(&p.campaign, "campaign", "", "the name to enqueue a file under; by default its own")
	flags.StringVar(&p.instance, "instance", "default", "a name, of small letters and digits, for the instance of Clerk that the key is of")
	flags.Usage = func() {
		fmt.Fprintln(p.stderr, "usage: durable [-campaign NAME] [-instance NAME] "+
			"PEOPLE.csv | enqueue PEOPLE.csv | work | status CAMPAIGN | report CAMPAIGN | cancel CAMPAIGN | resume")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return exitUsage
	}
	name, argument, ok := parse(flags.Args())
	if !ok || !instanceName.MatchString(p.instance) {
		flags.Usage()
		return exitUsage
	}
	code, err := p.run(ctx, name, argument)
	switch {
	case err == nil:
		return code
	case ctx.Err() != nil && errors.Is(err, ctx.Err()) && name == "work":
		return 0
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintln(p.stderr, "durable: stopped; the same command goes on")
		return exitStopped
	}
	fmt.Fprintln(p.stderr, "durable:", err)
	return exitFailed
}

// instanceName is what River takes for a queue.
var instanceName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

// parse finds the command and its argument. A file alone is the command "all".
func parse(args []string) (name, argument string, ok bool) {
	switch {
	case len(args) == 1 && strings.HasSuffix(args[0], ".csv"):
		return "all", args[0], true
	case len(args) == 1:
		return args[0], "", slices.Contains([]string{"work", "resume"}, args[0])
	case len(args) == 2:
		return args[0], args[1], slices.Contains([]string{"enqueue", "status", "report", "cancel"}, args[0])
	}
	return "", "", false
}

// run carries out a command.
func (p *program) run(ctx context.Context, name, argument string) (int, error) {
	if name == "all" && p.secretKey == "" {
		return p.demonstrate(ctx, argument)
	}
	const file = "campaigns.sqlite3"
	if _, err := os.Stat(file); err != nil && p.databaseURL == "" && !slices.Contains([]string{"all", "enqueue", "work"}, name) {
		return 0, fmt.Errorf("DATABASE_URL is not set, and %w", err)
	}
	db, err := openDatabase(ctx, p.databaseURL, file)
	if err != nil {
		return 0, err
	}
	defer db.close()
	s, err := openStore(ctx, db, p.instance, usualShare, http.DefaultTransport)
	if err != nil {
		return 0, err
	}
	campaign := nameOf(argument)
	switch name {
	case "all":
		return p.carryOut(ctx, s, argument)
	case "work":
		client, err := newClient(p.secretKey, s.limit)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(p.stderr, "working for the instance %q; nothing is said but what goes wrong\n", p.instance)
		return 0, p.work(ctx, s, client, func() (bool, error) { return false, nil })
	case "resume":
		stopped, err := s.stopped(ctx)
		if err = cmp.Or(err, s.resume(ctx)); err != nil {
			return 0, err
		}
		_, err = fmt.Fprintln(p.stdout, cmp.Or(stopped, "nothing was stopped"))
		return 0, err
	case "enqueue":
		if campaign, err = p.enqueue(ctx, s, argument); err != nil {
			return 0, err
		}
	case "cancel":
		if err := s.cancel(ctx, campaign); err != nil {
			return 0, err
		}
	}
	st, err := s.status(ctx, campaign)
	switch {
	case err != nil:
		return 0, err
	case name == "report":
		return 0, st.writeReport(p.stdout)
	}
	_, err = fmt.Fprintln(p.stdout, st)
	return 0, err
}

// demonstrate carries out a campaign with a fake of Clerk.
func (p *program) demonstrate(ctx context.Context, file string) (int, error) {
	fmt.Fprintln(p.stderr, "CLERK_SECRET_KEY is not set: this is a fake of Clerk, which takes 5 creates and 2 bulks in 10 seconds.")
	share := clerk.Budget{Creates: 5, BulkCreates: 2, Window: 10 * time.Second}
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
		Creates: clerktest.Limit{Requests: share.Creates, Per: share.Window},
		Bulks:   clerktest.Limit{Requests: share.BulkCreates, Per: share.Window},
	}))
	p.secretKey = fake.SecretKey()
	directory, err := os.MkdirTemp("", "durable")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	db, err := openDatabase(ctx, "", filepath.Join(directory, "demo.sqlite3"))
	if err != nil {
		return 0, err
	}
	defer db.close()
	s, err := openStore(ctx, db, p.instance, share, fake)
	if err != nil {
		return 0, err
	}
	return p.carryOut(ctx, s, file)
}

// carryOut adds the campaign of a file, and works until it has ended.
func (p *program) carryOut(ctx context.Context, s *store, file string) (int, error) {
	client, err := newClient(p.secretKey, s.limit)
	if err != nil {
		return 0, err
	}
	campaign, err := p.enqueue(ctx, s, file)
	if err != nil {
		return 0, err
	}
	if err := s.resume(ctx); err != nil {
		return 0, err
	}
	var last *status
	err = p.work(ctx, s, client, func() (ended bool, err error) {
		before := last
		if last, err = s.status(ctx, campaign); err != nil {
			return false, err
		}
		if before == nil || before.summary() != last.summary() {
			fmt.Fprintln(p.stderr, last)
		}
		return last.done() || last.stopped != "", nil
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w; the same command goes on", err)
	case (last == nil || !last.done()) && ctx.Err() != nil:
		return 0, ctx.Err()
	case !last.done():
		return 0, errors.New("nothing more is sent; run it again when that is mended")
	case last.unsent() > 0:
		return exitUnsent, last.writeReport(p.stdout)
	}
	return 0, last.writeReport(p.stdout)
}

// enqueue adds the campaign of a file, and gives its name.
func (p *program) enqueue(ctx context.Context, s *store, file string) (campaign string, err error) {
	campaign = cmp.Or(p.campaign, nameOf(file))
	input, err := os.ReadFile(file) //nolint:gosec // the file that the user names
	if err != nil {
		return "", err
	}
	list, err := people.Read(input)
	if err != nil {
		return "", err
	}
	added, err := s.enqueue(ctx, campaign, list)
	switch {
	case err != nil:
		return "", err
	case added == 0:
		fmt.Fprintf(p.stderr, "%s was enqueued before; nothing is added\n", campaign)
	default:
		fmt.Fprintf(p.stderr, "%s is enqueued\n", campaign)
	}
	return campaign, nil
}

// nameOf is a campaign's name, also where its file is given.
func nameOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".csv") }

// work works on the jobs, until ctx ends, or what is asked once a second says that the work
// has ended.
func (p *program) work(ctx context.Context, s *store, client *clerk.Client, ended func() (bool, error)) error {
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	worker, err := newWorker(s, client, usualTiming, logger)
	if err != nil {
		return err
	}
	if err := worker.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for err == nil && ctx.Err() == nil {
		var done bool
		if done, err = ended(); done {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	// Of a job under way the request under way is finished, and its results are kept.
	return cmp.Or(err, worker.StopAndCancel(context.WithoutCancel(ctx)))
}
