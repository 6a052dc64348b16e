package clerkriver

import (
	"fmt"
	"strings"
	"time"
)

// String returns the status in one line for people, with local times:
//
//	spring, 500 rows: 340 created, 160 waiting until 2026-11-29 09:12:01 UTC; to end about 2026-11-29 09:12:01 UTC
//
// It has no address.
func (s Status) String() string {
	var counts []string
	for _, state := range states {
		if n := s.Counts[state]; n > 0 {
			text := fmt.Sprint(n, " ", strings.ReplaceAll(string(state), "_", " "))
			if state == StateRevoked && s.Replaced > 0 {
				text += fmt.Sprintf(" (%d for a reminder)", s.Replaced)
			}
			counts = append(counts, text)
		}
	}
	rows := "rows"
	if s.Rows == 1 {
		rows = "row"
	}
	text := fmt.Sprintf("%s, %d %s: %s", s.Name, s.Rows, rows, strings.Join(counts, ", "))
	waits := !s.Done() && s.Paused == ""
	if waits && !s.WaitUntil.IsZero() && s.Counts[StateWaiting] > 0 {
		text += " until " + clock(s.WaitUntil)
	}
	text += untold(s.Untold)
	if waits && !s.EstimatedEnd.IsZero() {
		text += "; to end " + s.end()
	}
	switch {
	case s.Done():
	case s.Paused != "":
		text += pause(s.Paused, s.PausedUntil)
	case !s.OverdueSince.IsZero():
		text += "; " + s.Problem
	case s.Problem != "":
		text += "; last problem: " + s.Problem
	}
	return text
}

// end describes the estimated end.
func (s *Status) end() string {
	if s.EstimatedEnd.Before(s.asked.Add(time.Minute)) {
		return "soon"
	}
	return "about " + clock(s.EstimatedEnd)
}

// String returns the status in one line for people, with local times:
//
//	instance default: 12 of 90 creates and 0 of 25 bulk creates free for campaigns, run 7, the next one about 2026-11-29 09:12:01 UTC
func (s InstanceStatus) String() string {
	text := fmt.Sprintf("instance %s: %d of %d creates and %d of %d bulk creates free for campaigns, run %d",
		s.Instance, s.Creates.Free, s.Creates.Budget, s.BulkCreates.Free, s.BulkCreates.Budget, s.Run)
	if !s.LeasedUntil.IsZero() {
		text += " is under way"
	}
	if s.Paused != "" {
		return text + untold(s.Untold) + pause(s.Paused, s.PausedUntil)
	}
	if s.LeasedUntil.IsZero() && !s.NextWake.IsZero() {
		text += ", the next one about " + clock(s.NextWake)
	}
	if !s.OverdueSince.IsZero() {
		text += ", which is late"
	}
	if s.Problem != "" {
		text += "; last problem: " + s.Problem
	}
	return text + untold(s.Untold)
}

// untold describes the results and changes that were not accepted.
func untold(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d not yet accepted by OnResult or OnChange", n)
}

// pause describes a pause.
func pause(reason string, until time.Time) string {
	if until.IsZero() {
		return "; paused until it is resumed: " + reason
	}
	return "; paused until " + clock(until) + ": " + reason
}

func clock(t time.Time) string { return t.Local().Format(time.DateTime + " MST") }
