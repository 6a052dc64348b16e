// Package onboarding is a small service that invites people, with tests that run
// against the fake of package clerktest.
package onboarding

import (
	"context"
	"errors"
	"fmt"

	"github.com/clerk-invitations/clerk-go"
)

// A Service invites people.
type Service struct {
	Clerk *clerk.Client
}

// Invite makes sure that an address is invited. It reports whether the invitation is new.
func (s *Service) Invite(ctx context.Context, emailAddress string) (isNew bool, err error) {
	_, err = s.Clerk.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: emailAddress})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, clerk.ErrOutcomeUnknown): // before the others, as they may match, too
		return false, fmt.Errorf("perhaps invited: %w", err)
	case errors.Is(err, clerk.ErrDuplicateInvitation), errors.Is(err, clerk.ErrUserExists):
		return false, nil
	default:
		return false, fmt.Errorf("inviting: %w", err)
	}
}
