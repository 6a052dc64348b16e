package clerk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/decide"
)

// Resend sends a new email: it creates another invitation like req, with IgnoreExisting,
// and then revokes the old one. EmailAddress and PublicMetadata default to those of the
// old invitation. Clerk does not return its other parameters, so req has to set them.
//
// If the old invitation is pending, there is always a link that works. If it cannot be
// revoked, Resend returns the new invitation with an [ErrOldNotRevoked], and both links
// work. After any other error the old invitation is unchanged; [ErrNotFound] and
// [ErrAlreadyAccepted] are about it. After an [ErrOutcomeUnknown], the new invitation
// may have been created: FindPending finds out. MaxElapsedTime bounds all requests
// together.
func (s *InvitationsService) Resend(ctx context.Context, invitationID string, req CreateInvitationRequest, opts ...CallOption) (*Invitation, error) {
	return runCall(s.config(), OperationCreate, opts, func(c *call) (*Invitation, callMeta, error) {
		probe := req // to reject it before any request
		probe.EmailAddress = cmp.Or(req.EmailAddress, "of the old invitation")
		_, err := probe.encode()
		if err := cmp.Or(inputError("invitation_id", check.PathSegment(invitationID)), err); err != nil {
			return nil, callMeta{}, err
		}
		return c.resend(ctx, invitationID, req)
	})
}

func (c *call) resend(ctx context.Context, id string, req CreateInvitationRequest) (*Invitation, callMeta, error) {
	old, meta, err := c.get(ctx, id)
	if err != nil {
		return nil, meta, err
	}
	if old.Status == InvitationStatusAccepted {
		return nil, meta, &SDKError{ResponseMeta: meta.ResponseMeta, Message: "the invitation is already accepted", Err: ErrAlreadyAccepted}
	}
	req, err = likeOld(req, old)
	body, encodeErr := req.encode()
	if err = cmp.Or(err, encodeErr); err != nil {
		return nil, meta, err
	}
	w := creation(&req, body)
	w.find = func(ctx context.Context, l *lookup) (*Invitation, decide.Finding, error) {
		return l.created(ctx, req.EmailAddress, id)
	}
	inv, meta, err := reconcile(ctx, c, w, nil)
	if err != nil || old.Status != InvitationStatusPending {
		return inv, meta, err
	}
	_, meta, err = reconcile(ctx, c, revocation(id), nil)
	if err != nil && !errors.Is(err, ErrAlreadyRevoked) {
		return inv, meta, wrap(err, "created "+inv.ID+", but did not revoke the old invitation: ", ErrOldNotRevoked)
	}
	return inv, meta, nil
}

// likeOld completes the request for a new invitation with what the old one has.
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
