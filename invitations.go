package clerk

import "context"

// Create creates an invitation and, unless Notify is false, Clerk sends the email. Clerk
// allows 100 of these requests an hour (its "Rate limits" page).
//
// If the address already has an invitation, the error is [ErrDuplicateInvitation]. If it
// belongs to a user, the error is [ErrUserExists]. [ErrOutcomeUnknown] means that the
// invitation may have been created: check later with FindPending.
//
// In a request handler, do not pass on the request's context: it ends when its client
// disconnects, which abandons a write before its outcome is known. Use
// context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second).
func (s *InvitationsService) Create(ctx context.Context, req CreateInvitationRequest, opts ...CallOption) (*Invitation, error) {
	return runCall(s.config(), method{operation: OperationCreate}, opts, func(c *call) (*Invitation, error) {
		body, err := req.encode()
		if err != nil {
			return nil, err
		}
		return reconcile(ctx, c, creation(&req, body))
	})
}

// BulkCreate creates 1 to [MaxBulkInvitations] invitations in one request. Clerk allows
// 25 of these requests an hour (its "Rate limits" page).
//
// The result has an invitation for each request. Match them by address, as Clerk does not
// document the order. A refusal applies to the whole request; [ClerkError.EmailAddresses]
// returns the addresses that it names, if any. Clerk does not document bulks as atomic, so
// after a refusal the library lists what was created, for a second or, with IgnoreExisting,
// for five. If a part was created, or the library cannot tell, the error is
// [ErrOutcomeUnknown], which wraps the refusal: FindPending finds the part.
//
// An open report says that Clerk loses the metadata of bulks, but not of single creates. If an
// invitation comes back with metadata that differs from what was sent, BulkCreate returns all
// invitations with an [ErrMetadataLost]. It cannot detect a loss that shows only after
// sign-up.
func (s *InvitationsService) BulkCreate(ctx context.Context, reqs []CreateInvitationRequest, opts ...CallOption) ([]Invitation, error) {
	return runCall(s.config(), method{operation: OperationBulkCreate}, opts, func(c *call) ([]Invitation, error) {
		b, err := newBulk(reqs)
		if err != nil {
			return nil, err
		}
		invs, err := reconcile(ctx, c, b.creation())
		if invs, err = b.inspected(ctx, c, invs, err); err != nil {
			return invs, b.partly(err)
		}
		return invs, b.metadataError(&c.last.ResponseMeta, invs)
	})
}

// Revoke revokes an invitation, so that its link no longer works, and returns it. The
// invitee can still sign up by other means.
//
// If the id is unknown, the error is [ErrNotFound]. If the invitation is already revoked or
// accepted, it is [ErrAlreadyRevoked] or [ErrAlreadyAccepted]. [ErrOutcomeUnknown] means that
// the invitation may have been revoked: check later with Get.
func (s *InvitationsService) Revoke(ctx context.Context, invitationID string, opts ...CallOption) (*Invitation, error) {
	m := method{operation: OperationRevoke, input: checkID(invitationID)}
	return runCall(s.config(), m, opts, func(c *call) (*Invitation, error) {
		return reconcile(ctx, c, revocation(invitationID))
	})
}

// Delete permanently deletes an invitation with any status, and Clerk's copies of its
// email, for example on an erasure request. A user with the same address is not affected
// (Clerk's reference, "deleteInvitation"). Clerk does not document whether the link of a
// pending invitation stops working, so revoke it first.
//
// If the id is unknown, the error is [ErrNotFound] (the status is inferred). After an
// ambiguous failure, Delete succeeds only if the invitation is certainly gone: a retry deletes
// it or does not find it, or it is missing from all lists once they must show it. Otherwise,
// the error is [ErrOutcomeUnknown]: call Delete again.
func (s *InvitationsService) Delete(ctx context.Context, invitationID string, opts ...CallOption) (*DeletedObject, error) {
	m := method{operation: OperationDelete, input: checkID(invitationID)}
	return runCall(s.config(), m, opts, func(c *call) (*DeletedObject, error) {
		return reconcile(ctx, c, deletion(invitationID))
	})
}
