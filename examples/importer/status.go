package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// ranks says which of several invitations of an address counts: the one with the highest rank
// or, if several have that rank, the newest of them.
var ranks = map[string]int{notInvited: 0, revoked: 1, lapsed: 2, pending: 3, accepted: 4}

// A state is the state of an address, and the id of its invitation.
type state struct{ outcome, invitation string }

// keyOf returns the key that identifies an address.
func keyOf(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

// readStates lists the instance's invitations, and returns the states of the addresses with
// these keys. It only reads. If others revoke or delete invitations meanwhile, it may miss
// one.
func readStates(ctx context.Context, client *clerk.Client, keys map[string]bool, show func(listed int)) (map[string]state, error) {
	states := map[string]state{}
	err := list(ctx, client, []clerk.InvitationStatus{"", clerk.InvitationStatusRevoked}, show, func(inv clerk.Invitation, next state) {
		key := keyOf(inv.EmailAddress)
		if keys[key] && ranks[next.outcome] >= ranks[states[key].outcome] {
			states[key] = next
		}
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}

// list visits the invitations of some statuses, with their states. An empty status means all
// but the revoked ones. show gets the number of invitations so far.
func list(ctx context.Context, client *clerk.Client, statuses []clerk.InvitationStatus, show func(listed int), visit func(clerk.Invitation, state)) error {
	listed := 0
	for _, status := range statuses {
		var meta clerk.ResponseMeta
		for inv, err := range client.Invitations.All(ctx, clerk.ListInvitationsRequest{Status: status}, clerk.WithPrefetch(8), clerk.WithResponse(&meta)) {
			if err != nil {
				return err
			}
			listed++
			show(listed)
			visit(inv, stateOf(inv, meta.Header))
		}
	}
	return nil
}

// stateOf returns the state of an invitation, from a response with a header. Clerk may list an
// invitation as pending although it has expired by Clerk's clock.
func stateOf(inv clerk.Invitation, header http.Header) state {
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	outcome := string(inv.Status)
	switch {
	case inv.Revoked || inv.Status == clerk.InvitationStatusRevoked:
		outcome = revoked
	case inv.Status == clerk.InvitationStatusExpired, inv.Status == clerk.InvitationStatusPending && inv.ExpiresAt != 0 && !inv.ExpiresAt.Time().After(now):
		outcome = lapsed
	case inv.Status == clerk.InvitationStatusPending:
		outcome = pending
	case inv.Status == clerk.InvitationStatusAccepted:
		outcome = accepted
	}
	return state{outcome, inv.ID}
}
