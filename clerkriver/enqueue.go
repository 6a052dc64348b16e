package clerkriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// EnqueueOpts are options of [Campaigns.EnqueueTx].
type EnqueueOpts struct {
	// Priority orders campaigns: a lower one is sent first. Campaigns of the same priority
	// are sent in the order in which they were enqueued.
	Priority int32
	// NotBefore is the earliest time at which sending may begin; the zero time means at once.
	NotBefore time.Time
}

// text returns the options in the form in which they are compared.
func (o EnqueueOpts) text() string {
	return fmt.Sprintf("priority %d, not before %s", o.Priority, o.notBefore().Format(time.RFC3339Nano))
}

// noNotBefore is a part of the text of options without NotBefore.
const noNotBefore = ", not before 1970-01-01T00:00:00Z"

// notBefore returns NotBefore as PostgreSQL keeps it.
func (o EnqueueOpts) notBefore() time.Time {
	return later(o.NotBefore, time.Unix(0, 0)).UTC().Truncate(time.Microsecond)
}

// EnqueueTx adds a campaign in the transaction tx, and reports how many rows it added. It
// reads rows once and keeps a few thousand of them in memory. If the transaction is rolled
// back, no campaign was added. No other transaction waits for tx, unless it enqueues a
// campaign of the same name.
//
// A name is any text without control characters, and is used once. If there is a campaign of
// that name with the same rows and options, EnqueueTx adds nothing and returns 0, so it is safe
// to call again; if they differ, or it was deleted, the error is [ErrCampaignExists]. After an
// error, or a panic of rows, tx can still be used. Rows must not be read from tx itself while
// EnqueueTx runs.
//
// Addresses that have a pending or accepted invitation are skipped. Rows with IgnoreExisting
// are skipped only if the address was invited later than a minute before the campaign was
// enqueued. This makes it safe to send them again after an interruption.
//
// The client inserts two wake jobs; see [WakeArgs]. It must be configured by
// [Campaigns.Install], have no workers, or have [river.Config].SkipUnknownJobCheck. It may be
// nil if something other than River calls [Campaigns.Work].
func (c *Campaigns) EnqueueTx(ctx context.Context, riverClient *river.Client[pgx.Tx], tx pgx.Tx, name string, rows iter.Seq[Row], opts *EnqueueOpts) (int, error) {
	if opts == nil {
		opts = &EnqueueOpts{}
	}
	if rows == nil {
		return 0, ErrEmpty
	}
	return addIn(ctx, tx, name, func(tx pgx.Tx) (int, error) { return c.enqueue(ctx, riverClient, tx, name, rows, *opts) })
}

// addIn calls add, which adds the campaign of a name, in a savepoint of tx.
func addIn(ctx context.Context, tx pgx.Tx, name string, add func(pgx.Tx) (int, error)) (int, error) {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return 0, fmt.Errorf("clerkriver: %q is not a name for a campaign: use any text without control characters", name)
	}
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return 0, explainBusy(err)
	}
	defer func() { _ = savepoint.Rollback(context.WithoutCancel(ctx)) }() // does nothing after Commit
	added, err := add(savepoint)
	if err != nil {
		return 0, explainBusy(explain(err))
	}
	return added, savepoint.Commit(ctx)
}

// explainBusy explains pgx's error for a connection that is in use.
func explainBusy(err error) error {
	if strings.Contains(err.Error(), "conn busy") {
		return errors.New("clerkriver: the transaction is in use, perhaps by the query that the rows are read from; " +
			"read the rows into memory first, or on another connection")
	}
	return err
}

func (c *Campaigns) enqueue(ctx context.Context, riverClient *river.Client[pgx.Tx], tx pgx.Tx, name string, rows iter.Seq[Row], opts EnqueueOpts) (int, error) {
	var id int64
	var now time.Time
	err := tx.QueryRow(ctx, c.sql(queryAddCampaign), c.config.Instance, name, opts.Priority, opts.notBefore(), opts.text()).Scan(&id, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, c.compare(ctx, tx, name, rows, opts)
	}
	if err != nil {
		return 0, err
	}
	encoded, err := c.copyRows(ctx, tx, id, rows)
	if err != nil {
		return 0, err
	}
	if encoded.count == 0 {
		return 0, ErrEmpty
	}
	err = tx.QueryRow(ctx, c.sql(queryCompleteCampaign), id, encoded.count, encoded.digest.Sum(nil), encoded.resend).Scan(&now)
	if err != nil {
		return 0, err
	}
	return encoded.count, c.wakeFor(ctx, riverClient, tx, now, opts.NotBefore)
}

// wakeFor inserts two wakes for a campaign that begins at a time, unless the client is nil.
func (c *Campaigns) wakeFor(ctx context.Context, riverClient *river.Client[pgx.Tx], tx pgx.Tx, now, begin time.Time) error {
	if riverClient == nil {
		return nil
	}
	wait := max(0, begin.Sub(now))
	_, err := riverClient.InsertManyTx(ctx, tx, []river.InsertManyParams{c.wakeAt(now, wait), c.wakeAt(now, wait+c.config.Wake)})
	return explainRiver(err)
}

const (
	copiedRows  = 4000    // at a time
	copiedBytes = 1 << 20 // at a time, at least
)

// copyRows copies rows to the database in parts, so that the caller's iterator runs in the
// caller's goroutine.
func (c *Campaigns) copyRows(ctx context.Context, tx pgx.Tx, id int64, rows iter.Seq[Row]) (*encoder, error) {
	e, size := newEncoder(), 0
	var batch [][]any
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := tx.CopyFrom(ctx, c.table("clerkriver_rows"), []string{"campaign_id", "place", "ref", "request", "person"}, pgx.CopyFromRows(batch))
		batch, size = batch[:0], 0
		return err
	}
	for row := range rows {
		place := e.count
		request, err := e.encode(&row)
		if err != nil {
			return nil, err
		}
		batch = append(batch, []any{id, place, row.Ref, string(request), personOf(row.Request.EmailAddress)})
		if size += len(request); len(batch) >= copiedRows || size >= copiedBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return e, flush()
}

// compare checks that the campaign of that name has the rows and options.
func (c *Campaigns) compare(ctx context.Context, tx pgx.Tx, name string, rows iter.Seq[Row], opts EnqueueOpts) error {
	e := newEncoder()
	for row := range rows {
		if _, err := e.encode(&row); err != nil {
			return err
		}
	}
	return c.compareTo(ctx, tx, name, e.digest.Sum(nil), opts.text())
}

// compareTo checks that the campaign of that name has the digest and options.
func (c *Campaigns) compareTo(ctx context.Context, tx pgx.Tx, name string, wantDigest []byte, wantOptions string) error {
	var digest []byte
	var options string
	var deleted bool
	err := tx.QueryRow(ctx, c.sql(queryCompareCampaign), c.config.Instance, name).Scan(&digest, &options, &deleted)
	switch {
	case err != nil:
		return err
	case deleted:
		return fmt.Errorf("%w: %q was deleted", ErrCampaignExists, name)
	case !bytes.Equal(digest, wantDigest):
		return fmt.Errorf("%w: %q has other rows", ErrCampaignExists, name)
	case options != wantOptions:
		options = strings.Replace(options, noNotBefore, "", 1)
		return fmt.Errorf("%w: %q was enqueued with %s", ErrCampaignExists, name, options)
	}
	return nil
}
