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
	clerk.OutcomeRefused.String(), failed, cancelled, waiting,
}

// String is the status in one line.
func (s *status) String() string {
	parts := []string{fmt.Sprintf("%s, %d rows:", s.campaign, s.rows)}
	for _, outcome := range inOrder {
		if n := s.counts[outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s,", n, outcome))
		}
	}
	text := strings.TrimSuffix(strings.Join(parts, " "), ",")
	switch {
	case s.done():
		return text
	case s.stopped != "":
		return text + "; stopped: " + s.stopped
	case !s.until.IsZero():
		text += " until " + clock(s.until)
	}
	return text + "; to end about " + clock(s.end)
}

// unsent is how many rows have nothing to hope for.
func (s *status) unsent() int {
	return s.counts[clerk.OutcomeRefused.String()] + s.counts[failed] + s.counts[cancelled]
}

func (s *status) done() bool { return s.counts[waiting] == 0 }

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
