package clerktest

import (
	"encoding/json"
	"net/url"
	"slices"

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

func (f *Fake) create(body []byte) (any, *apiError) {
	req, refusal := parseRequest(body)
	if refusal != nil {
		return nil, refusal
	}
	if !req.IgnoreExisting {
		if f.isUser(req.EmailAddress) {
			return nil, known(clerk.CodeFormIdentifierExists)
		}
		if f.isPending(req.EmailAddress) {
			return nil, errDuplicates([]string{req.EmailAddress})
		}
	}
	return f.view(f.invite(req)), nil
}

func (f *Fake) bulkCreate(body []byte) (any, *apiError) {
	var items []json.RawMessage
	switch err := json.Unmarshal(body, &items); {
	case err != nil || len(items) == 0:
		return nil, known(clerk.CodeRequestBodyInvalid)
	case len(items) > clerk.MaxBulkInvitations:
		return nil, known(clerk.CodeBulkSizeExceeded)
	}
	reqs := make([]parsedRequest, len(items))
	for i, item := range items {
		req, refusal := parseRequest(item)
		if refusal != nil {
			return nil, refusal
		}
		reqs[i] = req
	}
	var duplicates []string
	for i, req := range reqs {
		if f.isUser(req.EmailAddress) {
			return nil, known(clerk.CodeFormIdentifierExists)
		}
		twice := slices.ContainsFunc(reqs[:i], func(other parsedRequest) bool {
			return fold(other.EmailAddress) == fold(req.EmailAddress)
		})
		if !req.IgnoreExisting && (twice || f.isPending(req.EmailAddress)) {
			duplicates = append(duplicates, req.EmailAddress)
		}
	}
	if duplicates != nil {
		return nil, errDuplicates(duplicates)
	}
	created := make([]clerk.Invitation, len(reqs))
	for i, req := range reqs {
		created[i] = f.view(f.invite(req))
	}
	return created, nil
}

func (f *Fake) revoke(id string) (any, *apiError) {
	inv := f.store.find(id)
	switch {
	case inv == nil:
		return nil, errInvitationID(id)
	case inv.Status == clerk.InvitationStatusRevoked:
		return nil, known(clerk.CodeInvitationAlreadyRevoked)
	case inv.Status == clerk.InvitationStatusAccepted:
		return nil, known(clerk.CodeInvitationAlreadyAccepted)
	}
	f.update(inv, func() { inv.Status, inv.Revoked = clerk.InvitationStatusRevoked, true })
	return f.view(inv), nil
}

// delete deletes an invitation with the email that the fake keeps of it.
func (f *Fake) delete(id string) (any, *apiError) {
	inv := f.store.find(id)
	if inv == nil {
		return nil, errInvitationID(id)
	}
	f.hide(inv, new(inv.Invitation))
	inv.deleted = true
	if inv.hiddenUntil.IsZero() {
		f.store.remove(inv)
	} else {
		f.store.hidden = append(f.store.hidden, inv)
	}
	f.journal(record{DeletedInvitation: id})
	return map[string]any{"object": "invitation", "id": id, "deleted": true}, nil
}
