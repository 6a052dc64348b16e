package clerk

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/clerk-invitations/clerk-go/internal/jsonbody"
)

var (
	errNoInvitation  = errors.New("the response is not an invitation")
	errNoInvitations = errors.New("the response is not a list of invitations")
	errMismatch      = errors.New("the response is about something else")
	errOtherAddress  = fmt.Errorf("%w: another address", errMismatch)
)

// decodeInvitation reads one invitation.
func decodeInvitation(body []byte) (*Invitation, error) {
	var inv Invitation
	err := json.Unmarshal(body, &inv)
	if err == nil {
		err = hasID(&inv)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitation, err)
	}
	return &inv, nil
}

// decodeDeleted reads the confirmation of a deletion.
func decodeDeleted(body []byte) (*DeletedObject, error) {
	var deleted DeletedObject
	if err := json.Unmarshal(body, &deleted); err != nil || !deleted.Deleted {
		return nil, fmt.Errorf("%w: it does not confirm a deletion", errMismatch)
	}
	return &deleted, nil
}

// decodeInvitations reads a bare array.
func decodeInvitations(body []byte) ([]Invitation, error) {
	list, err := jsonbody.ReadList(body, hasID)
	if err == nil && !list.IsArray {
		err = errors.New("it is not an array")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitations, err)
	}
	return list.Elements, nil
}

// decodeList reads both shapes of a list: the bare array, and the envelope with
// a total count, which is known from Clerk's own SDKs.
func decodeList(body []byte) (*InvitationList, error) {
	list, err := jsonbody.ReadList(body, hasID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitations, err)
	}
	return &InvitationList{Data: list.Elements, TotalCount: list.TotalCount}, nil
}

func hasID(inv *Invitation) error {
	if inv.ID == "" {
		return errors.New("it has no id")
	}
	return nil
}
