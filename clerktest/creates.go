package clerktest

import (
	"encoding/json"
	"slices"

	"github.com/clerk-invitations/clerk-go"
)

func (f *Fake) create(body []byte) (any, *apiError) {
	req, refusal := parseRequest(body, f.behavior)
	if refusal == nil {
		refusal = f.refuse(req, nil, false)
	}
	if refusal != nil {
		return nil, refusal
	}
	return f.view(f.inviteOrFind(req)), nil
}

func (f *Fake) bulkCreate(body []byte) (any, *apiError) {
	var items []json.RawMessage
	switch err := json.Unmarshal(body, &items); {
	case err != nil || len(items) == 0 && !f.behavior.BulksEmpty:
		return nil, known(clerk.CodeRequestBodyInvalid)
	case len(items) > clerk.MaxBulkInvitations:
		return nil, known(clerk.CodeBulkSizeExceeded)
	}
	reqs, refusals := make([]parsedRequest, len(items)), make([]*apiError, len(items))
	var good []parsedRequest
	for i, item := range items {
		reqs[i], refusals[i] = parseRequest(item, f.behavior)
		if refusals[i] == nil {
			refusals[i] = f.refuse(reqs[i], good, true)
		}
		if refusals[i] == nil {
			good = append(good, reqs[i])
		}
	}
	good, refusal := f.behavior.admitBulk(reqs, good, refusals)
	created := make([]clerk.Invitation, len(good)) // never null in JSON
	for i, req := range good {
		created[i] = f.inviteInBulk(req)
	}
	if f.behavior.BulksReversed {
		slices.Reverse(created)
	}
	if refusal != nil {
		return nil, refusal
	}
	return created, nil
}

// admitBulk returns the requests of a bulk that are performed, and the refusal of the bulk.
// good are the valid requests; each of the others has a refusal.
func (b *Behavior) admitBulk(reqs, good []parsedRequest, refusals []*apiError) ([]parsedRequest, *apiError) {
	refusal := b.bulkRefusal(reqs, refusals)
	switch {
	case refusal == nil || b.Bulks == BulksGoodRows:
		return good, refusal
	case b.Bulks == BulksUntilFirst:
		first := slices.IndexFunc(refusals, func(e *apiError) bool { return e != nil })
		return reqs[:first], refusals[first]
	case b.Bulks == BulksWithoutDuplicates && refusal.code() == clerk.CodeDuplicateRecord:
		return good, nil
	}
	return nil, refusal
}

// bulkRefusal returns the refusal of a bulk, given those of its requests, or nil if there are
// none. Invalid parameters precede users, and users precede duplicates.
func (b *Behavior) bulkRefusal(reqs []parsedRequest, refusals []*apiError) *apiError {
	var user *apiError
	var duplicates []string
	for i, refusal := range refusals {
		switch refusal.code() {
		case "":
		case clerk.CodeDuplicateRecord:
			duplicates = append(duplicates, reqs[i].EmailAddress)
		case clerk.CodeFormIdentifierExists:
			user = refusal
		default:
			return refusal
		}
	}
	switch {
	case user != nil && (duplicates == nil || !b.duplicatesFirst()):
		return user
	case duplicates != nil:
		return errDuplicates(duplicates)
	}
	return nil
}

// refuse returns the refusal of a valid request, or nil. In a bulk it comes after
// others.
func (f *Fake) refuse(req parsedRequest, others []parsedRequest, inBulk bool) *apiError {
	b := &f.behavior
	twice := !b.BulksRepeat && slices.ContainsFunc(others, func(other parsedRequest) bool {
		return b.key(other.EmailAddress) == b.key(req.EmailAddress)
	})
	duplicate := (twice || f.isDuplicate(req.EmailAddress)) && (!req.IgnoreExisting || b.IgnoreExisting == IgnoreExistingRefused)
	user := f.isUser(req.EmailAddress) && (!req.IgnoreExisting || inBulk && !b.BulksIgnoreUsers)
	switch {
	case user && (!duplicate || !b.duplicatesFirst()):
		return known(clerk.CodeFormIdentifierExists)
	case duplicate:
		return errDuplicates([]string{req.EmailAddress})
	case b.EmailLimitRefuses && !f.emails.allow(len(others), req.EmailAddress, f.emailLimit, f.now()):
		return known(clerk.CodeDevMonthlyEmailLimitExceeded)
	}
	return nil
}

func (b *Behavior) duplicatesFirst() bool {
	return b.DuplicatesFirst || b.Duplicates == DuplicatesAccepted || b.Duplicates == DuplicatesAny
}

// isDuplicate reports whether an address has an invitation that makes a create of it
// a duplicate_record.
func (f *Fake) isDuplicate(address string) bool {
	return slices.ContainsFunc(f.invitationsOf(address), func(inv *invitation) bool {
		return f.behavior.blocks(inv.Status)
	})
}

// blocks reports whether an invitation with a status makes a create of its address a
// duplicate_record.
func (b *Behavior) blocks(status clerk.InvitationStatus) bool {
	switch status {
	case clerk.InvitationStatusPending:
		return true
	case clerk.InvitationStatusExpired:
		return b.Lapsed == LapsedDuplicate || b.Duplicates == DuplicatesExpired || b.Duplicates == DuplicatesAny
	}
	return string(b.Duplicates) == string(status) || b.Duplicates == DuplicatesAny
}

// inviteInBulk creates an invitation in a bulk, and returns it as the response shows it.
func (f *Fake) inviteInBulk(req parsedRequest) clerk.Invitation {
	sent := req.metadata
	if f.behavior.BulkMetadata != "" {
		req.metadata = emptyMetadata()
	}
	inv := f.view(f.inviteOrFind(req))
	if f.behavior.BulkMetadata == BulkMetadataLostSilently {
		inv.PublicMetadata = sent
	}
	return inv
}

// inviteOrFind creates an invitation. With ignore_existing it may first revoke the address's
// existing invitations, or return one of them.
func (f *Fake) inviteOrFind(req parsedRequest) *invitation {
	if req.IgnoreExisting && f.behavior.IgnoreExisting != "" {
		for _, inv := range slices.Backward(f.invitationsOf(req.EmailAddress)) {
			if inv.Status != clerk.InvitationStatusPending {
				continue
			}
			if f.behavior.IgnoreExisting == IgnoreExistingReturns {
				return inv
			}
			f.revokeNow(inv)
		}
	}
	return f.invite(req)
}
