package clerk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A simCampaign invites the same people with one run of CreateAll after another.
type simCampaign struct {
	life *simLife
	rows []clerk.CreateInvitationRequest
	opts []clerk.CreateAllOption
	runs []*simRun
}

// A simRun is one run of a campaign.
type simRun struct {
	actor   simActor
	began   time.Time
	took    time.Duration
	results map[int]clerk.CreateResult
	err     error
	isDead  bool // it was killed, so its last results are lost
}

func (l *simLife) campaign(rows []clerk.CreateInvitationRequest, opts ...clerk.CreateAllOption) *simCampaign {
	c := &simCampaign{life: l, rows: rows, opts: opts}
	l.check(c.check)
	return c
}

// run runs CreateAll to the end.
func (c *simCampaign) run() *simRun { return c.runUntil(365*24*time.Hour, func(*simRun) {}) }

// runUntil runs CreateAll, and stops it after a time.
func (c *simCampaign) runUntil(d time.Duration, stop func(*simRun)) *simRun {
	r := &simRun{began: time.Now(), results: map[int]clerk.CreateResult{}}
	c.runs = append(c.runs, r)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), simActorKey{}, &r.actor))
	defer cancel()
	timer := time.AfterFunc(d, func() {
		stop(r)
		cancel()
	})
	defer timer.Stop()
	for result, err := range c.life.client.Invitations.CreateAll(ctx, slices.Values(c.rows), c.opts...) {
		switch {
		case r.isDead:
		case err != nil:
			r.err = err
			c.life.world.note(time.Now(), "the run ended: %v", err)
		default:
			r.results[result.Index] = result
			c.life.world.note(time.Now(), "%v", result)
			if w := c.life.world; result.Request.EmailAddress != w.poison && w.isPlain() {
				c.life.counts[result.Outcome.String()]++
			}
		}
	}
	r.took = time.Since(r.began)
	return r
}

// cancelAfter runs CreateAll, and cancels it after a time.
func (c *simCampaign) cancelAfter(d time.Duration) {
	r := c.runUntil(d, func(*simRun) {})
	c.life.check(func() error {
		if r.took > d+15*time.Second {
			return fmt.Errorf("a run that was canceled after %s took %s", d, r.took)
		}
		return nil
	})
}

// killAfter runs CreateAll, and kills its process after a time. A request under way may still
// be carried out.
func (c *simCampaign) killAfter(d time.Duration) {
	dead := c.life.link.dead
	r := c.runUntil(d, func(r *simRun) {
		r.isDead = true
		close(dead)
	})
	if r.isDead {
		c.life.restart()
	}
}

// check checks what the runs have said about every row.
func (c *simCampaign) check() error {
	for i, req := range c.rows {
		own := 0
		for _, r := range c.life.world.records {
			if r.address == req.EmailAddress && slices.ContainsFunc(c.runs, func(run *simRun) bool { return r.creator == &run.actor }) {
				own++
			}
		}
		if own > 1 {
			return fmt.Errorf("row %d is doubled", i)
		}
	}
	for n, r := range c.runs {
		if err := c.checkRun(r); err != nil {
			return fmt.Errorf("run %d: %w", n, err)
		}
	}
	return nil
}

// maxSimUncounted is the most requests an hour that a run makes beyond its budget, because it
// assumes that Clerk does not count them.
const maxSimUncounted = 10

func (c *simCampaign) checkRun(r *simRun) error {
	if r.took > 26*time.Hour+time.Duration(len(c.rows)/340)*time.Hour {
		return fmt.Errorf("took %s", r.took)
	}
	for op, most := range map[clerk.Operation]int{clerk.OperationCreate: 90, clerk.OperationBulkCreate: 25} {
		if n := busiestHour(r.actor.counted[op]); n > most+maxSimUncounted {
			return fmt.Errorf("made %d requests of %s in an hour", n, op)
		}
	}
	for i, req := range c.rows {
		result, ok := r.results[i]
		own := c.madeBy(r, req.EmailAddress)
		switch {
		case ok:
			if err := c.checkResult(r, result, own); err != nil {
				return fmt.Errorf("row %d (%v): %w", i, result, err)
			}
		case r.isDead:
		case r.err == nil:
			return fmt.Errorf("row %d has no result", i)
		case own != nil && c.isFirst(i) && !errors.Is(r.err, clerk.ErrOutcomeUnknown):
			return fmt.Errorf("row %d is created, and the run ended with %w", i, r.err)
		}
	}
	return nil
}

// busiestHour returns the largest number of times in an hour.
func busiestHour(times []time.Time) (most int) {
	from := 0
	for to, at := range times {
		for at.Sub(times[from]) >= time.Hour {
			from++
		}
		most = max(most, to-from+1)
	}
	return most
}

// isFirst reports whether no earlier row has the address of a row.
func (c *simCampaign) isFirst(row int) bool {
	address := c.rows[row].EmailAddress
	return slices.IndexFunc(c.rows, func(req clerk.CreateInvitationRequest) bool { return req.EmailAddress == address }) == row
}

// madeBy returns the invitation that a run has created for an address.
func (c *simCampaign) madeBy(run *simRun, address string) *simRecord {
	for _, r := range c.life.world.records {
		if r.address == address && r.creator == &run.actor {
			return r
		}
	}
	return nil
}

func (c *simCampaign) checkResult(run *simRun, result clerk.CreateResult, own *simRecord) error {
	w, address := c.life.world, result.Request.EmailAddress
	isFirst := c.isFirst(result.Index)
	switch result.Outcome {
	case clerk.OutcomeCreated:
		if i := slices.IndexFunc(w.records, func(r *simRecord) bool { return r.id == result.Invitation.ID }); i < 0 ||
			w.records[i].creator != &run.actor && !run.actor.mayClaim(address, w.records[i].made) {
			return errors.New("falsely claimed")
		}
	case clerk.OutcomeUserExists:
		if !w.users[address] {
			return errors.New("falsely failed: it is no user")
		}
	case clerk.OutcomeAlreadyInvited:
		if isFirst && (own != nil || !c.isInvited(run, address)) {
			return errors.New("falsely failed: nobody else has invited the address")
		}
	case clerk.OutcomeRejected:
		if result.Request.TemplateSlug == "" && address != w.poison {
			return errors.New("falsely rejected")
		}
	case clerk.OutcomeRepeated:
		if isFirst {
			return errors.New("it is the first")
		}
	case clerk.OutcomeUnknown:
		isNear := func(r *simRecord) bool {
			return r.creator != &run.actor && r.made.After(run.began.Add(-w.uncertainty()))
		}
		if run.actor.faults == 0 && w.parts == 0 && !slices.ContainsFunc(w.records, isNear) {
			return errors.New("falsely unknown")
		}
	}
	return nil
}

// isInvited reports whether anyone but the run has invited an address.
func (c *simCampaign) isInvited(run *simRun, address string) bool {
	return slices.ContainsFunc(c.life.world.records, func(r *simRecord) bool { return r.address == address && r.creator != &run.actor })
}
