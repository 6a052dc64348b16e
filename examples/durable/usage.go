package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The usage, around the commands and the flags.
const (
	usage = `usage: durable [flags] PEOPLE.csv
       durable [flags] COMMAND [ARGUMENT]

PEOPLE.csv alone enqueues a campaign, sends it, and prints its report. Commands:
`
	environment = `
Environment:
  CLERK_SECRET_KEY  the secret key, "sk_...", for PEOPLE.csv, work and erase.
                    Without it, PEOPLE.csv is a rehearsal with a fake of Clerk:
                    nobody is invited.
  CLERK_BASE_URL    another API than Clerk's, such as a fakeclerk's
  DATABASE_URL      the database, such as a service's; for its Config.Schema,
                    append ?search_path=SCHEMA,public. Its intervals and limits
                    are adopted.
                    Without the URL, durable runs its own PostgreSQL, in the
                    folder durable-postgres.

Exit codes:
  0    all went well, or work was stopped
  1    it failed
  2    it was called wrongly and did nothing
  3    PEOPLE.csv: some rows were not sent, the report says why
  130  it was stopped before it was done; run the same command again
`
)

// A command is what the first word of a command line names.
type command struct {
	name     string
	argument string // what it is; empty if there is none
	does     string
}

// commands are all commands, in the order of the usage, except that of a file alone.
var commands = []command{
	{"enqueue", "PEOPLE.csv", "add the campaign; a second time adds nothing"},
	{"work", "", "send what is enqueued, until SIGINT or SIGTERM"},
	{"status", "CAMPAIGN", "what was sent, what waits and until when, when it will end"},
	{"report", "CAMPAIGN", "a line for each row; untold is the error of your service"},
	{"remind", "CAMPAIGN", "remind those who have not accepted after a week (-after)"},
	{"cancel", "CAMPAIGN", "do not send the remaining invitations"},
	{"list", "", "the campaigns, and what they share: limits, runs, a pause"},
	{"pause", "REASON", "stop sending, on all machines"},
	{"resume", "", "continue at once after a pause"},
	{"exclude", "ADDRESS", "never remind a person"},
	{"erase", "ADDRESS", "erase a person from the campaigns, and at Clerk"},
	{"delete", "CAMPAIGN", "erase the addresses of a campaign that has finished"},
	{"migrate", "", "create the tables in the database of DATABASE_URL"},
	{"sql", "", "print the SQL that creates the tables; needs no database"},
}

// flagCommands are the commands for which a flag has a meaning. A flag that is missing here has
// one for all of them. "all" is the command of a file alone.
var flagCommands = map[string][]string{
	"after":    {"remind"},
	"campaign": {"all", "enqueue", "remind", "pause", "resume"},
	"metadata": {"all", "enqueue"},
}

// flags returns the flags, which set the fields of p.
func (p *program) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("durable", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller reports errors
	p.instance = defaultInstance
	flags.DurationVar(&p.after, "after", 7*24*time.Hour, "the `time` that people have to accept before a reminder")
	flags.Func("campaign", "the `name` of the campaign to pause or resume (default: all), or under\nwhich to enqueue (default: the file's, or CAMPAIGN-reminder)", nonEmpty(&p.campaign))
	flags.Func("instance", "the `name` of the instance of Clerk that has the key (default: "+defaultInstance+")", nonEmpty(&p.instance))
	flags.Func("metadata", "`columns` that become public metadata, separated by commas", func(names string) error {
		p.metadata = strings.Split(names, ",")
		return nil
	})
	flags.Func("queue", "the `name` of the River queue, if it is not the instance's usual one", nonEmpty(&p.queue))
	return flags
}

// nonEmpty returns the function that sets a flag. An unset variable of a shell would mean all
// campaigns, or another instance.
func nonEmpty(target *string) func(string) error {
	return func(value string) error {
		if value == "" {
			return errors.New("it is empty")
		}
		*target = value
		return nil
	}
}

// help prints the whole usage.
func (p *program) help() {
	flags := p.flags()
	flags.SetOutput(p.stderr)
	fmt.Fprint(p.stderr, usage)
	for _, c := range commands {
		fmt.Fprintf(p.stderr, "  %-19s %s\n", c.name+" "+c.argument, c.does)
	}
	fmt.Fprint(p.stderr, "\nFlags, before or after the command:\n")
	flags.PrintDefaults()
	fmt.Fprint(p.stderr, environment)
}

// parse reads the command line. It returns the command and its argument, or what is wrong. The
// error is flag.ErrHelp if the usage is asked for.
func (p *program) parse(args []string) (name, argument string, err error) {
	flags := p.flags()
	var words []string
	for {
		if err := flags.Parse(args); err != nil {
			return "", "", err
		}
		if flags.NArg() == 0 {
			break
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
	if name, argument, err = find(words); err != nil {
		return "", "", err
	}
	flags.Visit(func(f *flag.Flag) {
		if names, some := flagCommands[f.Name]; some && !slices.Contains(names, name) {
			err = fmt.Errorf("-%s has no meaning for %s", f.Name, words[0])
		}
	})
	return name, argument, err
}

// find returns the command that words name, and its argument. A file alone means the command
// "all".
func find(words []string) (name, argument string, err error) {
	switch {
	case len(words) == 0:
		return "", "", errors.New("a command or PEOPLE.csv is missing")
	case strings.HasSuffix(words[0], ".csv") && len(words) == 1:
		return "all", words[0], nil
	case strings.HasSuffix(words[0], ".csv"):
		return "", "", fmt.Errorf("%s takes no argument", words[0])
	}
	name, words = words[0], words[1:]
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	if i < 0 {
		return "", "", fmt.Errorf("unknown command %q", name)
	}
	wanted := commands[i].argument
	switch {
	case wanted == "" && len(words) == 0:
		return name, "", nil
	case wanted == "":
		return "", "", fmt.Errorf("%s takes no argument", name)
	case len(words) == 0 || words[0] == "":
		return "", "", fmt.Errorf("%s: %s is missing", name, wanted)
	case len(words) > 1:
		return "", "", fmt.Errorf("%s takes one %s; put it in quotation marks if it has spaces", name, wanted)
	}
	return name, words[0], nil
}
