package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
	"github.com/clerk-invitations/clerk-go/examples/internal/people"
)

// A campaign is one run of the program.
type campaign struct {
	settings

	stdout, stderr io.Writer
	api            http.RoundTripper // nil for the network
	client         *clerk.Client
	budget         clerk.Budget
	perHour        int // invitations that the budget permits
	people         *people.List
	report         *report
	reportPath     string
	display        *display
}

// prepare does everything that can fail before anything is sent.
func (c *campaign) prepare() (err error) {
	input, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	c.people, err = people.ReadColumn(input, c.column, c.columns()...)
	if errors.Is(err, people.ErrNoAddresses) {
		return fmt.Errorf("%w; name it with -column, or remove what is above the line that names it", err)
	}
	if err != nil {
		return err
	}
	for i, req := range c.people.Requests {
		req.RedirectURL, req.ExpiresInDays = c.request.RedirectURL, c.request.ExpiresInDays
		req.Notify, req.TemplateSlug = c.request.Notify, c.request.TemplateSlug
		c.people.Requests[i] = req
	}
	c.report = newReport(c.people, c.dry)
	if err := c.connect(); err != nil {
		return err
	}
	kind := "report"
	switch {
	case c.status:
		kind = "status"
	case c.dry:
		kind = "dry-run"
	case c.isFake():
		kind = "fake"
	}
	name := strings.TrimSuffix(c.file, ".csv")
	c.reportPath = cmp.Or(c.settings.report, name+"."+kind+"-"+time.Now().Format("20060102-150405.000")+".csv")
	return tryCreate(c.reportPath)
}

// isFake reports whether the API is a fake inside the process.
func (c *campaign) isFake() bool { return c.secretKey == "" }

// connect creates the client and the display. A dry run and -status only list.
func (c *campaign) connect() (err error) {
	transport, key, server := cmp.Or(c.api, http.DefaultTransport), c.secretKey, cmp.Or(c.baseURL, clerk.DefaultBaseURL)
	c.budget = clerk.Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}
	if c.oneByOne {
		c.budget.BulkCreates = 0
	}
	c.perHour = c.budget.BulkCreates*clerk.MaxBulkInvitations + c.budget.Creates
	if c.isFake() {
		server = "a fake of Clerk, whose hours last a second"
		fake := clerktest.New(clerktest.WithRateLimits(clerktest.RateLimits{
			Creates: clerktest.Limit{Requests: 100, Per: time.Second},
			Bulks:   clerktest.Limit{Requests: 25, Per: time.Second},
		}))
		key, transport, c.budget.Window = fake.SecretKey(), fake, time.Second
	}
	c.display = newDisplay(c.stderr, c.report, server, min(c.budget.Window, 10*time.Second))
	transport = &watch{transport, c.display}
	if c.dry || c.status {
		transport, c.budget = &dryRun{next: transport}, clerk.Budget{Creates: math.MaxInt, BulkCreates: math.MaxInt, Window: time.Second}
	}
	opts := []clerk.Option{
		clerk.WithAppName("importer"),
		clerk.WithHTTPClient(&http.Client{Transport: transport}),
	}
	if c.baseURL != "" {
		opts = append(opts, clerk.WithBaseURL(c.baseURL))
	}
	c.client, err = clerk.NewClient(key, opts...)
	return err
}

// run invites everybody, writes the report, and returns the exit code.
func (c *campaign) run(ctx context.Context) int {
	for _, note := range c.people.Notes {
		c.println(c.stderr, "Note: "+note)
	}
	if c.status {
		return c.showStatus(ctx)
	}
	if c.metadata != "" && !c.oneByOne && !c.isFake() {
		c.println(c.stderr, bulkMetadata)
	}
	failure := c.inviteAll(ctx)
	if ctx.Err() != nil && c.report.count(notSent)+c.report.count(unknown) == 0 {
		failure = nil // it was stopped after the last line
	}
	stopped := failure != nil && ctx.Err() != nil
	c.summarise(failure, stopped)
	if err := c.report.write(c.reportPath); err != nil {
		c.println(c.stderr, "importer: the report could not be written: "+err.Error())
		c.println(c.stderr, explainLostReport(c.dry || c.isFake()))
		failure = cmp.Or(failure, err)
	} else {
		fmt.Fprintln(c.stdout, "report:", c.reportPath)
	}
	switch {
	case stopped:
		return exitStopped
	case failure != nil:
		return exitFailed
	case c.report.count(refused)+c.report.count(unknown) > 0:
		return exitRefused
	}
	return 0
}

