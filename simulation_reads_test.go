package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// all lists invitations, and checks that none is missing that existed all the time.
func (l *simLife) all(req clerk.ListInvitationsRequest) {
	seen := map[string]int{}
	began := time.Now()
	c := l.call("all", 0, func(ctx context.Context) error {
		for inv, err := range l.client.Invitations.All(ctx, req) {
			if err != nil {
				return err
			}
			seen[inv.ID]++
		}
		return nil
	})
	ended := time.Now()
	l.later(func() error {
		for _, r := range l.world.records {
			was := r.status(began)
			switch isListed := was != "" && was != clerk.InvitationStatusRevoked && was == r.status(ended); {
			case seen[r.id] > 1:
				return c.violation("%s is listed twice", r.id)
			case c.err == nil && isListed && seen[r.id] == 0 && !l.world.moved(began, ended):
				return c.violation("%s is missing", r.id)
			}
		}
		return nil
	})
}

// moved reports whether invitations have left lists between two times, which moves others to
// earlier pages.
func (w *simWorld) moved(from, to time.Time) bool {
	isBetween := func(at time.Time) bool { return at.After(from) && !at.After(to) }
	return slices.ContainsFunc(w.records, func(r *simRecord) bool { return isBetween(r.shownRevoked) || isBetween(r.shownDeleted) })
}

// get gets an invitation, and checks the result.
func (l *simLife) get(id string) {
	r, began := l.record(id), time.Now()
	c := l.call("get "+id, 0, func(ctx context.Context) error {
		inv, err := l.client.Invitations.Get(ctx, id)
		if err == nil && inv.ID != id {
			return fmt.Errorf("returned %s", inv.ID)
		}
		return err
	})
	ended := time.Now()
	l.later(func() error {
		if was := r.status(began); errors.Is(c.err, clerk.ErrNotFound) && was != "" && was == r.status(ended) && !l.world.noIDs {
			return c.violation("it is there")
		}
		return nil
	})
}

// find looks for the pending invitation of an address, and checks the result.
func (l *simLife) find(address string) {
	began := time.Now()
	c := l.call("find "+address, 0, func(ctx context.Context) error {
		inv, err := l.client.Invitations.FindPending(ctx, address)
		if err == nil && inv.EmailAddress != address {
			return fmt.Errorf("returned %s", inv.ID)
		}
		return err
	})
	ended := time.Now()
	l.later(func() error {
		for _, r := range l.world.records {
			if r.address == address && errors.Is(c.err, clerk.ErrNotFound) &&
				r.status(began) == clerk.InvitationStatusPending && r.status(ended) == clerk.InvitationStatusPending {
				return c.violation("%s is pending", r.id)
			}
		}
		return nil
	})
}
