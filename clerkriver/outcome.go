package clerkriver

import (
	"context"
	"errors"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// stateOf returns the state of a row for an outcome of CreateAll. explain determines who
// created an existing invitation.
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

// isAnswer reports whether Clerk has created the invitation, or has refused this row alone. A
// row that was found in a list, or is invalid, was not sent.
func isAnswer(made clerk.CreateResult) bool {
	_, isRefused := errors.AsType[*clerk.ClerkErrors](made.Err)
	return made.Outcome == clerk.OutcomeCreated || made.Outcome == clerk.OutcomeUserExists || made.Outcome == clerk.OutcomeRejected && isRefused
}

// settle keeps CreateAll's result for a row.
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
	switch {
	case it.replaces != "" && id == it.replaces: // Clerk returned the old one
		state = StateAlreadyInvited
	case state == StateAlreadyInvited:
		state, id, err = r.explain(ctx, it, id)
	}
	if err == nil && state == StateUnknown && it.attempts+1 < maxAttempts {
		err = errors.New(problem)
	}
	stops := false
	if err == nil {
		stops, err = r.keep(ctx, it, state, id, problem)
	}
	if err != nil {
		r.unknowns = append(r.unknowns, unknown{it, err.Error()})
	}
	if stops {
		r.stop(errCancelled)
	}
}

// explain determines who created the existing invitation. If an earlier run may have sent
// the row, it may be the row's own.
func (r *run) explain(ctx context.Context, it item, id string) (State, string, error) {
	mayBeOwn := false
	if it.attempts > 0 {
		inv, err := r.find(ctx, it)
		switch {
		case err != nil:
			return "", "", err
		case inv != nil:
			id, mayBeOwn = inv.ID, it.mayHaveCreated(inv)
		case it.attempts < maxAttempts:
			return "", "", errors.New("clerkriver: the invitation exists, but is not listed yet")
		}
	}
	owner, isForeign, err := r.owner(ctx, id)
	switch {
	case err != nil:
		return "", "", err
	case owner == it.campaign:
		return StateRepeated, id, nil
	case owner == 0 && mayBeOwn && !isForeign:
		return StateCreated, id, nil
	}
	return StateAlreadyInvited, id, nil
}

// mayHaveCreated reports whether an invitation was created after the item's campaign was
// enqueued, and before its last attempt had certainly ended.
func (it *item) mayHaveCreated(inv *clerk.Invitation) bool {
	return inv.CreatedAt >= clerk.UnixMilli(it.enqueued.Add(-skipSlack).UnixMilli()) &&
		inv.CreatedAt <= clerk.UnixMilli(it.mayExist.Add(skipSlack).UnixMilli())
}

// owner returns the campaign that created an invitation, or 0 if it is not known. isForeign
// reports whether somebody else is known to have created it.
func (r *run) owner(ctx context.Context, id string) (campaign int64, isForeign bool, err error) {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	err = r.pool.QueryRow(ctx, r.sql(queryOwner), r.instance, id).Scan(&campaign, &isForeign)
	return campaign, isForeign, err
}

// find returns the newest invitation of the row's address that is not revoked, or nil if there
// is none.
func (r *run) find(ctx context.Context, it item) (*clerk.Invitation, error) {
	ctx, cancel := r.c.closing(ctx)
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

// findSent returns the id of the invitation that an earlier run has created for the item, or
// "" if there is none.
func (r *run) findSent(ctx context.Context, it item) (id string, err error) {
	ctx, cancel := r.c.closing(ctx)
	defer cancel()
	for _, status := range allStatuses {
		for inv, err := range r.client.Invitations.All(ctx, clerk.ListInvitationsRequest{Status: status, Query: it.request.EmailAddress}) {
			if err != nil {
				return "", err
			}
			if inv.ID == it.replaces || !strings.EqualFold(inv.EmailAddress, it.request.EmailAddress) || !it.mayHaveCreated(&inv) {
				continue
			}
			owner, isForeign, err := r.owner(ctx, inv.ID)
			if err != nil || owner == 0 && !isForeign {
				return inv.ID, err
			}
		}
	}
	return "", nil
}

// settleCancelled looks up the rows of cancelled campaigns that may have been sent.
func (r *run) settleCancelled(ctx context.Context) error {
	var all []item
	for _, it := range r.left {
		if it.cancelled && (it.sending || it.attempts > 0) {
			all = append(all, it)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := r.mayWrite(ctx); err != nil {
		return err
	}
	all, err := r.retake(ctx, queryLookUpAgain, all)
	if err != nil {
		return err
	}
	for _, it := range all {
		if r.isStopped() {
			break
		}
		state := StateCancelled
		id, err := r.findSent(ctx, it)
		if id != "" {
			state = StateCreated
		}
		if err == nil {
			_, err = r.keep(ctx, it, state, id, "")
		}
		if err != nil {
			r.unknowns = append(r.unknowns, unknown{it, err.Error()})
		}
	}
	return nil
}
