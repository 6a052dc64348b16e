// Command live asks Clerk's live API the questions that its documentation leaves open, and
// compares the answers with the assumptions of package clerk and its fake. See
// contract/README.md.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // cleaning up must continue if the reader of the output is gone
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(start(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// start returns the exit code: 2 for wrong usage, 1 if the run ended early or left something.
func start(ctx context.Context, args []string, out, messages io.Writer) int {
	cfg, err := parse(args, os.Getenv("CLERK_SECRET_KEY"))
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(messages, "live:", err)
		return 2
	}
	if err := execute(ctx, cfg, http.DefaultTransport, out, messages); err != nil {
		fmt.Fprintln(messages, "live:", err)
		return 1
	}
	return 0
}

// A config holds the settings of flags and environment.
type config struct {
	key, url           string
	cleanup, day       string // runs
	users, leave, hour bool
}

func (c config) modes() int {
	n := 0
	for _, mode := range []bool{c.cleanup != "", c.day != "", c.hour, c.leave} {
		if mode {
			n++
		}
	}
	return n
}

var isRun = regexp.MustCompile(`^[0-9a-f]{12}$`)

func parse(args []string, key string) (config, error) {
	cfg := config{key: strings.TrimSpace(key)}
	flags := flag.NewFlagSet("live", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: CLERK_SECRET_KEY=sk_test_... live [flags] >report.md")
		flags.PrintDefaults()
	}
	flags.StringVar(&cfg.url, "url", "https://api.clerk.com/v1", "the base `URL` of the API")
	flags.StringVar(&cfg.cleanup, "cleanup", "", "only revoke and delete what the `RUN` left")
	flags.StringVar(&cfg.day, "day", "", "come back to the `RUN` that was given -leave, a day later")
	flags.BoolVar(&cfg.leave, "leave", false, "leave an invitation for -day")
	flags.BoolVar(&cfg.users, "users", false, "create and delete a user, too; with -cleanup delete those of the run")
	flags.BoolVar(&cfg.hour, "hour", false, "ask only about the hourly limit of bulks: an hour after the last bulk, for 70 minutes")
	live := flags.Bool("allow-live", false, "accept the key of a production instance")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	base, err := url.Parse(cfg.url)
	switch {
	case flags.NArg() > 0:
		return config{}, fmt.Errorf("it takes no arguments: %q", flags.Args())
	case cfg.key == "":
		return config{}, errors.New("set CLERK_SECRET_KEY to the key of a development instance")
	case !strings.HasPrefix(cfg.key, "sk_test_") && !*live:
		return config{}, errors.New("CLERK_SECRET_KEY is not the key of a development instance (sk_test_): set -allow-live to use it anyway")
	case !isRun.MatchString(cmp.Or(cfg.cleanup, cfg.day, "000000000000")):
		return config{}, errors.New("-cleanup and -day take the 12 digits and letters that a run printed first")
	case cfg.modes() > 1:
		return config{}, errors.New("give one of -cleanup, -day, -hour and -leave")
	case err != nil || base.Scheme != "https" && (base.Scheme != "http" || !isLoopback(base.Hostname())):
		return config{}, errors.New("-url must be https, or http to a loopback address")
	}
	cfg.url = strings.TrimSuffix(cfg.url, "/")
	return cfg, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// execute asks, cleans up and writes the report, or only cleans up after another run.
// It cleans up even after a panic.
func execute(ctx context.Context, cfg config, transport http.RoundTripper, out, messages io.Writer) error {
	id := make([]byte, 6)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	r := newRun(newClient(transport, cfg.url, cfg.key), hex.EncodeToString(id), time.Now())
	r.users, r.leave = cfg.users, cfg.leave
	ask := r.ask
	switch {
	case cfg.cleanup != "":
		r.name, r.start = cfg.cleanup, time.Time{}
		return r.cleanup(ctx)
	case cfg.day != "":
		r.name, r.start, r.only = cfg.day, time.Time{}, true
		ask = r.askDay
	case cfg.hour:
		r.only = true
		ask = r.askHour
	}
	fmt.Fprintf(messages, "run %s: if it is killed, clean up with -cleanup %s\n", r.name, r.name)
	cleaning := r.cleanAfter(ctx, ask)
	if err := r.report(out, cleaning); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if cleaning != nil {
		return cleaning
	}
	return r.err
}

func (r *run) cleanAfter(ctx context.Context, ask func(context.Context)) (err error) {
	defer func() { err = r.cleanup(ctx) }()
	ask(ctx)
	return nil
}
