package clerk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/clerk-invitations/clerk-go/internal/decide"
)

// Resend sends a new email: it creates another invitation like req, with IgnoreExisting,
// and then revokes the old one. EmailAddress and PublicMetadata default to those of the
// old invitation. Clerk does not return its other parameters, so req has to set them.
//
// If the old invitation is pending, there is always a link that works. If it cannot be
// revoked, Resend returns the new invitation with an [ErrOldNotRevoked], and both links
// work. After any other error the old invitation is unchanged; [ErrNotFound] and
// [ErrAlreadyAccepted] are about it. [ErrDuplicateInvitation] means that Clerk returned the
// old invitation instead of a new one. After an [ErrOutcomeUnknown], the new invitation may
// have been created: check later with FindPending. MaxElapsedTime limits all requests
// together.
func (s *InvitationsService) Resend(ctx context.Context, invitationID string, req CreateInvitationRequest, opts ...CallOption) (*Invitation, error) {
	m := method{OperationCreate, "Resend", checkID(invitationID)}
	if m.input == nil && req.EmailAddress != "" {
		m.input = checkAddress(req.EmailAddress)
	}
	return runCall(s.config(), m, opts, func(c *call) (*Invitation, error) {
		if _, err := req.marshal(); err != nil {
			return nil, err
		}
		return c.resend(ctx, invitationID, req)
	})
}

func (c *call) resend(ctx context.Context, id string, req CreateInvitationRequest) (*Invitation, error) {
	old, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if old.Status == InvitationStatusAccepted {
		return nil, &SDKError{Message: "the invitation is already accepted", Err: ErrAlreadyAccepted}
	}
	if req, err = likeOld(req, old); err != nil {
		return nil, err
	}
	body, err := req.encode()
	if err != nil {
		return nil, err
	}
	w := creation(&req, body)
	w.find = func(ctx context.Context, l *lookup) (*Invitation, decide.Finding, error) {
		return l.created(ctx, req.EmailAddress, id)
	}
	inv, err := reconcile(ctx, c, w)
	switch {
	case err == nil && inv.ID == id: // revoking it would end the only link
		return nil, &SDKError{Message: "Clerk returned the old invitation", Err: ErrDuplicateInvitation}
	case err != nil || old.Status != InvitationStatusPending:
		return inv, err
	}
	_, err = reconcile(ctx, c, revocation(id))
	if err != nil && !errors.Is(err, ErrAlreadyRevoked) {
		return inv, wrap(err, "created "+inv.ID+", but did not revoke the old invitation: ", ErrOldNotRevoked)
	}
	return inv, nil
}

// likeOld completes the request for a new invitation with the old one's address and metadata.
func likeOld(req CreateInvitationRequest, old *Invitation) (CreateInvitationRequest, error) {
	req.EmailAddress, req.IgnoreExisting = cmp.Or(req.EmailAddress, old.EmailAddress), true
	if req.PublicMetadata == nil && len(old.PublicMetadata) > 0 {
		d := json.NewDecoder(bytes.NewReader(old.PublicMetadata))
		d.UseNumber() // large numbers keep their digits
		if err := d.Decode(&req.PublicMetadata); err != nil {
			return req, &InputError{"public_metadata", "of the old invitation is not an object"}
		}
	}
	return req, nil
}
