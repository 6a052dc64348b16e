package clerk

import (
	"context"
	"errors"
	"strings"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/clock"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// Erase deletes every invitation of an address, in every status, with Clerk's copies of
// its emails, for example on an erasure request. It revokes pending ones first, so that
// their links stop working. It can be called again at any time, even for an address that
// has no invitation. A user with the same address is not affected.
//
// It succeeds only if a listing shows none of them 5 seconds after the last change, so it
// takes at least that long. If there is no time for that, the error is [ErrOutcomeUnknown]:
// call Erase again. After any other error some may be deleted. Addresses are compared without
// regard to case. If Clerk spells an address differently, erase that spelling as well.
func (s *InvitationsService) Erase(ctx context.Context, emailAddress string, opts ...CallOption) error {
	m := method{OperationDelete, "Erase", checkAddress(emailAddress)}
	_, err := runCall(s.config(), m, opts, func(c *call) (struct{}, error) {
		return struct{}{}, c.erase(ctx, strings.TrimSpace(emailAddress))
	})
	return err
}

func (c *call) erase(ctx context.Context, address string) error {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	for isProof := false; ; isProof = true {
		invs, err := c.listAddress(ctx, address)
		switch {
		case err != nil:
			return err
		case len(invs) == 0 && isProof:
			return nil
		}
		for _, inv := range invs {
			if err := c.eraseOne(ctx, inv); err != nil {
				return err
			}
		}
		if decide.Grace >= clock.Left(ctx) || clock.Sleep(ctx, decide.Grace) != nil {
			return &SDKError{class: transport.Ambiguous, Err: clock.Err(ctx), Message: "no time to list the address after the last change: call Erase again"}
		}
	}
}

// listAddress returns the invitations of an address in every status.
func (c *call) listAddress(ctx context.Context, address string) (invs []Invitation, err error) {
	for _, status := range allStatuses {
		for inv, err := range c.invitations(ctx, ListInvitationsRequest{Query: address, Status: InvitationStatus(status)}) {
			if err != nil {
				return nil, err
			}
			if addresses.Same(inv.EmailAddress, address) {
				invs = append(invs, inv)
			}
		}
	}
	return invs, nil
}

// eraseOne revokes an invitation if it is pending, and deletes it.
func (c *call) eraseOne(ctx context.Context, inv Invitation) error {
	if inv.Status == InvitationStatusPending {
		part := c.part()
		_, err := reconcile(ctx, part, revocation(inv.ID))
		c.count(part)
		isDone := errors.Is(err, ErrAlreadyRevoked) || errors.Is(err, ErrAlreadyAccepted) || errors.Is(err, ErrNotFound)
		if err != nil && !isDone {
			return err
		}
	}
	part := c.part()
	_, err := reconcile(ctx, part, deletion(inv.ID))
	c.count(part)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
