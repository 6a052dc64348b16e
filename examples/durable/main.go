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
// The database is the file campaigns.sqlite3 in the current directory, or the PostgreSQL
// database that DATABASE_URL names. It holds the addresses.
//
// Without CLERK_SECRET_KEY "durable people.csv" invites nobody: it shows the same with a
// fake of Clerk inside the process, which takes few requests, and a database that is
// removed again.
//
// The exit code is 0 when all is well, 3 when the campaign has ended and some rows were
// not sent, 130 when it was stopped, 1 when anything failed, and 2 when it was called
// wrongly.
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
	flags.StringVar(&p.instance, "instance", "default", "a name for the instance of Clerk that the key is of")
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
	if !ok {
		flags.Usage()
		return exitUsage
	}
	code, err := p.run(ctx, name, argument)
	switch {
	case ctx.Err() != nil && name == "work":
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(p.stderr, "durable: stopped; the same command goes on")
		return exitStopped
	case err != nil:
		fmt.Fprintln(p.stderr, "durable:", err)
		return exitFailed
	}
	return code
}

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
	db, err := openDatabase(ctx, p.databaseURL, "campaigns.sqlite3")
	if err != nil {
		return 0, err
	}
	defer db.close()
	s, err := openStore(ctx, db, p.instance, usualShare, http.DefaultTransport)
	if err != nil {
		return 0, err
	}
	switch name {
	case "all":
		return p.carryOut(ctx, s, argument)
	case "work":
		return 0, p.work(ctx, s, func() (bool, error) { return false, nil })
	case "enqueue":
		return 0, p.enqueue(ctx, s, argument)
	case "resume":
		return 0, s.resume(ctx)
	case "cancel":
		if err := s.cancel(ctx, argument); err != nil {
			return 0, err
		}
	}
	st, err := s.status(ctx, argument)
	switch {
	case err != nil:
		return 0, err
	case name == "report":
		return 0, st.writeReport(p.stdout)
	}
	fmt.Fprintln(p.stdout, st)
	return 0, nil
}

// demonstrate carries out a campaign with a fake of Clerk.
func (p *program) demonstrate(ctx context.Context, file string) (int, error) {
	fmt.Fprintln(p.stderr, "CLERK_SECRET_KEY is not set: this is a fake of Clerk, which takes 5 creates and 2 bulks in 10 seconds.")
	share := clerk.Share{Creates: 5, Bulks: 2, Per: 10 * time.Second}
	fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
		Creates: clerktest.Limit{Requests: share.Creates, Per: share.Per},
		Bulks:   clerktest.Limit{Requests: share.Bulks, Per: share.Per},
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
	if _, err := newClient(p.secretKey, s.limit); err != nil { // before anything is done
		return 0, err
	}
	if err := p.enqueue(ctx, s, file); err != nil {
		return 0, err
	}
	if err := s.resume(ctx); err != nil {
		return 0, err
	}
	var last *status
	err := p.work(ctx, s, func() (ended bool, err error) {
		before := fmt.Sprint(last)
		if last, err = s.status(ctx, p.campaign); err != nil {
			return false, err
		}
		if now := fmt.Sprint(last); now != before {
			fmt.Fprintln(p.stderr, now)
		}
		return last.done() || last.stopped != "", nil
	})
	switch {
	case err != nil || ctx.Err() != nil:
		return 0, err
	case !last.done():
		return 0, errors.New("nothing more is sent; run it again when that is mended")
	case last.unsent() > 0:
		return exitUnsent, last.writeReport(p.stdout)
	}
	return 0, last.writeReport(p.stdout)
}

// enqueue adds the campaign of a file.
func (p *program) enqueue(ctx context.Context, s *store, file string) error {
	if p.campaign == "" {
		p.campaign = strings.TrimSuffix(filepath.Base(file), ".csv")
	}
	input, err := os.ReadFile(file) //nolint:gosec // the file that the user names
	if err != nil {
		return err
	}
	list, err := people.Read(input)
	if err != nil {
		return err
	}
	added, err := s.enqueue(ctx, p.campaign, list)
	if err == nil {
		fmt.Fprintf(p.stderr, "%s: %d rows, %d new jobs\n", p.campaign, len(list.Rows), added)
	}
	return err
}

// work works on the jobs, until ctx ends, or what is asked every half second says that
// the work has ended.
func (p *program) work(ctx context.Context, s *store, ended func() (bool, error)) error {
	client, err := newClient(p.secretKey, s.limit)
	if err != nil {
		return err
	}
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
		case <-time.After(500 * time.Millisecond):
		}
	}
	// Of a job under way the request under way is finished, and its results are kept.
	return cmp.Or(err, worker.StopAndCancel(context.WithoutCancel(ctx)))
}
