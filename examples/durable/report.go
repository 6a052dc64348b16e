package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

var inOrder = []string{
	clerk.OutcomeCreated.String(), clerk.OutcomeAlreadyInvited.String(), clerk.OutcomeAlreadyUser.String(),
	clerk.OutcomeRefused.String(), inDoubt, cancelled, underWay, waiting,
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
		text += fmt.Sprintf("; tried again at %s: %s", clock(s.retry), s.failure)
	}
	return text
}

// unsent is how many rows have nothing to hope for.
func (s *status) unsent() int {
	return s.counts[clerk.OutcomeRefused.String()] + s.counts[inDoubt] + s.counts[cancelled]
}

func (s *status) done() bool { return s.counts[waiting]+s.counts[underWay] == 0 }

// clock is a time of day, with its date if that is another day.
func clock(t time.Time) string {
	t = t.Truncate(time.Second)
	if t.YearDay() == time.Now().YearDay() {
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
