package clerkriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// A Status is the progress of a campaign.
type Status struct {
	// Name is the campaign's name.
	Name string
	// Rows is the number of rows, and Counts how many of them are in each state.
	Rows   int
	Counts map[State]int
	// Replaced is the part of the revoked rows whose person has the invitation of a reminder
	// instead; see [Campaigns.RemindTx].
	Replaced int
	// Untold is the number of results that [Config].OnResult has not accepted yet, plus the
	// number of changes that [Config].OnChange has not.
	Untold int
	// Priority and NotBefore are those of [EnqueueOpts]; NotBefore is later if the campaign
	// was resumed or rescheduled.
	Priority  int32
	NotBefore time.Time
	// EnqueuedAt is the time at which the campaign was enqueued, CancelledAt at which it was
	// cancelled, and FinishedAt at which all rows had an outcome. It is zero if that has not
	// happened.
	EnqueuedAt, CancelledAt, FinishedAt time.Time
	// Paused says why the campaign or the instance is paused; empty if neither is. It is
	// InstancePaused if that is not empty, and CampaignPaused otherwise.
	Paused string
	// InstancePaused says why all campaigns are paused, until [Campaigns.Resume] or
	// PausedUntil. CampaignPaused says why this one is paused, until [Campaigns.ResumeCampaign].
	// They are empty without such a pause.
	InstancePaused, CampaignPaused string
	// PausedUntil is the time at which the instance tries again by itself; zero if it is not
	// paused, or a person paused it.
	PausedUntil time.Time
	// Problem says why the run of the instance that is under way waits, why the last one ended
	// early, or that the next one is late; empty if none applies. It stays until Clerk answers
	// for a row, or a run ends well, other than one that only made a sync while rows waited.
	Problem string
	// ProblemSince is the time since which Clerk or the database has failed, as far as runs have
	// found out, even if the words changed; zero if they have not.
	ProblemSince time.Time
	// OverdueSince is the time at which the next run was due, but not before the last one
	// ended, if rows of the campaign could be sent and the run is late by two [Config].Wake, and
	// at least ten seconds: no process works on the wake jobs. Otherwise it is zero.
	OverdueSince time.Time
	// WaitUntil is the time at which the next row can be sent; zero if that is now, or nothing
	// is left to send. Only [Campaigns.Status] sets it.
	WaitUntil time.Time
	// EstimatedEnd is roughly the time at which the last row will have been sent, if nobody
	// else uses the budget and no campaign is enqueued ahead of this one. It is zero if
	// nothing is left to send, or there is a Problem. Only [Campaigns.Status] sets it.
	EstimatedEnd time.Time

	id    int64
	asked time.Time // by the database's clock
}

// Done reports whether every row has an outcome.
func (s *Status) Done() bool { return s.Counts[StateWaiting]+s.Counts[StateSending] == 0 }

// Status returns the progress of a campaign. It takes about as long for a million rows as
// for a few.
func (c *Campaigns) Status(ctx context.Context, name string) (*Status, error) {
	all, next, err := c.statuses(ctx, name)
	if err != nil {
		return nil, err
	}
	if name == "" || len(all) == 0 {
		return nil, noCampaign(name)
	}
	s := &all[0]
	if s.Done() || s.Paused != "" {
		return s, nil
	}
	return s, explain(c.forecast(ctx, s, next))
}

// List returns the progress of all campaigns that were not deleted, in the order in which
// they were enqueued.
func (c *Campaigns) List(ctx context.Context) ([]Status, error) {
	all, _, err := c.statuses(ctx, "")
	return all, err
}

// statuses returns the status of the campaign of a name, or of all, and when the next run is
// due.
func (c *Campaigns) statuses(ctx context.Context, name string) (all []Status, next due, err error) {
	rows, err := c.pool.Query(ctx, c.sql(queryStatus), c.config.Instance, name)
	if err != nil {
		return nil, next, explain(err)
	}
	if all, err = pgx.CollectRows(rows, scanStatus); err != nil {
		return nil, next, explain(err)
	}
	if next, err = c.due(ctx, true); err != nil {
		return nil, next, err
	}
	for i := range all {
		if s := &all[i]; !next.late.IsZero() && !s.Done() && s.Paused == "" && !s.NotBefore.After(next.clock) {
			s.OverdueSince, s.Problem = next.late, overdue(next.late, s.Problem)
		}
	}
	return all, next, nil
}

// overdue returns a text that says that the next run is late, followed by the last problem.
func overdue(since time.Time, problem string) string {
	text := "no run has begun since " + clock(since) + ", when one was due: no process with Campaigns.Install works on the queue"
	if problem != "" {
		text += "; the last run ended early: " + problem
	}
	return text
}