// showStatus writes a report of the state of each address, and returns the exit code.
func (c *campaign) showStatus(ctx context.Context) int {
	states, err := c.readStates(ctx)
	if err != nil {
		if ctx.Err() != nil {
			c.println(c.stderr, "importer: stopped")
			return exitStopped
		}
		c.println(c.stderr, "importer: "+explainEnd(err))
		if errors.Is(err, clerk.ErrUnauthorized) {
			c.println(c.stderr, "Correct CLERK_SECRET_KEY, then run the same command again.")
		}
		return exitFailed
	}
	c.report.addStates(states)
	c.println(c.stdout, count(c.report.total(), "line")+": "+c.report.summary(notSent))
	if c.isFake() {
		c.println(c.stdout, "CLERK_SECRET_KEY is not set, so Clerk was a fake, which has invited nobody.")
	}
	if err := c.report.write(c.reportPath); err != nil {
		c.println(c.stderr, "importer: the report could not be written: "+err.Error())
		return exitFailed
	}
	fmt.Fprintln(c.stdout, "report:", c.reportPath)
	return 0
}

// readStates refuses the lines that a run would refuse, and returns the states of the
// addresses.
func (c *campaign) readStates(ctx context.Context) (map[string]state, error) {
	c.display.start(ctx)
	defer c.display.close()
	for result, err := range c.client.Invitations.CreateAll(ctx, slices.Values(c.people.Requests),
		clerk.WithBudget(c.budget), clerk.WithSkipNone()) { // it sends nothing
		if err != nil {
			return nil, err
		}
		if result.Outcome == clerk.OutcomeRejected {
			c.report.add(result)
		}
	}
	return readStates(ctx, c.client, c.report.keys(), func(listed int) {
		c.display.show(clerk.Progress{Listed: listed})
	})
}

// inviteAll invites everybody, and returns why it ended early.
func (c *campaign) inviteAll(ctx context.Context) (failure error) {
	c.display.start(ctx)
	defer c.display.close()
	if err := c.compareMetadata(ctx); err != nil {
		return err
	}
	results := c.client.Invitations.CreateAll(ctx, slices.Values(c.people.Requests),
		clerk.WithBudget(c.budget), clerk.WithProgress(c.display.show))
	for result, err := range results {
		if err != nil {
			failure = err
			continue
		}
		c.report.add(result)
	}
	return failure
}

// compareMetadata says how many addresses have invitations with other metadata. The end of a
// run of hours would be too late for that. If pages of the list are missing, for instance as
// others revoke invitations, the run continues without it.
func (c *campaign) compareMetadata(ctx context.Context) error {
	differ, err := compareMetadata(ctx, c.client, c.report, c.people.Requests, func(listed int) {
		c.display.show(clerk.Progress{Listed: listed})
	})
	if meta, _ := clerk.MetaFromError(err); err != nil && meta.StatusCode != http.StatusOK {
		return err // the run would not get further
	}
	switch {
	case err != nil:
		c.display.note("Note: it is not known who has an earlier invitation with other metadata (" + err.Error() + ")")
	case differ > 0:
		c.display.note(explainOtherMetadata(differ))
	}
	return nil
}

// summarise prints the result, and how to resume.
func (c *campaign) summarise(failure error, stopped bool) {
	c.println(c.stdout, count(c.report.total(), "line")+": "+c.report.summary(notSent))
	if c.report.unusual > 0 {
		c.println(c.stdout, explainUnusual(c.report.unusual))
	}
	if n := c.report.count(wouldBeInvited); c.dry && n > c.perHour {
		c.println(c.stdout, fmt.Sprintf("Inviting them takes about %s, at %d an hour.", count((n-1)/c.perHour, "hour"), c.perHour))
	}
	if c.isFake() {
		c.println(c.stdout, "Nobody was invited: CLERK_SECRET_KEY is not set, so Clerk was a fake.")
	}
	switch {
	case failure == nil:
		return
	case stopped && !errors.Is(failure, clerk.ErrOutcomeUnknown):
		c.println(c.stderr, "importer: stopped")
	default:
		c.println(c.stderr, "importer: "+explainEnd(failure))
	}
	if !c.isFake() {
		c.println(c.stderr, explainResume(failure))
	}
}

// println prints a text, in lines that fit the terminal.
func (c *campaign) println(w io.Writer, text string) {
	for _, line := range wrap(text, c.display.width()) {
		fmt.Fprintln(w, line)
	}
}
