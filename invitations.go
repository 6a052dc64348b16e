package clerk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/decide"
)

// An Operation is an operation of Clerk's API, by its name in Clerk's OpenAPI document.
type Operation string

// The operations of [InvitationsService].
const (
	OperationCreate     Operation = "CreateInvitation"
	OperationList       Operation = "ListInvitations"
	OperationBulkCreate Operation = "CreateBulkInvitations"
	OperationRevoke     Operation = "RevokeInvitation"
	// OperationDelete is not in Clerk's OpenAPI document; the name follows its pattern.
	OperationDelete Operation = "DeleteInvitation"
)

// InvitationsService has the operations on invitations. It is the Invitations field of a
// [Client].
type InvitationsService struct {
	config func() *clientConfig
}

// Format writes the service without its client's key for every verb.
func (s InvitationsService) Format(f fmt.State, _ rune) {
	formatClient(f, "InvitationsService", s.config)
}

// Create creates an invitation and, unless Notify is false, Clerk sends the email. Clerk
// allows 100 of these requests an hour (its "Rate limits" page).
//
// If the address has an invitation already, the error is [ErrDuplicateInvitation]; if it
// belongs to a user, [ErrUserExists]. [ErrOutcomeUnknown] means that the invitation may
// have been created: FindPending finds out later.
func (s *InvitationsService) Create(ctx context.Context, req CreateInvitationRequest, opts ...CallOption) (*Invitation, error) {
	return runCall(s, OperationCreate, opts, func(c *call) (*Invitation, callMeta, error) {
		body, err := req.encode()
		if err != nil {
			return nil, callMeta{}, err
		}
		return reconcile(ctx, c, creation(&req, body), nil)
	})
}

// creation is the write that creates one invitation; body is the request's JSON.
func creation(req *CreateInvitationRequest, body []byte) write[*Invitation] {
	address := req.EmailAddress
	return write[*Invitation]{
		send: func(ctx context.Context, c *call) (*Invitation, callMeta, error) {
			r := request{operation: OperationCreate, method: http.MethodPost, path: "/invitations", body: body}
			inv, meta, err := do(ctx, c, r, func(body []byte) (*Invitation, error) {
				inv, err := decodeInvitation(body)
				if err == nil && isOther(inv.EmailAddress, address) {
					err = fmt.Errorf("%w: another address", errMismatch)
				}
				return inv, err
			})
			if err == nil && inv.CreatedAt != 0 {
				c.client.skew.Measure(meta.Header, inv.CreatedAt.Time(), meta.longest)
			}
			return inv, meta, err
		},
		find: func(ctx context.Context, l *lookup) (*Invitation, decide.Finding, error) {
			return l.created(ctx, address, "")
		},
		ownRefusal:      ErrDuplicateInvitation,
		retryDuplicates: req.IgnoreExisting,
	}
}

// List returns one page of invitations. For all pages, use [InvitationsService.All].
func (s *InvitationsService) List(ctx context.Context, req ListInvitationsRequest, opts ...CallOption) (*InvitationList, error) {
	return runCall(s, OperationList, opts, func(c *call) (*InvitationList, callMeta, error) {
		return listPage(ctx, c, req)
	})
}

func listPage(ctx context.Context, c *call, req ListInvitationsRequest) (*InvitationList, callMeta, error) {
	r := request{operation: OperationList, method: http.MethodGet, path: "/invitations", query: req.values(), err: req.check()}
	return do(ctx, c, r, decodeList)
}

// BulkCreate creates 1 to [MaxBulkInvitations] invitations in one request. Clerk allows
// 25 of these requests an hour (its "Rate limits" page).
//
// The result has an invitation for each request. Match them by address, as Clerk does
// not document the order. A refusal is about the whole request; [ClerkError.EmailAddresses]
// returns the addresses that it names, if any. Clerk does not document whether a bulk is
// atomic, so a refused one is looked up. If a part was found, or the library cannot tell,
// the error is [ErrOutcomeUnknown], which wraps the refusal: FindPending finds the part.
func (s *InvitationsService) BulkCreate(ctx context.Context, reqs []CreateInvitationRequest, opts ...CallOption) ([]Invitation, error) {
	return runCall(s, OperationBulkCreate, opts, func(c *call) ([]Invitation, callMeta, error) {
		b, err := newBulk(reqs)
		if err != nil {
			return nil, callMeta{}, err
		}
		invs, meta, err := reconcile(ctx, c, b.creation(), nil)
		return invs, meta, b.partly(err)
	})
}

// Revoke revokes an invitation, so that its link no longer works, and returns it. The
// invitee can still sign up by other means.
//
// An unknown id is [ErrNotFound]; an invitation that is already revoked or accepted is
// [ErrAlreadyRevoked] or [ErrAlreadyAccepted]. [ErrOutcomeUnknown] means that the
// invitation may have been revoked: Get finds out later.
func (s *InvitationsService) Revoke(ctx context.Context, invitationID string, opts ...CallOption) (*Invitation, error) {
	return runCall(s, OperationRevoke, opts, func(c *call) (*Invitation, callMeta, error) {
		return reconcile(ctx, c, revocation(invitationID), nil)
	})
}