func scanStatus(row pgx.CollectableRow) (Status, error) {
	s := Status{}
	var cancelled, finished *time.Time
	var pausedAlone, paused bool
	var reasonAlone, reason string
	var pausedUntil time.Time
	var sending, unclear int
	counts := map[string]int{}
	err := row.Scan(&s.id, &s.Name, &s.Rows, &s.Priority, &s.NotBefore, &s.EnqueuedAt, &cancelled, &finished,
		&pausedAlone, &reasonAlone, &counts, &sending, &unclear, &paused, &reason, &pausedUntil, &s.Problem, &s.ProblemSince)
	if err != nil {
		return s, err
	}
	s.NotBefore, s.ProblemSince = timeOrZero(s.NotBefore), timeOrZero(s.ProblemSince)
	if cancelled != nil {
		s.CancelledAt = *cancelled
	}
	if finished != nil {
		s.FinishedAt = *finished
	}
	if paused {
		s.InstancePaused, s.PausedUntil = reasonOf(reason), timeOrZero(pausedUntil)
	}
	if pausedAlone {
		s.CampaignPaused = reasonOf(reasonAlone)
	}
	s.Paused = cmp.Or(s.InstancePaused, s.CampaignPaused)
	s.count(counts, sending, unclear)
	return s, nil
}

func reasonOf(reason string) string {
	if reason == "" {
		return "no reason given"
	}
	return reason
}

// count sets the counts. Rows that were not taken, or certainly not sent, are waiting or, if
// the campaign was cancelled, cancelled.
func (s *Status) count(outcomes map[string]int, sending, unclear int) {
	s.Untold, s.Replaced = outcomes[stateUntold], outcomes[stateReplaced]
	delete(outcomes, stateUntold)
	delete(outcomes, stateReplaced)
	s.Counts = map[State]int{}
	open := s.Rows
	for state, n := range outcomes {
		open -= n
		s.add(State(state), n)
	}
	s.add(StateSending, sending)
	if s.CancelledAt.IsZero() {
		s.add(StateWaiting, open-sending)
		return
	}
	s.add(StateWaiting, unclear)
	s.add(StateCancelled, open-sending-unclear)
}

func (s *Status) add(state State, n int) {
	if n > 0 {
		s.Counts[state] += n
	}
}

// forecast estimates when a campaign continues and ends.
func (c *Campaigns) forecast(ctx context.Context, s *Status, next due) error {
	var open int
	if err := c.pool.QueryRow(ctx, c.sql(queryAhead), c.config.Instance, s.Priority, s.id).Scan(&open); err != nil {
		return err
	}
	now := next.clock
	s.asked = now
	free, err := c.freeSlots(ctx, now)
	if err != nil {
		return err
	}
	begin := later(now, s.NotBefore)
	first := later(begin, free[0].At)
	if next.failed && s.Problem != "" { // otherwise a run is under way, and Clerk answers
		first = later(first, next.at)
	}
	if first.After(now) {
		s.WaitUntil = first
	}
	if s.Problem == "" {
		s.EstimatedEnd = later(first, estimate(free, open, now, c.config.Budget.Window))
	}
	return nil
}

// A freeSlot says when a slot becomes free.
type freeSlot struct {
	Kind string
	At   time.Time
}

// freeSlots returns when the slots of the budget become free, earliest first.
func (c *Campaigns) freeSlots(ctx context.Context, now time.Time) ([]freeSlot, error) {
	rows, err := c.pool.Query(ctx, c.sql(queryBudget), c.config.Instance, c.config.Budget.Creates, c.config.Budget.BulkCreates)
	if err != nil {
		return nil, err
	}
	free, err := pgx.CollectRows(rows, pgx.RowToStructByPos[freeSlot])
	if err != nil || len(free) > 0 {
		return free, err
	}
	for range c.config.Budget.BulkCreates { // nothing was ever sent
		free = append(free, freeSlot{kindBulk, now})
	}
	for range c.config.Budget.Creates {
		free = append(free, freeSlot{kindCreate, now})
	}
	return free, nil
}

// estimate returns roughly when that many rows will have been sent, if slots are used as they
// become free and bulk creates are full. The slots are in the order in which they become free.
func estimate(free []freeSlot, rows int, now time.Time, window time.Duration) time.Time {
	perWindow := 0
	for _, next := range free {
		perWindow += next.rows()
	}
	windows := max(0, (rows-1)/perWindow) // windows used up before the last one
	rows -= windows * perWindow
	end := now
	for _, next := range free {
		if rows <= 0 {
			break
		}
		end = later(now, next.At).Add(time.Duration(windows) * window)
		rows -= next.rows()
	}
	return end
}

