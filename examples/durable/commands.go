package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go/clerkriver"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// A program is one run of the command.
type program struct {
	secretKey, baseURL, databaseURL string
	campaign, instance, queue       string
	metadata                        []string // columns of the file
	after                           time.Duration
	stdout, stderr                  io.Writer
}

// manage executes the commands that send nothing.
func (p *program) manage(ctx context.Context, s *service, name, argument string) error {
	if err := check(ctx, s, name, argument); err != nil {
		return err
	}
	campaign := nameOf(argument)
	var done string // said instead of a status
	var err error
	switch name {
	case "enqueue":
		campaign = cmp.Or(p.campaign, campaign)
		_, err = p.enqueue(ctx, s, campaign, argument)
	case "remind":
		of := campaign
		campaign = cmp.Or(p.campaign, of+"-reminder")
		err = p.remind(ctx, s, of, campaign)
	case "report":
		return writeReport(ctx, s, campaign, p.stdout)
	case "cancel":
		err = s.cancel(ctx, campaign)
	case "delete":
		done, err = s.delete(ctx, campaign)
	case "pause", "resume":
		if err := p.hold(ctx, s, name, argument); err != nil {
			return err
		}
		if campaign = p.campaign; campaign == "" {
			return p.showInstance(ctx, s)
		}
	case "exclude":
		done, err = s.exclude(ctx, argument)
	case "erase":
		done, err = p.erase(ctx, s, argument)
	case "list":
		return p.list(ctx, s)
	}
	if err != nil {
		return err
	}
	if done != "" {
		_, err = fmt.Fprintln(p.stderr, done)
		return err
	}
	st, err := s.campaigns.Status(ctx, campaign)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, s.describe(st))
	return err
}

// check refuses commands that would have no effect or show nothing, because of a typing error.
func check(ctx context.Context, s *service, name, argument string) error {
	switch name {
	case "enqueue": // perhaps the instance's first campaign
		return nil
	case "exclude", "erase":
		if !strings.Contains(argument, "@") {
			return fmt.Errorf("%q is not an email address; nothing was done", argument)
		}
	case "pause", "resume":
	default:
		if s.config.Instance == defaultInstance { // nobody has typed it
			return nil
		}
	}
	return s.requireInstance(ctx)
}

// hold pauses or resumes the instance, or one campaign, and says so. A pause replaces the reason
// of an earlier one.
func (p *program) hold(ctx context.Context, s *service, name, reason string) error {
	earlier, err := s.pauseReason(ctx, p.campaign)
	if err != nil {
		return err
	}
	switch {
	case name == "pause" && p.campaign != "":
		err = s.campaigns.PauseCampaign(ctx, p.campaign, reason)
	case name == "pause":
		err = s.campaigns.Pause(ctx, reason)
	case p.campaign != "":
		err = s.campaigns.ResumeCampaign(ctx, s.river, p.campaign)
	default:
		err = s.campaigns.Resume(ctx, s.river)
	}
	if err != nil {
		return err
	}
	text := cmp.Or(p.campaign, "the instance "+s.config.Instance)
	switch {
	case name == "pause" && earlier == "":
		text += " was paused"
	case name == "pause":
		text += " was already paused; the earlier reason was: " + earlier
	case earlier == "" && p.campaign != "":
		text += " was not paused; missing wakes were scheduled"
	case earlier == "":
		text += " was not paused; missing wakes were scheduled, and the service gets the results again that it has refused"
	default:
		text += " was resumed; the reason of the pause was: " + earlier
	}
	_, err = fmt.Fprintln(p.stderr, text)
	return err
}

// migrate creates the tables, and says which were missing.
func (p *program) migrate(ctx context.Context, s *service) error {
	done, err := s.migrate(ctx)
	if err != nil {
		return err
	}
	if len(done) == 0 {
		done = []string{"no table was missing"}
	}
	_, err = fmt.Fprintln(p.stderr, strings.Join(done, "\n"))
	return err
}

