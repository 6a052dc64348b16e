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

const usage = `usage: durable [flags] PEOPLE.csv | enqueue PEOPLE.csv | work | status CAMPAIGN |
         report CAMPAIGN | remind CAMPAIGN | cancel CAMPAIGN | delete CAMPAIGN |
         list | pause REASON | resume | exclude ADDRESS | erase ADDRESS | migrate | sql

Flags may stand before or after the command.
`

// environment is the part of the usage that is not about flags.
const environment = `
Environment:
  CLERK_SECRET_KEY  the secret key of the instance, "sk_...", for PEOPLE.csv, work and erase.
                    Without it, PEOPLE.csv is a rehearsal with a fake of Clerk inside the
                    program: nobody is invited.
  CLERK_BASE_URL    another API than Clerk's, such as a fakeclerk's
  DATABASE_URL      the database, such as that of a service with campaigns. Without it,
                    durable runs its own PostgreSQL, in the folder durable-postgres.

Exit codes:
  0    all went well
  1    it failed
  2    it was called wrongly and did nothing
  3    PEOPLE.csv: some rows were not sent, the report says why
  130  it was stopped; run the same command again
`

// arguments are the commands, with the names of their arguments; empty if there is none.
var arguments = map[string]string{
	"enqueue": "PEOPLE.csv", "work": "", "status": "CAMPAIGN", "report": "CAMPAIGN", "remind": "CAMPAIGN",
	"cancel": "CAMPAIGN", "delete": "CAMPAIGN", "list": "", "pause": "REASON", "resume": "",
	"exclude": "ADDRESS", "erase": "ADDRESS", "migrate": "", "sql": "",
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
	flags.Func("campaign", "the `name` to enqueue a file or a reminder under; by default the file's, or CAMPAIGN-reminder.\nThe campaign to pause or resume; by default all", nonEmpty(&p.campaign))
	flags.DurationVar(&p.after, "after", 7*24*time.Hour, "the `time` that people have to accept before they are reminded")
	flags.Func("metadata", "`columns` that become public metadata, separated by commas", func(names string) error {
		p.metadata = strings.Split(names, ",")
		return nil
	})
	flags.Func("instance", "a `name` for the instance of Clerk that the key belongs to (default \""+defaultInstance+"\")", nonEmpty(&p.instance))
	flags.Func("queue", "the `name` of the River queue, if it is another than the instance's usual one", nonEmpty(&p.queue))
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
	fmt.Fprint(p.stderr, usage, "\n")
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
	wanted, known := arguments[name]
	switch {
	case !known:
		return "", "", fmt.Errorf("unknown command %q", name)
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
