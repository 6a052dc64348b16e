package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// A Reminder says when [Campaigns.RemindTx] reminds people.
type Reminder struct {
	EnqueueOpts

	// After is how long people have to accept: the reminder begins when the newest open
	// invitation is that old, by the database's clock. By default it begins at once.
	After time.Duration
}

// text returns the reminder's options in the form in which they are compared.
func (m Reminder) text(of string) string {
	return fmt.Sprintf("%s, reminder of %q after %s", m.EnqueueOpts.text(), of, m.After)
}

// RemindTx adds a campaign in the transaction tx that reminds people who have not accepted
// their invitation from the campaign named of, each once. It reports how many rows it added.
// Call it when that campaign has finished. A reminder is like any campaign: it shares the
// budget, and has its own Status, Results and calls of OnResult.
//
// It has a row for each invitation that is open or has expired, with the old Ref and request.
// Before it is sent, the instance's invitations are listed, unless they were within five
// minutes, even if [Config].Sync is off. A row becomes [StateSkipped] if the old invitation was
// accepted, revoked or deleted, or if the person has accepted another campaign's, was excluded by
// [Campaigns.ExcludeTx] or was reminded of the same campaign before. If that is known when
// RemindTx is called, there is no row. To remind people again, remind them of the reminder.
//
// The new invitation is created first, and then the old one is revoked, without a call of
// [Config].OnChange. After a kill in between, both are open until the next run. If Clerk says
// that the old one was accepted, the row becomes [StateAccepted], and the new one is revoked.
//
// The name, tx, errors and the client are as in [Campaigns.EnqueueTx]: called again with the
// same arguments, RemindTx adds nothing and returns 0. The error is [ErrNoCampaign] if there
// is no campaign named of, and [ErrEmpty] if nobody can be reminded.
func (c *Campaigns) RemindTx(ctx context.Context, riverClient *river.Client[pgx.Tx], tx pgx.Tx, of, name string, reminder Reminder) (int, error) {
	if reminder.After < 0 {
		return 0, errors.New("clerkriver: After is negative")
	}
	return addIn(ctx, tx, name, func(tx pgx.Tx) (int, error) { return c.remind(ctx, riverClient, tx, of, name, reminder) })
}

func (c *Campaigns) remind(ctx context.Context, riverClient *river.Client[pgx.Tx], tx pgx.Tx, of, name string, reminder Reminder) (added int, err error) {
	var id int64
	var now, begin time.Time
	options := reminder.text(of)
	err = tx.QueryRow(ctx, c.sql(queryAddCampaign), c.config.Instance, name, reminder.Priority, reminder.notBefore(), options).Scan(&id, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, c.compareTo(ctx, tx, name, nil, options)
	}
	if err != nil {
		return 0, err
	}
	old, err := c.campaign(ctx, tx, of)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, c.sql(queryAddReminders), c.config.Instance, id, old, reminder.After).Scan(&added, &begin, &now)
	if err != nil {
		return 0, err
	}
	if added == 0 {
		return 0, fmt.Errorf("%w: nobody of %q can be reminded", ErrEmpty, of)
	}
	return added, c.wakeFor(ctx, riverClient, tx, now, begin)
}

// ExcludeTx excludes an address from the reminders of all campaigns of the instance, in the
// transaction tx, without regard to case. Reminders that a run has taken are still sent.
// [Campaigns.ErasePersonTx] erases the exclusion with the person.
func (c *Campaigns) ExcludeTx(ctx context.Context, tx pgx.Tx, emailAddress string) error {
	_, err := tx.Exec(ctx, c.sql(queryExclude), c.config.Instance, personOf(emailAddress))
	return explain(err)
}
