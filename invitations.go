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
	"slices"
	"strings"
	"unicode"
)

// An Operation is an operation of Clerk's API, by its name in Clerk's OpenAPI
// document.
type Operation string

// The operations of [InvitationsService].
const (
	OperationCreate     Operation = "CreateInvitation"
	OperationList       Operation = "ListInvitations"
	OperationBulkCreate Operation = "CreateBulkInvitations"
	OperationRevoke     Operation = "RevokeInvitation"
)

// InvitationsService holds the operations on invitations. It is the Invitations
// field of a [Client].
type InvitationsService struct {
	client *Client
}

// Format writes the service as its client, whatever the verb.
func (s InvitationsService) Format(f fmt.State, verb rune) { s.client.Format(f, verb) }

// Create makes an invitation and, unless Notify says otherwise, has Clerk send
// the email. Clerk takes 100 of these requests an hour (its "Rate limits" page).
//
// A pending invitation for the address gives [ErrDuplicateInvitation], an address
// that belongs to a user [ErrUserExists]. [ErrOutcomeUnknown] means that the
// invitation may have been made, and that it could not be found out: FindPending
// settles it later.
func (s *InvitationsService) Create(ctx context.Context, req CreateInvitationRequest, opts ...CallOption) (*Invitation, error) {
	return settle(ctx, s, opts, s.creation(req))
}

func (s *InvitationsService) create(ctx context.Context, cfg *config, req CreateInvitationRequest) (*Invitation, error) {
	r := request{operation: OperationCreate, method: http.MethodPost, path: "/invitations"}
	r.body, r.invalid = encode(req)
	return carryOut(ctx, cfg, r, decodeInvitation)
}

// List gives one page of invitations. For all pages use [InvitationsService.All].
func (s *InvitationsService) List(ctx context.Context, req ListInvitationsRequest, opts ...CallOption) (*InvitationList, error) {
	return s.list(ctx, s.client.forCall(opts), req)
}

func (s *InvitationsService) list(ctx context.Context, cfg *config, req ListInvitationsRequest) (*InvitationList, error) {
	r := request{operation: OperationList, method: http.MethodGet, path: "/invitations", query: req.values()}
	r.invalid = req.check()
	return carryOut(ctx, cfg, r, decodeList)
}

// BulkCreate makes 1 to [MaxBulkInvitations] invitations in one request. Clerk
// takes 25 of these requests an hour (its "Rate limits" page).
//
// The result has an invitation for each request; match them by address, for
// Clerk does not document the order. Most likely Clerk makes all of them or none:
// a refusal is about the whole request, and only [ErrDuplicateInvitation] names
// the addresses that it is about. [ErrOutcomeUnknown] means that some or all may
// have been made, and that it could not be found out.
func (s *InvitationsService) BulkCreate(ctx context.Context, reqs []CreateInvitationRequest, opts ...CallOption) ([]Invitation, error) {
	b := &bulk{reqs: reqs}
	invs, err := settle(ctx, s, opts, b.creation(s))
	if err != nil && len(b.made) > 0 { // a refusal of the rest
		return nil, stillUnknown(err, nil)
	}
	return invs, err
}

func (s *InvitationsService) bulkCreate(ctx context.Context, cfg *config, reqs []CreateInvitationRequest) ([]Invitation, error) {
	r := request{operation: OperationBulkCreate, method: http.MethodPost, path: "/invitations/bulk"}
	r.body, r.invalid = encodeBulk(reqs)
	return carryOut(ctx, cfg, r, func(body []byte) ([]Invitation, error) {
		invs, err := decodeInvitations(body)
		if err == nil && len(invs) != len(reqs) {
			err = fmt.Errorf("the response has %d invitations for %d requests", len(invs), len(reqs))
		}
		return invs, err
	})
}

// Revoke ends the invitation, so that its link can no longer be used, and gives
// it as it is then. It does not keep its addressee from signing up by other means.
//
// An id that Clerk does not know gives [ErrNotFound], an invitation that is
// revoked or accepted [ErrAlreadyRevoked] or [ErrAlreadyAccepted].
// [ErrOutcomeUnknown] means that the invitation may have been revoked, and that it
// could not be found out: Get settles it later.
func (s *InvitationsService) Revoke(ctx context.Context, invitationID string, opts ...CallOption) (*Invitation, error) {
	return settle(ctx, s, opts, write[*Invitation]{
		send: func(ctx context.Context, cfg *config) (*Invitation, error) { return s.revoke(ctx, cfg, invitationID) },
		look: func(ctx context.Context, v *view, _ error) (*Invitation, sight, error) {
			return lookForRevoked(ctx, v, invitationID)
		},
	})
}

func (s *InvitationsService) revoke(ctx context.Context, cfg *config, invitationID string) (*Invitation, error) {
	r := request{operation: OperationRevoke, method: http.MethodPost, template: "/invitations/{invitation_id}/revoke"}
	r.invalid = checkID(invitationID)
	r.path = "/invitations/" + url.PathEscape(invitationID) + "/revoke"
	return carryOut(ctx, cfg, r, func(body []byte) (*Invitation, error) {
		inv, err := decodeInvitation(body)
		if err == nil && inv.ID != invitationID {
			err = errors.New("the response is about another invitation")
		}
		return inv, err
	})
}

