package clerkriver

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// A Status is how far a campaign has got.
type Status struct {
	// Name is the campaign's name.
	Name string
	// Rows is the number of rows, and Counts how many of them are in each state.
	Rows   int
	Counts map[State]int
	// EnqueuedAt is when the campaign was enqueued, and CancelledAt when it was cancelled;
	// zero if it was not.
	EnqueuedAt, CancelledAt time.Time
	// Paused is why the instance's campaigns are paused; empty if they are not.
	Paused string
	// Problem is why the last run of the instance ended early; empty if it did not.
	Problem string
	// WaitUntil is when the next row can be sent; zero if that is now, or nothing is to be
	// sent.
	WaitUntil time.Time
	// EstimatedEnd is about when the last row has been sent, if nobody else uses the
	// budget and no campaign is enqueued ahead of this one; zero if nothing is to be sent.
	EstimatedEnd time.Time
}

// Done reports whether every row has an outcome.
func (s *Status) Done() bool { return s.Counts[StateWaiting]+s.Counts[StateSending] == 0 }

// Status returns how far a campaign has got.
func (c *Campaigns) Status(ctx context.Context, name string) (*Status, error) {
	s := &Status{Name: name, Counts: map[State]int{}}
	var id int64
	var priority int32
	var begin, now time.Time
	var cancelled *time.Time
	var paused bool
	id, err := c.campaign(ctx, c.pool, name)
	if err != nil {
		return nil, err
	}
	err = c.pool.QueryRow(ctx, c.sql(`SELECT priority, not_before, enqueued_at, cancelled_at, clock_timestamp(),
			paused_at IS NOT NULL, pause_reason, problem
		FROM SCHEMA.clerkriver_campaigns c JOIN SCHEMA.clerkriver_instances i ON i.name = c.instance WHERE id = $1`),
		id).Scan(&priority, &begin, &s.EnqueuedAt, &cancelled, &now, &paused, &s.Paused, &s.Problem)
	if err != nil {
		return nil, err
	}
	if cancelled != nil {
		s.CancelledAt = *cancelled
	}
	if paused && s.Paused == "" {
		s.Paused = "no reason given"
	}
	rows, err := c.pool.Query(ctx, c.sql(`SELECT state, count(*) FROM SCHEMA.clerkriver_rows
		WHERE campaign_id = $1 GROUP BY state`), id)
	if err != nil {
		return nil, err
	}
	var state State
	var count int
	if _, err := pgx.ForEachRow(rows, []any{&state, &count}, func() error {
		s.Counts[state], s.Rows = count, s.Rows+count
		return nil
	}); err != nil {
		return nil, err
	}
	if s.Done() || paused {
		return s, nil
	}
	return s, c.forecast(ctx, s, id, priority, later(now, begin), now)
}

// forecast finds when a campaign goes on and ends.
func (c *Campaigns) forecast(ctx context.Context, s *Status, id int64, priority int32, begin, now time.Time) error {
	var open int
	err := c.pool.QueryRow(ctx, c.sql(`SELECT count(*) FROM SCHEMA.clerkriver_campaigns c
		JOIN SCHEMA.clerkriver_rows r ON r.campaign_id = c.id AND r.state IN ('waiting', 'sending')
		WHERE c.instance = $1 AND c.finished_at IS NULL AND (c.priority, c.id) <= ($2, $3)`),
		c.config.Instance, priority, id).Scan(&open)
	if err != nil {
		return err
	}
	rows, err := c.pool.Query(ctx, c.sql(`SELECT kind, free_at FROM SCHEMA.clerkriver_slots
		WHERE instance = $1 AND (kind = 'create' AND slot < $2 OR kind = 'bulk' AND slot < $3) ORDER BY free_at`),
		c.config.Instance, c.config.Budget.Creates, c.config.Budget.BulkCreates)
	if err != nil {
		return err
	}
	free, err := pgx.CollectRows(rows, pgx.RowToStructByPos[freeSlot])
	if err != nil {
		return err
	}
	if len(free) == 0 { // nothing was ever sent
		free = c.allFree(now)
	}
	if first := later(begin, free[0].At); first.After(now) {
		s.WaitUntil = first
	}
	s.EstimatedEnd = later(begin, estimate(free, open, now, c.config.Budget.Window))
	return nil
}

