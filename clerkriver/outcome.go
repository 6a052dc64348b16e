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
	// StateAlreadyInvited means that the address had a pending or accepted invitation, or
	// an earlier row of the run had the same address.
	StateAlreadyInvited State = "already_invited"
	// StateUserExists means that the address belongs to a user.
	StateUserExists State = "user_exists"
	// StateRejected means that the request was invalid, or Clerk rejected it.
	StateRejected State = "rejected"
	// StateUnknown means that the row may have been sent, and Clerk never answered.
	StateUnknown State = "unknown"
	// StateCancelled means that the campaign was cancelled before the row was sent.
	StateCancelled State = "cancelled"
)

// stateOf is the state of a row that CreateAll has a result for.
func stateOf(outcome clerk.Outcome) State {
	switch outcome {
	case clerk.OutcomeCreated:
		return StateCreated
	case clerk.OutcomeAlreadyInvited:
		return StateAlreadyInvited
	case clerk.OutcomeAlreadyUser:
		return StateUserExists
	case clerk.OutcomeRefused:
		return StateRejected
	}
	return StateUnknown
}

// settle keeps the result that CreateAll has for a row.
func (r *run) settle(ctx context.Context, it item, made clerk.CreateResult) {
	state, id, problem := stateOf(made.Outcome), "", ""
	if made.Invitation != nil {
		id = made.Invitation.ID
	}
	if made.Err != nil {
		problem = made.Err.Error()
	}
	var err error
	if state == StateAlreadyInvited && it.attempts > 0 { // perhaps by this row itself
		state, id, err = r.explain(ctx, it)
	}
	if err == nil && state == StateUnknown && it.attempts+1 < maxAttempts {
		err = errors.New(problem)
	}
	cancelled := false
	if err == nil {
		cancelled, err = r.keep(ctx, it, state, id, problem)
	}
	if err != nil {
		r.doubts = append(r.doubts, doubt{it, err.Error()})
	}
	if cancelled {
		r.stop(errCancelled)
	}
}

// explain finds out whether the invitation that exists was made by an earlier attempt at
// the row.
func (r *run) explain(ctx context.Context, it item) (State, string, error) {
	inv, err := r.find(ctx, it)
	switch {
	case err != nil:
		return "", "", err
	case inv == nil && it.attempts < maxAttempts:
		return "", "", errors.New("clerkriver: the invitation exists, but is not listed yet")
	case inv == nil:
		return StateAlreadyInvited, "", nil
	}
	own, err := r.isOwn(ctx, it, inv)
	if err != nil || !own {
		return StateAlreadyInvited, inv.ID, err
	}
	return StateCreated, inv.ID, nil
}

// isOwn reports whether an invitation was made for the row: since the campaign was
// enqueued, and not for another row.
func (r *run) isOwn(ctx context.Context, it item, inv *clerk.Invitation) (bool, error) {
	if inv.CreatedAt < clerk.UnixMilli(it.enqueued.Add(-skipSlack).UnixMilli()) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	var claimed bool
	err := r.c.pool.QueryRow(ctx, r.c.sql(`SELECT EXISTS (SELECT FROM SCHEMA.clerkriver_rows
		WHERE invitation_id = $1 AND state = 'created')`), inv.ID).Scan(&claimed)
	return !claimed, err
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
		if err == nil && inv != nil {
			var own bool
			if own, err = r.isOwn(ctx, it, inv); own {
				state, id = StateCreated, inv.ID
			}
		}
		if err == nil {
			_, err = r.keep(ctx, it, state, id, "")
		}
		if err != nil {
			r.doubts = append(r.doubts, doubt{it, err.Error()})
		}
	}
	return err
}
