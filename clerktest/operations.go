package clerktest

import (
	"net/url"

	"github.com/clerk-invitations/clerk-go"
)

// perform performs an operation.
func (f *Fake) perform(op clerk.Operation, id string, query url.Values, body []byte) (any, *apiError) {
	switch op {
	case clerk.OperationCreate:
		return f.create(body)
	case clerk.OperationBulkCreate:
		return f.bulkCreate(body)
	case clerk.OperationRevoke:
		return f.revoke(id)
	case clerk.OperationDelete:
		return f.delete(id)
	}
	return f.list(query)
}

func (f *Fake) revoke(id string) (any, *apiError) {
	inv := f.store.find(id, f.now())
	switch {
	case inv == nil:
		return nil, errInvitationID(id)
	case inv.Status == clerk.InvitationStatusExpired && f.behavior.RevokeExpiredFails:
		return nil, known(clerk.CodeBadRequest)
	case inv.Status == clerk.InvitationStatusRevoked && f.behavior.RevokeAgainSucceeds:
		return f.view(inv), nil
	case inv.Status == clerk.InvitationStatusRevoked:
		return nil, known(clerk.CodeInvitationAlreadyRevoked)
	case inv.Status == clerk.InvitationStatusAccepted:
		return nil, known(clerk.CodeInvitationAlreadyAccepted)
	}
	f.revokeNow(inv)
	return f.view(inv), nil
}

// delete deletes an invitation and its email.
func (f *Fake) delete(id string) (any, *apiError) {
	deleted := map[string]any{"object": "invitation", "id": id, "deleted": true}
	inv := f.store.find(id, f.now())
	if inv == nil {
		if f.behavior.DeleteAgainSucceeds {
			return deleted, nil
		}
		return nil, errInvitationID(id)
	}
	f.remove(inv)
	return deleted, nil
}