// rows returns the number of rows that a slot sends.
func (s freeSlot) rows() int {
	if s.Kind == kindBulk {
		return clerk.MaxBulkInvitations
	}
	return 1
}

// An InstanceStatus describes what the campaigns of an instance share.
type InstanceStatus struct {
	// Instance is [Config].Instance.
	Instance string
	// Run is the number of the last run, which began at BegunAt. EndedAt is the time at which
	// the last run that was not killed ended. They are zero before the first.
	Run              int64
	BegunAt, EndedAt time.Time
	// LeasedUntil is the time at which the lease of the run under way ends, unless it is
	// extended; zero if none is under way.
	LeasedUntil time.Time
	// SyncedAt is the time at which the last sync that ended well began, see [Config].Sync; zero
	// before the first. Changes of invitations until then are known.
	SyncedAt time.Time
	// Failures is the number of runs in a row that ended early, without those that only made
	// a sync while rows waited. Problem says why the last one did, or why the run under way
	// waits, as in [Status].
	Failures int
	Problem  string
	// ProblemSince is as in [Status].
	ProblemSince time.Time
	// Untold is that of [Status], for all campaigns.
	Untold int
	// Paused says why all campaigns are paused; empty if they are not. PausedUntil is as in
	// [Status].
	Paused      string
	PausedUntil time.Time
	// PausedCampaigns is the number of unfinished campaigns that are paused alone.
	PausedCampaigns int
	// NextWake is the time at which the next run is due; zero if there is nothing to do. In a
	// pause, that may be the next sync. OverdueSince is as in [Status], for the rows of all
	// campaigns. If it is zero and NextWake is in the past, no sending is late, but a sync, a
	// second call of [Config].OnResult or OnChange, erasing or revoking.
	NextWake, OverdueSince time.Time
	// Creates and BulkCreates are the shared limits.
	Creates, BulkCreates LimitStatus
}

// A LimitStatus says how much of one of Clerk's limits is left.
type LimitStatus struct {
	// Limit is the number of requests that all callers together may send in a window. Budget
	// is the part of it that campaigns may use.
	Limit, Budget int
	// Free is the number of requests that campaigns may send now. FreeAt is the time at which
	// they may send the next one; zero if that is now, or never.
	Free   int
	FreeAt time.Time
}

// InstanceStatus returns what the campaigns of the instance share: the last run, the next
// one, a pause, and what is left of the limits.
func (c *Campaigns) InstanceStatus(ctx context.Context) (*InstanceStatus, error) {
	next, err := c.due(ctx, true)
	if err != nil {
		return nil, err
	}
	s := &InstanceStatus{Instance: c.config.Instance, NextWake: next.at, OverdueSince: next.late}
	if err := c.pool.QueryRow(ctx, c.sql(queryPausedCampaigns), c.config.Instance).Scan(&s.PausedCampaigns); err != nil {
		return nil, explain(err)
	}
	var now, pausedUntil time.Time
	var paused bool
	err = c.pool.QueryRow(ctx, c.sql(queryInstance), c.config.Instance).Scan(&now, &s.Run, &s.BegunAt, &s.EndedAt, &s.LeasedUntil,
		&s.SyncedAt, &s.Failures, &s.Problem, &s.ProblemSince, &paused, &s.Paused, &pausedUntil, &s.Untold)
	if errors.Is(err, pgx.ErrNoRows) {
		now = next.clock
	} else if err != nil {
		return nil, explain(err)
	}
	s.BegunAt, s.EndedAt = timeOrZero(s.BegunAt), timeOrZero(s.EndedAt)
	s.SyncedAt, s.ProblemSince = timeOrZero(s.SyncedAt), timeOrZero(s.ProblemSince)
	if !s.LeasedUntil.After(now) {
		s.LeasedUntil = time.Time{}
	}
	if paused {
		s.Paused, s.PausedUntil = reasonOf(s.Paused), timeOrZero(pausedUntil)
	} else {
		s.Paused = ""
	}
	free, err := c.freeSlots(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("clerkriver: the limits: %w", explain(err))
	}
	s.Creates = limitStatus(free, kindCreate, now, c.config.Limits.Creates, c.config.Budget.Creates)
	s.BulkCreates = limitStatus(free, kindBulk, now, c.config.Limits.BulkCreates, c.config.Budget.BulkCreates)
	return s, nil
}

func limitStatus(free []freeSlot, kind string, now time.Time, limit, budget int) LimitStatus {
	s := LimitStatus{Limit: limit, Budget: budget}
	for _, one := range free {
		switch {
		case one.Kind != kind:
		case !one.At.After(now):
			s.Free++
		case s.FreeAt.IsZero():
			s.FreeAt = one.At
		}
	}
	if s.Free > 0 {
		s.FreeAt = time.Time{}
	}
	return s
}