// Get gives the invitation of an id, also a revoked one. Clerk has no such operation:
// this one lists what Clerk finds for the id, over all pages, and gives the one that
// has exactly it. Where there is none, the error is [ErrNotFound].
func (s *InvitationsService) Get(ctx context.Context, invitationID string, opts ...CallOption) (*Invitation, error) {
	if err := checkID(invitationID); err != nil {
		return nil, invalid(OperationList, err)
	}
	isWanted := func(inv Invitation) bool { return inv.ID == invitationID }
	inv, err := s.find(ctx, ListInvitationsRequest{Query: invitationID}, isWanted, opts)
	if errors.Is(err, ErrNotFound) { // a list hides revoked ones unless asked for them
		revoked := ListInvitationsRequest{Query: invitationID, Status: InvitationStatusRevoked}
		return s.find(ctx, revoked, isWanted, opts)
	}
	return inv, err
}

// FindPending gives the newest pending invitation of an address. It compares whole
// addresses, without regard to case, over all pages of what Clerk finds. Where there
// is none, the error is [ErrNotFound].
func (s *InvitationsService) FindPending(ctx context.Context, emailAddress string, opts ...CallOption) (*Invitation, error) {
	if strings.TrimSpace(emailAddress) == "" {
		return nil, invalid(OperationList, fieldError{"email_address", "is empty"})
	}
	pending := ListInvitationsRequest{Query: emailAddress, Status: InvitationStatusPending, OrderBy: OrderByCreatedAtDesc}
	return s.find(ctx, pending, func(inv Invitation) bool {
		return inv.Status == InvitationStatusPending && strings.EqualFold(inv.EmailAddress, emailAddress)
	}, opts)
}

// find gives the first invitation of a list that is wanted.
func (s *InvitationsService) find(ctx context.Context, req ListInvitationsRequest, isWanted func(Invitation) bool, opts []CallOption) (*Invitation, error) {
	for inv, err := range s.All(ctx, req, opts...) {
		if err != nil {
			return nil, err
		}
		if isWanted(inv) {
			return &inv, nil
		}
	}
	return nil, &SDKError{
		ResponseMeta: ResponseMeta{Operation: OperationList}, Message: "no such invitation", Err: ErrNotFound,
	}
}

// Resend revokes an invitation and creates another one like req, so that Clerk sends
// a new email. An EmailAddress or PublicMetadata that req leaves out is that of the
// revoked invitation; the rest of it Clerk does not tell, so that req has to. An
// invitation that is revoked already is created anew, too.
//
// [ErrNotFound] and [ErrAlreadyAccepted] mean that nothing was changed. When the
// second half fails, the error is [ErrNotRecreated] and wraps that of Create: the old
// invitation is revoked, and Resend can be called again. After an [ErrOutcomeUnknown]
// Get and FindPending tell how far it got. A [WithResponse] tells of the last request.
func (s *InvitationsService) Resend(ctx context.Context, invitationID string, req CreateInvitationRequest, opts ...CallOption) (*Invitation, error) {
	old, err := s.Get(ctx, invitationID, opts...)
	if err != nil {
		return nil, err
	}
	req.EmailAddress = cmp.Or(req.EmailAddress, old.EmailAddress)
	if req.PublicMetadata == nil && len(old.PublicMetadata) > 0 {
		d := json.NewDecoder(bytes.NewReader(old.PublicMetadata))
		d.UseNumber() // large numbers stay what they are
		if err := d.Decode(&req.PublicMetadata); err != nil {
			return nil, invalid(OperationCreate, fieldError{"public_metadata", "of the invitation is no object"})
		}
	}
	if _, err := encode(req); err != nil {
		return nil, invalid(OperationCreate, err)
	}
	if _, err := s.Revoke(ctx, invitationID, opts...); err != nil && !errors.Is(err, ErrAlreadyRevoked) {
		return nil, err
	}
	inv, err := s.Create(ctx, req, opts...)
	if err != nil {
		return nil, notRecreated(err)
	}
	return inv, nil
}

// checkID refuses an id that would lead to another path.
func checkID(id string) error {
	const field = "invitation_id"
	switch {
	case id == "":
		return fieldError{field, "is empty"}
	case strings.ContainsFunc(id, isSpaceOrControl):
		return fieldError{field, "holds white space or a control character"}
	case strings.ContainsAny(id, "/?#%"):
		return fieldError{field, "holds one of / ? # %"}
	case strings.Trim(id, ".") == "":
		return fieldError{field, "is dots only"}
	}
	return nil
}

func isSpaceOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func encode(req CreateInvitationRequest) ([]byte, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(req)
	if err != nil { // nothing else in a request can fail
		return nil, fieldError{"public_metadata", "cannot be JSON: " + oneLine(err.Error())}
	}
	return body, nil
}

func encodeBulk(reqs []CreateInvitationRequest) ([]byte, error) {
	if n := len(reqs); n == 0 || n > MaxBulkInvitations {
		return nil, fieldError{"requests", fmt.Sprintf("number %d; a bulk takes 1 to %d", n, MaxBulkInvitations)}
	}
	rows := make([][]byte, len(reqs))
	for i, req := range reqs {
		row, err := encode(req)
		if err != nil {
			return nil, fmt.Errorf("requests[%d].%w", i, err)
		}
		rows[i] = row
	}
	return slices.Concat([]byte("["), bytes.Join(rows, []byte(",")), []byte("]")), nil
}
