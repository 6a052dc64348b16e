package clerkriver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/clerk-invitations/clerk-go"
)

// A Row is one invitation of a campaign.
type Row struct {
	// Ref is the caller's own reference, such as a user's id. Results return it.
	Ref string
	// Request is what is sent. Either all rows of a campaign have IgnoreExisting, or none.
	Request clerk.CreateInvitationRequest
}

// EnqueueOpts are options of [Campaigns.EnqueueTx].
type EnqueueOpts struct {
	// Priority orders campaigns: a lower one is sent first. Campaigns of the same priority
	// are sent in the order in which they were enqueued.
	Priority int32
	// NotBefore is when sending may begin; the zero time means at once.
	NotBefore time.Time
}

// EnqueueTx adds a campaign in the transaction tx, and reports how many rows it added. It
// reads rows once and keeps none of them in memory. If the transaction is rolled back, no
// campaign was added.
//
// A name is used once. If there is a campaign of that name with the same rows, EnqueueTx
// adds nothing and returns 0, so it is safe to call again; if its rows differ, or it was
// deleted, the error is [ErrCampaignExists]. After an error tx can still be used.
//
// Addresses that have a pending or accepted invitation are skipped, unless the rows have
// IgnoreExisting. Those are skipped only if they were invited since a minute before the
// campaign was enqueued, which makes it safe to send them again after an interruption.
//
// The client inserts the wake job. It must be one that was configured by
// [Campaigns.Install], or has no workers. It may be nil if [Campaigns.Work] is called by
// something other than River.
func (c *Campaigns) EnqueueTx(ctx context.Context, riverClient *river.Client[pgx.Tx], tx pgx.Tx, name string, rows iter.Seq[Row], opts *EnqueueOpts) (int, error) {
	if !isName(name) {
		return 0, fmt.Errorf("clerkriver: %q is not a name for a campaign", name)
	}
	if opts == nil {
		opts = &EnqueueOpts{}
	}
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return 0, err
	}
	added, err := c.enqueue(ctx, riverClient, savepoint, name, rows, opts)
	if err != nil {
		return 0, errors.Join(err, savepoint.Rollback(context.WithoutCancel(ctx)))
	}
	return added, savepoint.Commit(ctx)
}

func (c *Campaigns) enqueue(ctx context.Context, riverClient *river.Client[pgx.Tx], tx pgx.Tx, name string, rows iter.Seq[Row], opts *EnqueueOpts) (int, error) {
	if _, err := tx.Exec(ctx, c.sql(`INSERT INTO SCHEMA.clerkriver_instances (name) VALUES ($1)
		ON CONFLICT DO NOTHING`), c.config.Instance); err != nil {
		return 0, err
	}
	var id int64
	var now time.Time
	err := tx.QueryRow(ctx, c.sql(`INSERT INTO SCHEMA.clerkriver_campaigns
			(instance, name, priority, not_before, resend, digest, enqueued_at)
		VALUES ($1, $2, $3, $4, false, '', clock_timestamp())
		ON CONFLICT DO NOTHING RETURNING id, enqueued_at`),
		c.config.Instance, name, opts.Priority, later(opts.NotBefore, time.Unix(0, 0))).Scan(&id, &now)
	list := newList(id, rows)
	defer list.stop()
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, c.compare(ctx, tx, name, list)
	}
	if err != nil {
		return 0, err
	}
	if _, err := tx.CopyFrom(ctx, c.identifier("clerkriver_rows"),
		[]string{"campaign_id", "place", "ref", "request"}, pgx.CopyFromFunc(list.next)); err != nil {
		return 0, err
	}
	if list.count == 0 {
		return 0, ErrEmpty
	}
	if _, err := tx.Exec(ctx, c.sql(`UPDATE SCHEMA.clerkriver_campaigns SET digest = $2, resend = $3 WHERE id = $1`),
		id, list.digest.Sum(nil), list.resend); err != nil {
		return 0, err
	}
	if riverClient == nil {
		return list.count, nil
	}
	return list.count, c.insertWakes(opts.NotBefore.Sub(now), func(params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error) {
		return riverClient.InsertManyTx(ctx, tx, params)
	})
}

// compare finds out whether the campaign of that name has the rows of the list.
func (c *Campaigns) compare(ctx context.Context, tx pgx.Tx, name string, list *list) error {
	for {
		row, err := list.next()
		if err != nil {
			return err
		}
		if row == nil {
			break
		}
	}
	var digest []byte
	var deleted bool
	err := tx.QueryRow(ctx, c.sql(`SELECT digest, deleted_at IS NOT NULL FROM SCHEMA.clerkriver_campaigns
		WHERE instance = $1 AND name = $2`), c.config.Instance, name).Scan(&digest, &deleted)
	switch {
	case err != nil:
		return err
	case deleted:
		return fmt.Errorf("%w: %q was deleted", ErrCampaignExists, name)
	case !bytes.Equal(digest, list.digest.Sum(nil)):
		return fmt.Errorf("%w: %q", ErrCampaignExists, name)
	}
	return nil
}

func (c *Campaigns) identifier(table string) pgx.Identifier {
	if c.config.Schema == "" {
		return pgx.Identifier{table}
	}
	return pgx.Identifier{c.config.Schema, table}
}

// A list encodes rows one by one.
type list struct {
	campaign int64
	pull     func() (Row, bool)
	stop     func()
	count    int
	resend   bool
	digest   hash.Hash
}

func newList(campaign int64, rows iter.Seq[Row]) *list {
	if rows == nil {
		rows = func(func(Row) bool) {}
	}
	pull, stop := iter.Pull(rows)
	return &list{campaign: campaign, pull: pull, stop: stop, digest: sha256.New()}
}

// next is the columns of the next row; nil at the end.
func (l *list) next() ([]any, error) {
	row, ok := l.pull()
	if !ok {
		return nil, nil
	}
	fail := func(problem any) ([]any, error) {
		return nil, fmt.Errorf("clerkriver: row %d: %v", l.count, problem)
	}
	if !utf8.ValidString(row.Ref) || strings.Contains(row.Ref, "\x00") {
		return fail("Ref is not text that PostgreSQL can keep")
	}
	request, err := json.Marshal(row.Request)
	if err != nil {
		return fail(err)
	}
	if l.count == 0 {
		l.resend = row.Request.IgnoreExisting
	}
	if l.resend != row.Request.IgnoreExisting {
		return fail("some rows have IgnoreExisting and some do not; enqueue two campaigns")
	}
	for _, part := range [][]byte{[]byte(row.Ref), request} {
		_ = binary.Write(l.digest, binary.BigEndian, int64(len(part))) // a hash returns no error
		_, _ = l.digest.Write(part)
	}
	place := l.count
	l.count++
	return []any{l.campaign, place, row.Ref, request}, nil
}

// decodeRequest reads a request as it was enqueued, numbers in its metadata included.
func decodeRequest(encoded []byte) (req clerk.CreateInvitationRequest, err error) {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	err = decoder.Decode(&req)
	return req, err
}