// A freeSlot is when a slot is free.
type freeSlot struct {
	Kind string
	At   time.Time
}

func (c *Campaigns) allFree(now time.Time) []freeSlot {
	var free []freeSlot
	for range c.config.Budget.BulkCreates {
		free = append(free, freeSlot{kindBulk, now})
	}
	for range c.config.Budget.Creates {
		free = append(free, freeSlot{kindCreate, now})
	}
	return free
}

// estimate is about when so many rows have been sent, if slots are used as they become
// free, and bulk creates are full. The slots are in the order in which they become free.
func estimate(free []freeSlot, rows int, now time.Time, window time.Duration) time.Time {
	end := now
	for passed := time.Duration(0); rows > 0; passed += window {
		for _, next := range free {
			if rows <= 0 {
				break
			}
			end = later(now, next.At).Add(passed)
			if next.Kind == kindBulk {
				rows -= clerk.MaxBulkInvitations
			} else {
				rows--
			}
		}
	}
	return end
}

// A Result is what is known of a row.
//
// Formatted with package fmt, or logged with log/slog, it does not show the address.
type Result struct {
	// Campaign is the campaign's name.
	Campaign string
	// Place is the row's place among the campaign's rows, from 0 on.
	Place int
	// Ref is the caller's reference.
	Ref string
	// EmailAddress is the address of the request.
	EmailAddress string
	// State is the row's outcome, if it has one yet.
	State State
	// InvitationID is the invitation that was created, or that existed where that is known.
	InvitationID string
	// Problem is why the row was rejected or its outcome is unknown, in Clerk's words where
	// Clerk said something.
	Problem string
	// ChangedAt is when the state last changed.
	ChangedAt time.Time
}

// String returns the result without the address.
func (r Result) String() string {
	return fmt.Sprintf("clerkriver.Result{%q %d %s %s %s}", r.Campaign, r.Place, r.State, r.InvitationID, r.Problem)
}

// Format writes String, whatever the verb.
func (r Result) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue makes log/slog log String.
func (r Result) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Results returns the rows of a campaign in their order, from a place on; those without an
// outcome, too. It reads a thousand at a time. An error is returned once, last.
func (c *Campaigns) Results(ctx context.Context, name string, from int) iter.Seq2[Result, error] {
	const page = 1000
	return func(yield func(Result, error) bool) {
		id, err := c.campaign(ctx, c.pool, name)
		for n := page; err == nil && n == page; {
			var results []Result
			results, err = c.results(ctx, id, name, from, page)
			n = len(results)
			for _, result := range results {
				if !yield(result, nil) {
					return
				}
				from = result.Place + 1
			}
		}
		if err != nil {
			yield(Result{}, err)
		}
	}
}

func (c *Campaigns) results(ctx context.Context, id int64, name string, from, limit int) ([]Result, error) {
	rows, err := c.pool.Query(ctx, c.sql(`SELECT place, ref, request, state, coalesce(invitation_id, ''),
			coalesce(problem, ''), changed_at
		FROM SCHEMA.clerkriver_rows WHERE campaign_id = $1 AND place >= $2 ORDER BY place LIMIT $3`), id, from, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Result, error) {
		result := Result{Campaign: name}
		var encoded []byte
		if err := row.Scan(&result.Place, &result.Ref, &encoded, &result.State, &result.InvitationID,
			&result.Problem, &result.ChangedAt); err != nil {
			return result, err
		}
		request, err := decodeRequest(encoded)
		result.EmailAddress = request.EmailAddress
		return result, err
	})
}
