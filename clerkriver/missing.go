package clerkriver

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-invitations/clerk-go"
)

// minDoubtful is the number of missing invitations from which on a sync doubts the key.
const minDoubtful = 10

// A missing holds the open rows whose invitation a sync has not found, and how many it has.
type missing struct {
	first   []found // the last sync has found them, or did not ask
	again   []found // the last sync has not found them either
	present int
}

// isDoubtful reports whether most open invitations are missing. Then the key is probably that
// of another instance of Clerk.
func (m *missing) isDoubtful() bool {
	n := len(m.first) + len(m.again)
	return n >= minDoubtful && n > m.present
}

// checkKey asks Clerk for an open invitation of the last campaign, in the first run of a process
// that could send. If Clerk does not list it, the key may be that of another instance.
func (r *run) checkKey(ctx context.Context) error {
	if r.c.config.Sync < 0 || r.c.checked.Load() {
		return nil
	}
	var id string
	var encoded []byte
	err := r.pool.QueryRow(ctx, r.sql(queryNewest), r.instance, r.c.timing.listLag).Scan(&id, &encoded)
	if errors.Is(err, pgx.ErrNoRows) {
		r.c.checked.Store(true)
		return nil
	}
	if err != nil {
		return err
	}
	request, err := decodeRequest(encoded)
	if err != nil {
		return err
	}
	for inv, err := range r.client.Invitations.All(ctx, clerk.ListInvitationsRequest{Query: request.EmailAddress}) {
		if err != nil {
			return err
		}
		if inv.ID == id {
			r.c.checked.Store(true)
			return nil
		}
	}
	r.isForeign = true
	return nil
}

// recordMissing records open rows whose invitation was in no list: first that it was
// missing, and after the next sync that it was deleted. If most are missing at once, it pauses
// the instance; then the first sync after [Campaigns.Resume] decides.
func (r *run) recordMissing(ctx context.Context, l *listing) error {
	m, err := r.missing(ctx, l)
	if err != nil {
		return err
	}
	switch {
	case m.isDoubtful() && r.held: // those that the sync before the pause did not find stay marked
		return r.markMissing(ctx, l, m.again)
	case m.isDoubtful() && len(m.first) > len(m.again):
		if err := r.pauseDoubtful(ctx, m); err != nil {
			return err
		}
		return r.markMissing(ctx, l, append(m.first, m.again...))
	}
	if err := r.markMissing(ctx, l, m.first); err != nil {
		return err
	}
	return r.record(ctx, m.again)
}

// missing returns the open rows that the listing lacks.
func (r *run) missing(ctx context.Context, l *listing) (m missing, err error) {
	rows, err := r.pool.Query(ctx, r.sql(queryOpenRows), r.instance, r.c.timing.listLag)
	if err != nil {
		return m, err
	}
	defer rows.Close()
	for rows.Next() {
		f := found{state: StateDeleted, at: l.now}
		var id string
		var missingIn int64
		if err := rows.Scan(&f.campaign, &f.place, &id, &missingIn); err != nil {
			return m, err
		}
		_, isSeen := l.seen[maphash.String(l.seed, id)]
		switch {
		case isSeen:
			m.present++
		case missingIn == l.number-1:
			m.again = append(m.again, f)
		default:
			m.first = append(m.first, f)
		}
	}
	return m, rows.Err()
}

// markMissing records that the sync has not found the rows' invitations.
func (r *run) markMissing(ctx context.Context, l *listing, all []found) error {
	if len(all) == 0 {
		return nil
	}
	var campaigns []int64
	var places []int
	for _, f := range all {
		campaigns, places = append(campaigns, f.campaign), append(places, f.place)
	}
	_, err := r.pool.Exec(ctx, r.sql(queryMissing), campaigns, places, l.number)
	return err
}

// pauseDoubtful pauses the instance because most open invitations are missing.
func (r *run) pauseDoubtful(ctx context.Context, m missing) error {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	n := len(m.first) + len(m.again)
	return r.c.Pause(ctx, fmt.Sprintf("Clerk's lists lack %d of %d open invitations. Either the secret key is that of another instance: "+
		"set the right one, then resume. Or somebody has deleted them: resume, and the next sync records it", n, n+m.present))
}