// list prints the campaigns of the instance, and what they share.
func (p *program) list(ctx context.Context, s *service) error {
	all, err := s.campaigns.List(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		fmt.Fprintln(p.stdout, s.describe(&all[i]))
	}
	return p.showInstance(ctx, s)
}

// showInstance prints what the campaigns share.
func (p *program) showInstance(ctx context.Context, s *service) error {
	shared, err := s.campaigns.InstanceStatus(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, s.describeInstance(shared))
	return err
}

// enqueue adds the campaign of a file, and returns how many of its lines cannot be read.
func (p *program) enqueue(ctx context.Context, s *service, campaign, file string) (unread int, err error) {
	input, err := os.ReadFile(file) //nolint:gosec // the file that the user names
	if err != nil {
		return 0, err
	}
	list, err := people.Read(input, p.metadata...)
	if err != nil {
		return 0, err
	}
	for _, note := range list.Notes {
		fmt.Fprintln(p.stderr, "note:", note)
	}
	rows := func(yield func(clerkriver.Row) bool) {
		for _, row := range list.Rows {
			if row.Request >= 0 && !yield(clerkriver.Row{Ref: strconv.Itoa(row.Line), Request: list.Requests[row.Request]}) {
				return
			}
		}
	}
	added := 0
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		added, err = s.campaigns.EnqueueTx(ctx, s.river, tx, campaign, rows, nil)
		return err
	})
	if errors.Is(err, clerkriver.ErrCampaignExists) {
		err = fmt.Errorf("%w; enqueue these under another name, with -campaign", err)
	}
	if err != nil {
		return 0, err
	}
	for _, row := range list.Rows {
		if row.Request < 0 {
			unread++
			fmt.Fprintf(p.stderr, "line %d is not in the campaign: %s\n", row.Line, row.Problem)
		}
	}
	fmt.Fprintf(p.stderr, "%s: %s enqueued\n", campaign, plural(added))
	return unread, nil
}

// remind adds a reminder of a campaign.
func (p *program) remind(ctx context.Context, s *service, of, campaign string) error {
	added := 0
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		added, err = s.campaigns.RemindTx(ctx, s.river, tx, of, campaign, clerkriver.Reminder{After: p.after})
		return err
	})
	if errors.Is(err, clerkriver.ErrCampaignExists) {
		err = fmt.Errorf("%w; remind under another name, with -campaign", err)
	}
	if err == nil {
		fmt.Fprintf(p.stderr, "%s: %s enqueued\n", campaign, plural(added))
	}
	return err
}

// erase erases a person from the campaigns, and then their invitations at Clerk. It returns what
// was done.
func (p *program) erase(ctx context.Context, s *service, address string) (done string, err error) {
	if p.secretKey == "" {
		return "", errors.New("CLERK_SECRET_KEY is not set; nothing was erased")
	}
	client, err := s.newClient(p.secretKey, p.baseURL, nil)
	if err != nil {
		return "", fmt.Errorf("nothing was erased: %w", err)
	}
	rows, err := s.rowsOf(ctx, address)
	if err == nil {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.campaigns.ErasePersonTx(ctx, tx, address) })
	}
	if err != nil {
		return "", err
	}
	if err := client.Invitations.Erase(ctx, address); err != nil {
		return "", fmt.Errorf("the person was erased from the campaigns, but not at Clerk; run it again: %w", err)
	}
	if rows == 0 {
		return "no campaign had the address; Clerk has no invitation of it anymore", nil
	}
	return "the person was erased from " + plural(rows) + "; Clerk has no invitation of the address anymore", nil
}

// nameOf returns a campaign's name, even if its file is given.
func nameOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".csv") }

// plural returns a number of rows as text.
func plural(n int) string {
	if n == 1 {
		return "1 row"
	}
	return strconv.Itoa(n) + " rows"
}
