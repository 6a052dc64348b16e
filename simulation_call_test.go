package clerk_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A simLife is the life of a client in a world.
type simLife struct {
	world  *simWorld
	link   *simLink
	client *clerk.Client
	checks []func() error // at the end, when all late work is done
	counts map[string]int // of results
	opts   []clerk.Option // of the client
}

func newSimLife(w *simWorld, opts ...clerk.Option) *simLife {
	l := &simLife{world: w, link: &simLink{world: w}, counts: map[string]int{}, opts: opts}
	l.restart()
	return l
}

// restart gives the life a new client, as in a new process.
func (l *simLife) restart() {
	l.link.dead = make(chan struct{})
	client, err := clerk.NewClient(testKey, append(l.opts, clerk.WithRandom(l.world.float), clerk.WithHTTPClient(&http.Client{Transport: l.link}))...)
	if err != nil {
		panic(err)
	}
	l.client = client
}

// end does all late work, and returns the first promise that a call broke.
func (l *simLife) end() error {
	l.world.finish()
	for _, check := range l.checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (l *simLife) check(check func() error) { l.checks = append(l.checks, check) }

// A simCall is one call of the library.
type simCall struct {
	actor        simActor
	name         string
	began, ended time.Time
	hasDeadline  bool // of its caller
	err          error
}

// maxSimRequests is the most requests that one call makes.
const maxSimRequests = 100

// call makes a call, with a deadline if limit is not zero, and checks its time and its
// requests.
func (l *simLife) call(name string, limit time.Duration, do func(context.Context) error) *simCall {
	c := &simCall{name: name, began: time.Now(), hasDeadline: limit > 0}
	ctx := context.WithValue(context.Background(), simActorKey{}, &c.actor)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	c.err = do(ctx)
	c.ended = time.Now()
	took := c.ended.Sub(c.began)
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	l.world.note(time.Now(), "%s: %v", name, c.err)
	l.check(func() error { return l.known(c) })
	l.check(func() error {
		switch {
		case took > cmp.Or(min(limit, time.Minute), time.Minute):
			return c.violation("took %s", took)
		case c.actor.requests > maxSimRequests:
			return c.violation("made %d requests", c.actor.requests)
		}
		return nil
	})
	if limit == 0 && len(l.opts) == 0 && l.world.isPlain() {
		l.counts["calls in time"]++
		if c.isUnknown() {
			l.counts["unknown in time"]++
		}
	}
	result := "done"
	if c.err != nil {
		result = clerk.ClassOf(c.err)
	}
	l.counts[result]++
	return c
}

// record returns the invitation that has or had an id.
func (l *simLife) record(id string) *simRecord {
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	return l.world.byID(id)
}

// later adds a check of a call's result, to be made at the end.
func (l *simLife) later(check func() error) {
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	l.check(check)
}

func (c *simCall) violation(format string, args ...any) error {
	return fmt.Errorf("%s (%v): "+format, append([]any{c.name, c.err}, args...)...)
}

func (c *simCall) isUnknown() bool { return errors.Is(c.err, clerk.ErrOutcomeUnknown) }

// create creates an invitation, and checks the result.
func (l *simLife) create(limit time.Duration, req clerk.CreateInvitationRequest) (inv *clerk.Invitation) {
	c := l.call("create "+req.EmailAddress, limit, func(ctx context.Context) (err error) {
		inv, err = l.client.Invitations.Create(ctx, req)
		return err
	})
	l.later(func() error { return l.created(c, req.EmailAddress, inv) })
	return inv
}

// bulk creates invitations together, and checks the result.
func (l *simLife) bulk(limit time.Duration, reqs []clerk.CreateInvitationRequest) {
	var invs []clerk.Invitation
	c := l.call(fmt.Sprintf("bulk of %d", len(reqs)), limit, func(ctx context.Context) (err error) {
		invs, err = l.client.Invitations.BulkCreate(ctx, reqs)
		return err
	})
	l.later(func() error {
		for i, req := range reqs {
			var inv *clerk.Invitation
			if c.err == nil {
				inv = &invs[i]
			}
			if err := l.created(c, req.EmailAddress, inv); err != nil {
				return err
			}
		}
		return nil
	})
}

// created checks what a call says about the invitation that it creates for an address. inv
// is nil if it has failed.
func (l *simLife) created(c *simCall, address string, inv *clerk.Invitation) error {
	var own, others []*simRecord
	for _, r := range l.world.records {
		switch {
		case r.address != address:
		case r.creator == &c.actor && r.revoked && r.revoker == nil:
			others = append(others, r) // it may vanish before the call can find it
		case r.creator == &c.actor:
			own = append(own, r)
		default:
			others = append(others, r)
		}
	}
	switch {
	case len(own) > 1:
		return c.violation("doubled %s", address)
	case inv == nil && len(own) > 0 && !c.isUnknown():
		return c.violation("falsely failed: %s is created", address)
	case inv != nil && !slices.ContainsFunc(append(own, others...), func(r *simRecord) bool {
		return r.id == inv.ID && (r.creator == &c.actor || c.actor.mayClaim(address, r.made))
	}):
		return c.violation("falsely claimed %s", inv.ID)
	}
	return nil
}

// known checks that the outcome of a call is known if nothing went wrong, and nobody else
// invited at about that time.
func (l *simLife) known(c *simCall) error {
	isNear := func(r *simRecord) bool {
		return r.creator != &c.actor && r.made.After(c.began.Add(-l.world.uncertainty())) && r.made.Before(c.ended)
	}
	if c.isUnknown() && c.actor.faults == 0 && l.world.parts == 0 && !c.hasDeadline && !slices.ContainsFunc(l.world.records, isNear) {
		return c.violation("falsely unknown: no request met a fault")
	}
	return nil
}

// simTolerance is the most by which the time of a call's work may be off: a second each for
// the whole seconds of Date, for clocks that are taken for equal, and for those that differ by
// less.
const simTolerance = 3 * time.Second

// mayClaim reports whether nobody could know that what happened for an address at a time
// is not the actor's work: one of its requests was under way, had its grace time, or was
// retried by the same call later.
func (a *simActor) mayClaim(address string, at time.Time) bool {
	var failed time.Time // the previous request
	for _, s := range a.sent {
		if s.failed.IsZero() || !s.request.isAbout(address) {
			continue
		}
		from := s.sent
		if from.Sub(failed) < time.Minute {
			from = failed
		}
		if failed = s.failed; !at.Before(from.Add(-simTolerance)) && !at.After(failed.Add(simGraceAfterTimeout+simTolerance)) {
			return true
		}
	}
	return false
}

// revoke revokes an invitation, and checks the result.
func (l *simLife) revoke(limit time.Duration, id string) {
	r := l.record(id)
	l.world.mu.Lock()
	was := r.revoked && time.Since(r.unmade) > simTolerance
	l.world.mu.Unlock()
	c := l.call("revoke "+id, limit, func(ctx context.Context) error {
		inv, err := l.client.Invitations.Revoke(ctx, id)
		if err == nil && (inv.ID != id || !inv.Revoked) {
			return fmt.Errorf("returned %v", inv)
		}
		return err
	})
	l.later(func() error {
		switch {
		case c.err == nil && (was || !r.revoked):
			return c.violation("falsely claimed: it is not revoked, or was before")
		case c.err != nil && r.revoker == &c.actor && !r.deleted && !c.isUnknown():
			return c.violation("falsely failed: it is revoked")
		}
		return nil
	})
}

// delete deletes an invitation, and checks the result.
func (l *simLife) delete(limit time.Duration, id string) {
	r := l.record(id)
	c := l.call("delete "+id, limit, func(ctx context.Context) error {
		_, err := l.client.Invitations.Delete(ctx, id)
		return err
	})
	l.later(func() error {
		switch {
		case c.err == nil && !r.deleted:
			return c.violation("falsely claimed: it is not deleted")
		case c.err != nil && r.deleter == &c.actor && !c.isUnknown():
			return c.violation("falsely failed: it is deleted")
		}
		return nil
	})
}

// resend resends an invitation, and checks the result.
func (l *simLife) resend(limit time.Duration, id string) {
	old := l.record(id)
	var inv *clerk.Invitation
	c := l.call("resend "+id, limit, func(ctx context.Context) (err error) {
		inv, err = l.client.Invitations.Resend(ctx, id, clerk.CreateInvitationRequest{})
		return err
	})
	l.later(func() error {
		if err := l.created(c, old.address, inv); err != nil {
			return err
		}
		switch {
		case c.err == nil && !old.revoked && !old.accepted:
			return c.violation("the old invitation is not revoked")
		case inv == nil && old.revoker == &c.actor:
			return c.violation("the old invitation is revoked, and there may be no other")
		}
		return nil
	})
}

// simAddress returns the address of a guest in the model.
func simAddress(i int) string { return fmt.Sprintf("s%d@example.com", i) }

func simRequest(i int, ignoreExisting bool) clerk.CreateInvitationRequest {
	return clerk.CreateInvitationRequest{EmailAddress: simAddress(i), IgnoreExisting: ignoreExisting}
}

func simRequests(from, n int, ignoreExisting bool) []clerk.CreateInvitationRequest {
	var reqs []clerk.CreateInvitationRequest
	for i := range n {
		reqs = append(reqs, simRequest(from+i, ignoreExisting))
	}
	return reqs
}
