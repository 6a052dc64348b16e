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
	if n := s.Counts[StateWaiting]; n > 0 && !s.CancelledAt.IsZero() {
		text += " to be looked up"
	}
	waits := !s.Done() && s.Paused == ""
	if waits && !s.WaitUntil.IsZero() && s.Counts[StateWaiting] > 0 {
		text += " until " + clock(s.WaitUntil)
	}
	text += untold(s.Untold)
	if waits && s.EstimatedEnd.After(s.asked.Add(time.Minute)) {
		text += "; to end about " + clock(s.EstimatedEnd)
	}
	switch {
	case s.Done():
	case s.Paused != "":
		text += s.pauses()
	case !s.OverdueSince.IsZero():
		text += "; " + s.Problem
	case s.Problem != "":
		text += lastProblem(s.Problem, s.ProblemSince)
	}
	return text
}

// pauses describes the pauses of the instance and of the campaign alone.
func (s *Status) pauses() (text string) {
	if s.CampaignPaused == "" || s.InstancePaused != "" {
		text = pause(s.Paused, s.PausedUntil)
	}
	if s.CampaignPaused != "" {
		text += "; this campaign is paused until it is resumed: " + s.CampaignPaused
	}
	return text
}

// String returns the status in one line for people, with local times:
//
//	instance default: 12 of 90 creates and 0 of 25 bulk creates free for campaigns, run 7, the next run or sync about 2026-11-29 09:12:01 UTC
func (s InstanceStatus) String() string {
	text := fmt.Sprintf("instance %s: %d of %d creates and %d of %d bulk creates free for campaigns",
		s.Instance, s.Creates.Free, s.Creates.Budget, s.BulkCreates.Free, s.BulkCreates.Budget)
	if at := s.freeAt(); !at.IsZero() {
		text += ", again at " + clock(at)
	}
	text += fmt.Sprintf(", run %d", s.Run)
	if !s.LeasedUntil.IsZero() {
		text += " is under way"
	}
	switch {
	case s.Paused != "":
		return text + untold(s.Untold) + pause(s.Paused, s.PausedUntil) + s.pausedCampaigns()
	case !s.OverdueSince.IsZero():
		text += ", the next one late since " + clock(s.OverdueSince)
	case s.LeasedUntil.IsZero() && !s.NextWake.IsZero():
		text += ", the next run or sync about " + clock(s.NextWake)
	}
	if s.Problem != "" {
		text += lastProblem(s.Problem, s.ProblemSince)
	}
	return text + untold(s.Untold) + s.pausedCampaigns()
}

// freeAt returns the time at which campaigns may send again; zero if that is now, or never.
func (s *InstanceStatus) freeAt() time.Time {
	creates, bulks := s.Creates.FreeAt, s.BulkCreates.FreeAt
	switch {
	case s.Creates.Free+s.BulkCreates.Free > 0:
		return time.Time{}
	case bulks.IsZero() || !creates.IsZero() && creates.Before(bulks):
		return creates
	}
	return bulks
}

// pausedCampaigns says how many campaigns are paused alone.
func (s *InstanceStatus) pausedCampaigns() string {
	switch s.PausedCampaigns {
	case 0:
		return ""
	case 1:
		return "; 1 campaign is paused alone"
	}
	return fmt.Sprintf("; %d campaigns are paused alone", s.PausedCampaigns)
}

// untold describes the results and changes that OnResult and OnChange have not accepted.
func untold(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d not yet stored by OnResult or OnChange", n)
}

// lastProblem describes a problem, and since when there is one.
func lastProblem(problem string, since time.Time) string {
	if since.IsZero() {
		return "; last problem: " + problem
	}
	return "; last problem, since " + clock(since) + ": " + problem
}

// pause describes a pause.
func pause(reason string, until time.Time) string {
	if until.IsZero() {
		return "; paused until it is resumed: " + reason
	}
	return "; paused until " + clock(until) + ": " + reason
}
