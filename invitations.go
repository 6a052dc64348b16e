package clerk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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
// invitation may have been made.
func (s *InvitationsService) Create(ctx context.Context, req CreateInvitationRequest, opts ...CallOption) (*Invitation, error) {
	r := request{operation: OperationCreate, method: http.MethodPost, path: "/invitations"}
	r.body, r.invalid = encode(req)
	return do(ctx, s.client, r, decodeInvitation, opts)
}

// List gives one page of invitations. For all pages use [InvitationsService.All].
func (s *InvitationsService) List(ctx context.Context, req ListInvitationsRequest, opts ...CallOption) (*InvitationList, error) {
	r := request{operation: OperationList, method: http.MethodGet, path: "/invitations", query: req.values()}
	r.invalid = req.check()
	return do(ctx, s.client, r, decodeList, opts)
}

// All lists every invitation that req asks for, page after page, beginning at
// req.Offset. A page has req.Limit invitations, or [MaxListLimit] where that is
// 0; req.Paginated does not matter.
//
// Each page is requested when the loop gets to it, with opts, and each loop over
// the sequence begins anew. It ends after a page that is empty or brings nothing
// new. An invitation that comes twice, because others were made in the meantime,
// is given once. An error is given once, with a zero Invitation, and ends the
// sequence.
//
// What leaves the list during the loop, such as a pending invitation that is
// revoked, moves the later ones to the front, where the next page does not look
// for them. Collect the ids first, and revoke them after the loop.
func (s *InvitationsService) All(ctx context.Context, req ListInvitationsRequest, opts ...CallOption) iter.Seq2[Invitation, error] {
	req.Paginated = nil
	if req.Limit == 0 {
		req.Limit = MaxListLimit
	}
	opts = slices.Clone(opts)
	return func(yield func(Invitation, error) bool) {
		page := req
		seen := map[string]bool{}
		for {
			list, err := s.List(ctx, page, opts...)
			if err != nil {
				yield(Invitation{}, err)
				return
			}
			known := len(seen)
			for _, inv := range list.Data {
				if seen[inv.ID] {
					continue
				}
				seen[inv.ID] = true
				if !yield(inv, nil) {
					return
				}
			}
			if len(seen) == known {
				return
			}
			page.Offset += len(list.Data)
		}
	}
}

// BulkCreate makes 1 to [MaxBulkInvitations] invitations in one request. Clerk
// takes 25 of these requests an hour (its "Rate limits" page).
//
// The result has an invitation for each request; match them by address, for
// Clerk does not document the order. Most likely Clerk makes all of them or none:
// a refusal is about the whole request, and only [ErrDuplicateInvitation] names
// the addresses that it is about. [ErrOutcomeUnknown] means that some or all may
// have been made.
func (s *InvitationsService) BulkCreate(ctx context.Context, reqs []CreateInvitationRequest, opts ...CallOption) ([]Invitation, error) {
	r := request{operation: OperationBulkCreate, method: http.MethodPost, path: "/invitations/bulk"}
	r.body, r.invalid = encodeBulk(reqs)
	return do(ctx, s.client, r, func(body []byte) ([]Invitation, error) {
		invs, err := decodeInvitations(body)
		if err == nil && len(invs) != len(reqs) {
			err = fmt.Errorf("the response has %d invitations for %d requests", len(invs), len(reqs))
		}
		return invs, err
	}, opts)
}

// Revoke ends the invitation, so that its link can no longer be used, and gives
// it as it is then. It does not keep its addressee from signing up by other means.
//
// An id that Clerk does not know gives [ErrNotFound], an invitation that is
// revoked or accepted [ErrAlreadyRevoked] or [ErrAlreadyAccepted].
// [ErrOutcomeUnknown] means that the invitation may have been revoked.
func (s *InvitationsService) Revoke(ctx context.Context, invitationID string, opts ...CallOption) (*Invitation, error) {
	r := request{operation: OperationRevoke, method: http.MethodPost, template: "/invitations/{invitation_id}/revoke"}
	r.invalid = checkID(invitationID)
	r.path = "/invitations/" + url.PathEscape(invitationID) + "/revoke"
	return do(ctx, s.client, r, func(body []byte) (*Invitation, error) {
		inv, err := decodeInvitation(body)
		if err == nil && inv.ID != invitationID {
			err = errors.New("the response is about another invitation")
		}
		return inv, err
	}, opts)
}

// checkID refuses an id that would lead to another path.
func checkID(id string) error {
	const field = "invitation_id"
	switch {
	case id == "":
		return fieldError{field, "is empty"}
	case strings.ContainsFunc(id, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fieldError{field, "holds white space or a control character"}
	case strings.ContainsAny(id, "/?#%"):
		return fieldError{field, "holds one of / ? # %"}
	case strings.Trim(id, ".") == "":
		return fieldError{field, "is dots only"}
	}
	return nil
}

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
