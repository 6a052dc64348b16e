package clerkriver

import (
	"context"
	"errors"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// A State is how far a row has got.
type State string

// The states. Those after StateSending are outcomes; they do not change again.
const (
	// StateWaiting means that the row is yet to be sent.
	StateWaiting State = "waiting"
	// StateSending means that a run has taken the row, and may have sent it.
	StateSending State = "sending"
	// StateCreated means that the campaign created the invitation.
	StateCreated State = "created"
	// StateAlreadyInvited means that the address had an invitation, usually a pending or
	// accepted one, that is not the campaign's.
	StateAlreadyInvited State = "already_invited"
	// StateUserExists means that the address belongs to a user.
	StateUserExists State = "user_exists"
	// StateRejected means that the request was invalid, or Clerk rejected it.
	StateRejected State = "rejected"
	// StateRepeated means that an earlier row of the campaign has the same address, and its
	// invitation was created.
	StateRepeated State = "repeated"
	// StateUnknown means that the row may have been sent, and Clerk never answered.
	StateUnknown State = "unknown"
	// StateCancelled means that the campaign was cancelled before the row was sent.
	StateCancelled State = "cancelled"
)

// stateOf is the state of a row that CreateAll has a result for. Whose the invitation is
// that exists, explain finds out.
func stateOf(outcome clerk.Outcome) State {
	switch outcome {
	case clerk.OutcomeCreated:
		return StateCreated
	case clerk.OutcomeAlreadyInvited, clerk.OutcomeRepeated: // in a run of several campaigns
		return StateAlreadyInvited
	case clerk.OutcomeUserExists:
		return StateUserExists
	case clerk.OutcomeRejected:
		return StateRejected
	}
	return StateUnknown
}

// settle keeps the result that CreateAll has for a row.
func (r *run) settle(ctx context.Context, it item, made clerk.CreateResult) {
	state, id, problem := stateOf(made.Outcome), "", ""
	switch {
	case made.Invitation != nil:
		id = made.Invitation.ID
	case made.Existing != nil:
		id = made.Existing.ID
	}
	if made.Err != nil {
		problem = made.Err.Error()
	}
	var err error
	if state == StateAlreadyInvited {
		state, id, err = r.explain(ctx, it, id)
	}
	if err == nil && state == StateUnknown && it.attempts+1 < maxAttempts {
		err = errors.New(problem)
	}
	cancelled := false
	if err == nil {
		cancelled, err = r.keep(ctx, it, state, id, problem)
	}
	if err != nil {
		r.unknowns = append(r.unknowns, unknown{it, err.Error()})
	}
	if cancelled {
		r.stop(errCancelled)
	}
}

// explain finds out whose the invitation is that exists. If an earlier run may have sent
// the row, it may be the row's own.
func (r *run) explain(ctx context.Context, it item, id string) (State, string, error) {
	mayBeOwn := false
	if it.attempts > 0 {
		inv, err := r.find(ctx, it)
		switch {
		case err != nil:
			return "", "", err
		case inv != nil:
			id, mayBeOwn = inv.ID, it.isSince(inv)
		case it.attempts < maxAttempts:
			return "", "", errors.New("clerkriver: the invitation exists, but is not listed yet")
		}
	}
	owner, err := r.owner(ctx, id)
	switch {
	case err != nil:
		return "", "", err
	case owner == it.campaign:
		return StateRepeated, id, nil
	case owner == 0 && mayBeOwn:
		return StateCreated, id, nil
	}
	return StateAlreadyInvited, id, nil
}

// isSince reports whether an invitation is as young as the item's campaign.
func (it *item) isSince(inv *clerk.Invitation) bool {
	return inv.CreatedAt >= clerk.UnixMilli(it.enqueued.Add(-skipSlack).UnixMilli())
}

// owner returns the campaign that created an invitation; 0 if none is known.
func (r *run) owner(ctx context.Context, id string) (campaign int64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	err = r.c.pool.QueryRow(ctx, r.c.sql(`SELECT coalesce(max(campaign_id), 0) FROM SCHEMA.clerkriver_rows
		WHERE invitation_id = $1 AND state = 'created'`), id).Scan(&campaign)
	return campaign, err
}

// find returns the newest invitation of the row's address that is not revoked; nil if
// there is none.
func (r *run) find(ctx context.Context, it item) (*clerk.Invitation, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	all := r.client.Invitations.All(ctx, clerk.ListInvitationsRequest{
		Query: it.request.EmailAddress, OrderBy: clerk.OrderByCreatedAtDesc,
	})
	for inv, err := range all {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(inv.EmailAddress, it.request.EmailAddress) {
			return &inv, nil
		}
	}
	return nil, nil
}

// settleCancelled looks up the rows of cancelled campaigns that may have been sent.
func (r *run) settleCancelled(ctx context.Context) error {
	rows, err := r.c.items(ctx, r.c.pool, `UPDATE SCHEMA.clerkriver_rows r
		SET state = 'sending', run = $2, attempts = least(attempts + 1, 1000), changed_at = clock_timestamp()
		FROM SCHEMA.clerkriver_campaigns c
		WHERE c.instance = $1 AND c.finished_at IS NULL AND c.cancelled_at IS NOT NULL
			AND r.campaign_id = c.id AND r.state IN ('waiting', 'sending')
		RETURNING `+itemColumns, r.c.config.Instance, r.id)
	for _, it := range rows {
		if r.ctx.Err() != nil {
			break
		}
		state, id := StateCancelled, ""
		inv, err := r.find(ctx, it)
		if err == nil && inv != nil && it.isSince(inv) {
			var owner int64
			if owner, err = r.owner(ctx, inv.ID); owner == 0 {
				state, id = StateCreated, inv.ID
			}
		}
		if err == nil {
			_, err = r.keep(ctx, it, state, id, "")
		}
		if err != nil {
			r.unknowns = append(r.unknowns, unknown{it, err.Error()})
		}
	}
	return err
}