func revocation(id string) write[*Invitation] {
	r := request{operation: OperationRevoke, method: http.MethodPost, path: "/revoke"}
	return write[*Invitation]{
		send: sendByID(id, r, decodeInvitation, func(inv *Invitation) string { return inv.ID }),
		find: func(ctx context.Context, l *lookup) (*Invitation, decide.Finding, error) {
			return l.revoked(ctx, id)
		},
		ownRefusal: ErrAlreadyRevoked,
	}
}

// sendByID returns the send of a write to one invitation. The path of r is below that of
// the invitation, and the response has to be about it.
func sendByID[T any](id string, r request, decode func([]byte) (T, error), idOf func(T) string) sender[T] {
	r.template = "/invitations/{invitation_id}" + r.path
	r.path, r.err = "/invitations/"+url.PathEscape(id)+r.path, inputError("invitation_id", check.PathSegment(id))
	return func(ctx context.Context, c *call) (T, callMeta, error) {
		return do(ctx, c, r, func(body []byte) (T, error) {
			result, err := decode(body)
			if err == nil && idOf(result) != id {
				err = fmt.Errorf("%w: another invitation", errMismatch)
			}
			return result, err
		})
	}
}

// Delete permanently deletes an invitation with any status, and Clerk's copies of its
// email, for example on an erasure request. A user with the same address is not affected
// (Clerk's reference, "deleteInvitation"). Whether the link of a pending invitation stops working is not
// documented: revoke it first.
//
// An unknown id is [ErrNotFound] (the status is inferred). If a request fails with an
// ambiguous error and the invitation is gone then, Delete succeeds.
func (s *InvitationsService) Delete(ctx context.Context, invitationID string, opts ...CallOption) (*DeletedObject, error) {
	return runCall(s, OperationDelete, opts, func(c *call) (*DeletedObject, callMeta, error) {
		return reconcile(ctx, c, deletion(invitationID), nil)
	})
}

func deletion(id string) write[*DeletedObject] {
	r := request{operation: OperationDelete, method: http.MethodDelete}
	return write[*DeletedObject]{
		send: sendByID(id, r, decodeDeleted, func(deleted *DeletedObject) string { return deleted.ID }),
		find: func(ctx context.Context, l *lookup) (*DeletedObject, decide.Finding, error) {
			return l.deleted(ctx, id)
		},
		ownRefusal: ErrNotFound,
	}
}

// Get returns the invitation with an id, also a revoked one. Clerk has no such operation:
// Get lists what Clerk finds for the id, on all pages, and returns the one that matches
// exactly. If there is none, the error is [ErrNotFound].
func (s *InvitationsService) Get(ctx context.Context, invitationID string, opts ...CallOption) (*Invitation, error) {
	return runCall(s, OperationList, opts, func(c *call) (*Invitation, callMeta, error) {
		if err := inputError("invitation_id", check.PathSegment(invitationID)); err != nil {
			return nil, callMeta{}, err
		}
		return c.get(ctx, invitationID)
	})
}

func (c *call) get(ctx context.Context, id string) (inv *Invitation, meta callMeta, err error) {
	for _, status := range allStatuses {
		inv, meta, err = c.first(ctx, ListInvitationsRequest{Query: id, Status: status}, func(inv Invitation) bool { return inv.ID == id })
		if !errors.Is(err, ErrNotFound) {
			break
		}
	}
	return inv, meta, err
}

// FindPending returns the newest pending invitation for an address. It compares whole
// addresses, without regard to case, on all pages of what Clerk finds. If there is none,
// the error is [ErrNotFound].
func (s *InvitationsService) FindPending(ctx context.Context, emailAddress string, opts ...CallOption) (*Invitation, error) {
	return runCall(s, OperationList, opts, func(c *call) (*Invitation, callMeta, error) {
		if err := inputError("email_address", check.Address(emailAddress)); err != nil {
			return nil, callMeta{}, err
		}
		pending := ListInvitationsRequest{Query: strings.TrimSpace(emailAddress), Status: InvitationStatusPending, OrderBy: OrderByCreatedAtDesc}
		return c.first(ctx, pending, func(inv Invitation) bool {
			return inv.Status == InvitationStatusPending && sameAddress(inv.EmailAddress, emailAddress)
		})
	})
}

// first returns the first invitation of a list that is wanted.
func (c *call) first(ctx context.Context, req ListInvitationsRequest, isWanted func(Invitation) bool) (*Invitation, callMeta, error) {
	var last callMeta
	for page, err := range c.pages(ctx, req, &last) {
		if err != nil {
			return nil, last, err
		}
		for _, inv := range page {
			if isWanted(inv) {
				return &inv, last, nil
			}
		}
	}
	return nil, last, &SDKError{ResponseMeta: ResponseMeta{Operation: OperationList}, Message: "no such invitation", Err: ErrNotFound}
}

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
	return runCall(s, OperationCreate, opts, func(c *call) (*Invitation, callMeta, error) {
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
