package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/clerktest/fakeserver"
)

// A config holds the values of the flags.
type config struct {
	addr     string
	url      string
	hosts    []string
	state    string
	seedFile string
	quiet    bool
	options  []clerktest.Option
}

// parse reads the command's arguments.
func parse(args []string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("fakeclerk", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.addr, "addr", "127.0.0.1:8080", "listen on this `address`; port 0 picks a free one")
	flags.StringVar(&cfg.url, "url", "", "make the links of invitations lead to this `URL` of the fake (default: the address)")
	hosts := flags.String("hosts", "", "serve these comma-separated host `names` besides those of loopback and of -url")
	key := flags.String("key", clerktest.SecretKey, "accept this secret `key`")
	limits := flags.String("limits", "off", "apply Clerk's rate limits: off, development (with 100 emails a month) or production")
	faults := flags.String("faults", "", "fail a `share` of the requests, such as 0.2, or 0.2:drop after,slow after for certain faults")
	behavior := flags.String("behavior", "", "behave by these comma-separated `rules` where Clerk's behavior is not known, such as list-lag=1s")
	latency := flags.Duration("latency", 0, "delay every response by this `duration`")
	flags.StringVar(&cfg.state, "state", "", "keep invitations and users in this `file`")
	flags.StringVar(&cfg.seedFile, "seed-file", "", "load invitations and users from this `file` when there are none")
	ids := flags.String("ids", "random", "make ids that are random or sequential")
	flags.BoolVar(&cfg.quiet, "quiet", false, "write no access log")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	if flags.NArg() > 0 {
		return cfg, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	for _, set := range []func() error{
		func() error { return cfg.setHosts(*hosts) },
		func() error { return cfg.setKey(*key) },
		func() error { return cfg.setLimits(*limits) },
		func() error { return cfg.setFaults(*faults) },
		func() error { return cfg.setBehavior(*behavior) },
		func() error { return cfg.setLatency(*latency) },
		func() error { return cfg.setIDs(*ids) },
		cfg.checkURL,
	} {
		if err := set(); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

func (c *config) add(opts ...clerktest.Option) { c.options = append(c.options, opts...) }

func (c *config) setHosts(names string) error {
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if strings.ContainsAny(name, "/@?# *") {
			return fmt.Errorf("-hosts: %q is not a host name", name)
		}
		if name != "" {
			c.hosts = append(c.hosts, name)
		}
	}
	return nil
}

// allHosts returns the host names to serve in addition to those of loopback: those of -hosts,
// and the host of the URL to which links lead.
func (c *config) allHosts() []string {
	hosts := slices.Clone(c.hosts)
	if u, err := url.Parse(c.url); err == nil {
		hosts = append(hosts, u.Host)
	}
	return hosts
}

func (c *config) setKey(key string) error {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("-key is empty or contains an invalid character")
	}
	c.add(clerktest.WithSecretKey(key))
	return nil
}

func (c *config) setLimits(name string) error {
	limits, err := fakeserver.Limits(name)
	if err != nil {
		return fmt.Errorf("-%w", err)
	}
	c.add(clerktest.WithRateLimits(limits))
	if name == "development" {
		c.add(clerktest.WithEmailLimit(100))
	}
	return nil
}

func (c *config) setFaults(text string) error {
	if text == "" {
		return nil
	}
	share, names, _ := strings.Cut(text, ":")
	var mix clerktest.FaultMix
	var err error
	if mix.Share, err = strconv.ParseFloat(share, 64); err != nil {
		return fmt.Errorf("-faults %q does not begin with a number", text)
	}
	for name := range strings.SplitSeq(names, ",") {
		if name != "" {
			mix.Faults = append(mix.Faults, clerktest.Fault(strings.TrimSpace(name)))
		}
	}
	if err := mix.Validate(); err != nil {
		return fmt.Errorf("-faults: %w", err)
	}
	mix.Seed = uint64(time.Now().UnixNano())
	c.add(clerktest.WithFaults(mix))
	return nil
}

func (c *config) setBehavior(text string) error {
	behavior, err := clerktest.ParseBehavior(text)
	if err != nil {
		return fmt.Errorf("-behavior: %w", err)
	}
	c.add(clerktest.WithBehavior(behavior))
	return nil
}

func (c *config) setLatency(latency time.Duration) error {
	if latency < 0 {
		return errors.New("-latency is negative")
	}
	c.add(clerktest.WithLatency(latency))
	return nil
}

func (c *config) setIDs(kind string) error {
	switch kind {
	case "random":
		c.add(clerktest.WithRandomIDs())
	case "sequential":
	default:
		return fmt.Errorf("-ids %q is neither random nor sequential", kind)
	}
	return nil
}

func (c *config) checkURL() error {
	u, err := url.Parse(c.url)
	if c.url != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("-url %q is not an http or https URL", c.url)
	}
	return nil
}

// loadSeed loads the seed file into fake if fake is empty. It reports whether it did.
func (c *config) loadSeed(fake *clerktest.Fake) (loaded bool, err error) {
	if c.seedFile == "" || len(fake.Invitations()) > 0 || len(fake.Users()) > 0 {
		return false, nil
	}
	file, err := os.Open(c.seedFile) //nolint:gosec // the user who starts the program chooses the file
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	if err := fake.Load(file); err != nil {
		return false, fmt.Errorf("%s: %w", c.seedFile, err)
	}
	return true, nil
}
