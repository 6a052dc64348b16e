package clerk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/clerk-invitations/clerk-go/internal/addresses"
	"github.com/clerk-invitations/clerk-go/internal/decide"
	"github.com/clerk-invitations/clerk-go/internal/transport"
)

// creation returns the write that creates one invitation. body is the request's JSON.
func creation(req *CreateInvitationRequest, body []byte) write[*Invitation] {
	address, isNew := req.EmailAddress, !req.IgnoreExisting
	return write[*Invitation]{
		send: func(ctx context.Context, c *call) (*Invitation, error) {
			r := transport.Request{Operation: string(OperationCreate), Method: http.MethodPost, Path: "/invitations", Body: body}
			inv, err := do(ctx, c, r, decodeInvitation)
			if err != nil {
				return nil, err
			}
			if addresses.IsOther(inv.EmailAddress, address) && !c.hasCreated(inv) {
				return nil, c.otherAddress()
			}
			c.measureSkew(inv.CreatedAt, isNew)
			return inv, nil
		},
		find: func(ctx context.Context, l *lookup) (*Invitation, decide.Finding, error) {
			return l.created(ctx, address, "")
		},
		ownRefusal:      ErrDuplicateInvitation,
		retryDuplicates: req.IgnoreExisting,
	}
}

func revocation(id string) write[*Invitation] {
	r := transport.Request{Operation: string(OperationRevoke), Method: http.MethodPost, Path: "/revoke"}
	send := sendByID(id, r, decodeInvitation, func(inv *Invitation) string { return inv.ID })
	return write[*Invitation]{
		send: func(ctx context.Context, c *call) (*Invitation, error) {
			inv, err := send(ctx, c)
			if err == nil {
				c.measureSkew(inv.UpdatedAt, false)
			}
			return inv, err
		},
		find: func(ctx context.Context, l *lookup) (*Invitation, decide.Finding, error) {
			return l.revoked(ctx, id)
		},
		ownRefusal: ErrAlreadyRevoked,
	}
}

func deletion(id string) write[*DeletedObject] {
	r := transport.Request{Operation: string(OperationDelete), Method: http.MethodDelete}
	return write[*DeletedObject]{
		send: sendByID(id, r, decodeDeleted, func(deleted *DeletedObject) string { return deleted.ID }),
		find: func(ctx context.Context, l *lookup) (*DeletedObject, decide.Finding, error) {
			return l.deleted(ctx, id)
		},
		ownRefusal: ErrNotFound,
		idempotent: true,
	}
}

// sendByID returns a function that sends a write to one invitation. The path of r is relative
// to the invitation's, and the response has to be about that invitation.
func sendByID[T any](id string, r transport.Request, decode func([]byte) (T, error), idOf func(T) string) sender[T] {
	r.URL = "/invitations/" + url.PathEscape(id) + r.Path
	r.Path = "/invitations/{invitation_id}" + r.Path
	return func(ctx context.Context, c *call) (T, error) {
		return do(ctx, c, r, func(body []byte) (T, error) {
			result, err := decode(body)
			if err == nil && idOf(result) != id {
				err = fmt.Errorf("%w: another invitation", errMismatch)
			}
			return result, err
		})
	}
}
