package clerkriver

import (
	"context"
	"fmt"
	"hash/maphash"
)

// minForeign is the number of missing invitations from which on the key may be a wrong one, and
// not somebody have deleted them.
const minForeign = 10

// recordMissing records open rows whose invitation was in no list: first that it was
// missing, and after the next sync that it was deleted. If the lists have no invitation of any
// row, in whatever status, the key may be that of another instance of Clerk: recordMissing
// records nothing, and pauses the instance.
func (r *run) recordMissing(ctx context.Context, l *listing) error {
	m, err := r.missing(ctx, l)
	if err != nil {
		return err
	}
	if r.isForeign = !l.known && m.lacking >= minForeign; r.isForeign {
		return r.pauseForeign(ctx, m.lacking)
	}
	if err := r.markMissing(ctx, l, m.first); err != nil {
		return err
	}
	return r.record(ctx, m.again)
}

// A missing holds the open rows whose invitation a sync has not found.
type missing struct {
	first   []found // the last sync has found them, or did not ask
	again   []found // the last sync has not found them either
	lacking int     // those of people who were not erased, as erasing deletes invitations
}

// missing returns the open rows that the listing lacks.
func (r *run) missing(ctx context.Context, l *listing) (m missing, err error) {
	rows, err := r.pool.Query(ctx, r.sql(queryOpenRows), r.instance, r.c.timing.listLag, r.run)
	if err != nil {
		return m, err
	}
	defer rows.Close()
	for rows.Next() {
		f := found{state: StateDeleted, at: l.now}
		var id string
		var missingIn int64
		var isErased bool
		if err := rows.Scan(&f.campaign, &f.place, &id, &missingIn, &isErased); err != nil {
			return m, err
		}
		if _, isSeen := l.seen[maphash.String(l.seed, id)]; isSeen {
			continue
		}
		if missingIn == l.number-1 {
			m.again = append(m.again, f)
		} else {
			m.first = append(m.first, f)
		}
		if !isErased {
			m.lacking++
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

// pauseForeign pauses the instance because Clerk lists none of its n open invitations, unless a
// pause continues.
func (r *run) pauseForeign(ctx context.Context, n int) error {
	if r.held {
		return nil
	}
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	return r.c.Pause(ctx, fmt.Sprintf("Clerk lists none of the %d open invitations. Either the secret key is that of another instance: "+
		"set the right one, and resume. Or somebody has deleted all of them: delete their campaigns, and resume", n))
}
