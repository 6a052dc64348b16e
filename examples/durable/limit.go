package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A limit is a transport that keeps the requests of all workers, on whatever machine,
// within one share of Clerk's limits. The share is places in a table: a request takes a
// place that is free, which is free again when the share's time has passed. Where none
// is, the request is refused as Clerk would refuse it, with status 429 and a
// Retry-After, and is not sent.
type limit struct {
	db       *sql.DB
	instance string // of Clerk
	share    clerk.Budget
	next     http.RoundTripper
}

// createLimit is the table; free_at is in milliseconds since 1970.
const createLimit = `CREATE TABLE IF NOT EXISTS clerk_limit (
	instance text   NOT NULL,
	kind     text   NOT NULL,
	place    bigint NOT NULL,
	free_at  bigint NOT NULL,
	PRIMARY KEY (instance, kind, place)
)`

const (
	bulk   = "bulk"
	single = "create"
)

// furnish makes the places that are not there yet.
func (l *limit) furnish(ctx context.Context) error {
	for kind, places := range map[string]int{bulk: l.share.BulkCreates, single: l.share.Creates} {
		if _, err := l.db.ExecContext(ctx, `WITH RECURSIVE places (place) AS (
				SELECT CAST(0 AS bigint) UNION ALL SELECT place + 1 FROM places WHERE place + 1 < $3)
			INSERT INTO clerk_limit (instance, kind, place, free_at)
				SELECT $1, $2, place, 0 FROM places WHERE place < $3
			ON CONFLICT DO NOTHING`, l.instance, kind, places); err != nil {
			return err
		}
	}
	return nil
}

// RoundTrip sends the request, if it is none that is limited, or there is a place.
func (l *limit) RoundTrip(req *http.Request) (*http.Response, error) {
	kind := single
	switch {
	case req.Method != http.MethodPost:
		return l.next.RoundTrip(req)
	case strings.HasSuffix(req.URL.Path, "/bulk"):
		kind = bulk
	}
	place, wait, err := l.take(req.Context(), kind)
	switch {
	case err != nil: // as one that says that nothing was sent
		return nil, &net.OpError{Op: "dial", Err: errors.Join(err, req.Body.Close())}
	case wait > 0:
		return refusal(req, wait), req.Body.Close()
	}
	resp, err := l.next.RoundTrip(req)
	if failure, ok := errors.AsType[*net.OpError](err); ok && failure.Op == "dial" {
		return nil, errors.Join(err, l.block(context.WithoutCancel(req.Context()), kind, place, 0))
	}
	if err != nil || resp.StatusCode != http.StatusTooManyRequests {
		return resp, err
	}
	// Others have used up what is in the share.
	if err := l.block(req.Context(), kind, place, l.retryAfter(resp.Header)); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	return resp, nil
}

// retryAfter is how long Clerk asks to wait. Where it does not, that is a sixtieth of the
// share's time, as in CreateAll; it is never longer than that time.
func (l *limit) retryAfter(header http.Header) time.Duration {
	asked := header.Get("Retry-After")
	seconds, _ := strconv.Atoi(asked)
	wait := time.Duration(seconds) * time.Second
	if date, err := http.ParseTime(asked); err == nil {
		wait = time.Until(date)
	}
	if wait <= 0 {
		wait = l.share.Window / 60
	}
	return min(wait, l.share.Window)
}

// refusal is an answer as Clerk's to a request that its limits do not allow.
func refusal(req *http.Request, wait time.Duration) *http.Response {
	seconds := int64((wait + time.Second - 1) / time.Second)
	return &http.Response{
		StatusCode: http.StatusTooManyRequests,
		Header:     http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}},
		Body:       http.NoBody,
		Request:    req,
	}
}

// take takes a place, or tells how long it is until there is one. It takes any of those that
// are free, for others may be after the first.
func (l *limit) take(ctx context.Context, kind string) (place int, wait time.Duration, err error) {
	for {
		now := time.Now()
		err := l.db.QueryRowContext(ctx, `UPDATE clerk_limit SET free_at = $1
			WHERE instance = $2 AND kind = $3 AND free_at <= $4 AND place = (
				SELECT place FROM clerk_limit
				WHERE instance = $2 AND kind = $3 AND free_at <= $4 AND place < $5 ORDER BY random() LIMIT 1)
			RETURNING place`,
			now.Add(l.share.Window).UnixMilli(), l.instance, kind, now.UnixMilli(), l.places(kind)).Scan(&place)
		if !errors.Is(err, sql.ErrNoRows) {
			return place, 0, err
		}
		places, err := l.look(ctx)
		if err != nil {
			return 0, 0, err
		}
		if wait := l.untilFree(places, kind); wait > 0 {
			return 0, wait, nil
		} // another worker was faster, but there are more
	}
}

// block lets no request of a kind out for a while, and gives back the place of one that was
// not carried out.
func (l *limit) block(ctx context.Context, kind string, unused int, wait time.Duration) error {
	_, err := l.db.ExecContext(ctx, `UPDATE clerk_limit SET free_at = $1
		WHERE instance = $2 AND kind = $3 AND (free_at < $1 OR place = $4)`,
		time.Now().Add(wait).UnixMilli(), l.instance, kind, unused)
	return err
}

// wait is how long it is until a request of either kind may be made.
func (l *limit) wait(places []place) time.Duration {
	return min(l.untilFree(places, bulk), l.untilFree(places, single))
}

func (l *limit) places(kind string) int {
	if kind == bulk {
		return l.share.BulkCreates
	}
	return l.share.Creates
}

// A place is a request that may be made.
type place struct {
	kind string
	free time.Time
}

// look gives the places, the earliest first.
func (l *limit) look(ctx context.Context) (places []place, err error) {
	rows, err := l.db.QueryContext(ctx, `SELECT kind, free_at FROM clerk_limit WHERE instance = $1
		AND (kind = $2 AND place < $3 OR kind = $4 AND place < $5) ORDER BY free_at`,
		l.instance, bulk, l.share.BulkCreates, single, l.share.Creates)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, rows.Close()) }()
	for rows.Next() {
		var next place
		var free int64
		if err := rows.Scan(&next.kind, &free); err != nil {
			return nil, err
		}
		next.free = time.UnixMilli(free)
		places = append(places, next)
	}
	return places, rows.Err()
}

// untilFree is how long it is until the first place of a kind is free.
func (l *limit) untilFree(places []place, kind string) time.Duration {
	first := slices.IndexFunc(places, func(p place) bool { return p.kind == kind })
	if first < 0 { // none is in the share
		return l.share.Window
	}
	return max(0, time.Until(places[first].free))
}

// estimate is about when so many rows have been sent, if the places are taken as they
// become free, and bulks are full.
func (l *limit) estimate(places []place, rows int) time.Time {
	now := time.Now()
	end := now
	for passed := time.Duration(0); rows > 0 && len(places) > 0; passed += l.share.Window {
		for _, next := range places {
			if rows <= 0 {
				break
			}
			end = now.Add(max(0, next.free.Sub(now)) + passed)
			if next.kind == bulk {
				rows -= clerk.MaxBulkInvitations
			} else {
				rows--
			}
		}
	}
	return end
}
