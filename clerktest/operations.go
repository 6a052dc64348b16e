package clerktest

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/clerk-invitations/clerk-go"
)

// Operations returns the operations that the fake has.
func Operations() []clerk.Operation {
	return []clerk.Operation{
		clerk.OperationCreate, clerk.OperationList, clerk.OperationBulkCreate, clerk.OperationRevoke, clerk.OperationDelete,
	}
}

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

const dayMilli = 24 * 60 * 60 * 1000

// invite creates an invitation.
func (f *Fake) invite(req parsedRequest) *invitation {
	created := now()
	id := f.ids.invitation()
	inv := &invitation{
		Invitation: clerk.Invitation{
			Object:         "invitation",
			ID:             id,
			EmailAddress:   req.EmailAddress,
			PublicMetadata: req.metadata,
			Status:         clerk.InvitationStatusPending,
			// In the observed responses it is 2 ms short of whole days.
			ExpiresAt: created + clerk.UnixMilli(cmp.Or(req.ExpiresInDays, 30))*dayMilli - 2,
			CreatedAt: created,
			UpdatedAt: created,
		},
		email: Email{
			Time: created, InvitationID: id, EmailAddress: req.EmailAddress, RedirectURL: req.RedirectURL,
			TemplateSlug: cmp.Or(req.TemplateSlug, clerk.TemplateSlugInvitation),
			Notify:       req.Notify == nil || *req.Notify,
		},
		ticket: f.ids.ticket(id),
	}
	inv.emailed = inv.email.Notify && f.mayEmail(req.EmailAddress)
	f.hide(inv, nil)
	f.store.add(inv)
	f.journal(recordOf(inv))
	return inv
}

// update changes an invitation.
func (f *Fake) update(inv *invitation, change func()) {
	f.hide(inv, new(inv.Invitation))
	change()
	inv.UpdatedAt = now()
	f.journal(recordOf(inv))
}

// view is an invitation as responses show it.
func (f *Fake) view(inv *invitation) clerk.Invitation { return f.withURL(inv, inv.Invitation) }

// withURL adds the link to a state of an invitation. A revoked one has none.
func (f *Fake) withURL(inv *invitation, state clerk.Invitation) clerk.Invitation {
	if state.Status != clerk.InvitationStatusRevoked {
		state.URL = f.link(inv.ticket)
	}
	return state
}

func (f *Fake) isPending(address string) bool {
	at := now()
	return slices.ContainsFunc(f.store.byAddress[fold(address)], func(inv *invitation) bool {
		inv.refresh(at)
		return inv.Status == clerk.InvitationStatusPending && !inv.deleted
	})
}

func (f *Fake) isUser(address string) bool { return f.users[fold(address)] != nil }
