package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/clerk-invitations/clerk-go"
)

// A status is how far a campaign has got.
type status struct {
	campaign string
	rows     int
	counts   map[string]int // of rows, by outcome
	stopped  string         // why nothing is sent
	failure  string         // of a job that is to be tried again
	until    time.Time      // before which nothing can be sent; zero when something can
	end      time.Time      // about
	jobs     []job
}

// status reads all of a campaign's jobs.
func (s *store) status(ctx context.Context, campaign string) (*status, error) {
	jobs, err := s.existing(ctx, campaign)
	if err != nil {
		return nil, err
	}
	st := &status{campaign: campaign, counts: map[string]int{}, jobs: jobs}
	for _, j := range jobs {
		for _, r := range j.Rows {
			st.rows++
			st.counts[j.result(r).Outcome]++
		}
		if j.isRetried() {
			st.failure = j.failure()
		}
	}
	if st.done() {
		return st, nil
	}
	if st.stopped, err = s.stopped(ctx); err != nil {
		return nil, err
	}
	return st, s.foresee(ctx, st)
}

// foresee finds when a campaign goes on and ends. Others may be ahead of it, and all share
// the limit.
func (s *store) foresee(ctx context.Context, st *status) error {
	places, err := s.limit.look(ctx)
	if err != nil {
		return err
	}
	all, err := s.list(ctx, river.NewJobListParams().States(rivertype.JobStateAvailable, rivertype.JobStateScheduled,
		rivertype.JobStateRetryable, rivertype.JobStateRunning))
	if err != nil {
		return err
	}
	open := 0
	for _, j := range all {
		open += len(j.unsettled())
	}
	now := time.Now()
	st.end = s.limit.estimate(places, open)
	st.until = now.Add(s.limit.wait(places))
	if first, last := schedule(st.jobs); last.After(now) {
		st.until, st.end = later(st.until, first), later(st.end, last)
	}
	if !st.until.After(now) {
		st.until = time.Time{}
	}
	return nil
}

// schedule is when the first and the last of the jobs that have not ended are due.
func schedule(jobs []job) (first, last time.Time) {
	for _, j := range jobs {
		if due := j.row.ScheduledAt; j.row.FinalizedAt == nil {
			if first.IsZero() || due.Before(first) {
				first = due
			}
			last = later(last, due)
		}
	}
	return first, last
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

var inOrder = []string{
	clerk.OutcomeCreated.String(), clerk.OutcomeAlreadyInvited.String(), clerk.OutcomeUserExists.String(),
	clerk.OutcomeRejected.String(), inDoubt, cancelled, underWay, waiting,
}

// String is the status in one line.
func (s *status) String() string {
	text := s.summary()
	if s.done() || s.stopped != "" {
		return text
	}
	return text + "; to end about " + clock(s.end)
}

// summary is the status without its end, which moves with the clock when nothing else does.
func (s *status) summary() string {
	var counts []string
	for _, outcome := range inOrder {
		if n := s.counts[outcome]; n > 0 {
			counts = append(counts, fmt.Sprint(n, " ", outcome))
		}
	}
	text := fmt.Sprintf("%s, %d rows: %s", s.campaign, s.rows, strings.Join(counts, ", "))
	switch {
	case s.done():
		return text
	case s.stopped != "":
		return text + "; stopped, until \"durable resume\": " + s.stopped
	case !s.until.IsZero() && s.counts[waiting] > 0:
		text += " until " + clock(s.until)
	}
	if s.failure != "" {
		text += "; the last attempt failed: " + s.failure
	}
	return text
}

// unsent is how many rows have nothing to hope for.
func (s *status) unsent() int {
	return s.counts[clerk.OutcomeRejected.String()] + s.counts[inDoubt] + s.counts[cancelled]
}

func (s *status) done() bool { return s.counts[waiting]+s.counts[underWay] == 0 }

// clock is a time of day, with its date if that is another day.
func clock(t time.Time) string {
	t = t.Local().Truncate(time.Second)
	if t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// writeReport writes a line for each line of the campaign's file, as CSV.
func (s *status) writeReport(w io.Writer) error {
	lines := csv.NewWriter(w)
	_ = lines.Write([]string{"line", "email_address", "outcome", "invitation_id", "problem"}) // Error tells
	for _, j := range s.jobs {
		for _, r := range j.Rows {
			known := j.result(r)
			_ = lines.Write([]string{
				strconv.Itoa(r.Line), r.Request.EmailAddress, known.Outcome, known.InvitationID, known.Problem,
			})
		}
	}
	lines.Flush()
	return lines.Error()
}
