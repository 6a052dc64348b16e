package clerk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

var (
	errNoInvitation  = errors.New("the response is not an invitation")
	errNoInvitations = errors.New("the response is not a list of invitations")
	errMismatch      = errors.New("the response is about something else")
)

func decodeInvitation(body []byte) (*Invitation, error) {
	var inv Invitation
	if err := json.Unmarshal(body, &inv); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitation, err)
	}
	if inv.ID == "" {
		return nil, fmt.Errorf("%w: it has no id", errNoInvitation)
	}
	return &inv, nil
}

// decodeInvitations reads a bare array.
func decodeInvitations(body []byte) ([]Invitation, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	invs, err := decodeArray(d, len(body))
	if err == nil && invs == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitations, err)
	}
	return invs, atEnd(d)
}

// decodeList reads both shapes of a list: the bare array, and the envelope with
// a total count, which is known from Clerk's own SDKs.
func decodeList(body []byte) (*InvitationList, error) {
	if first := bytes.TrimLeft(body, " \t\r\n"); len(first) > 0 && first[0] == '[' {
		invs, err := decodeInvitations(body)
		return &InvitationList{Data: invs, TotalCount: -1}, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	list, err := decodeEnvelope(d, len(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitations, err)
	}
	return list, atEnd(d)
}

func decodeEnvelope(d *json.Decoder, size int) (*InvitationList, error) {
	if err := expect(d, '{'); err != nil {
		return nil, err
	}
	list := &InvitationList{TotalCount: -1}
	known := false
	for d.More() {
		name, err := d.Token()
		switch {
		case err != nil:
		case name == "data":
			list.Data, err = decodeArray(d, size)
			known = known || list.Data != nil
		case name == "total_count":
			err = d.Decode(&list.TotalCount)
			list.TotalCount = max(list.TotalCount, -1)
			known = known || list.TotalCount >= 0
		default:
			err = d.Decode(&json.RawMessage{})
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case !known:
		return nil, errors.New("it has neither data nor total_count")
	case list.Data == nil && list.TotalCount > 0:
		return nil, errors.New("it has no data")
	}
	return list, expect(d, '}')
}

// maxInvitations is how many invitations a response may hold. As many real ones
// need about as much as the default limit of a response.
const maxInvitations = 100_000

// leastSize is about the least that a real invitation takes in JSON.
const leastSize = 256

// decodeArray reads an array of invitations, or null. It reads element by element,
// and ends at the first that is none: in memory they are much larger than what
// nonsense they may be made from. The size of the response tells about how many there
// are.
func decodeArray(d *json.Decoder, size int) ([]Invitation, error) {
	token, err := d.Token()
	switch {
	case err != nil:
		return nil, err
	case token == nil:
		return nil, nil
	case token != json.Delim('['):
		return nil, errors.New("it is no array")
	}
	invs := make([]Invitation, 0, min(1+size/leastSize, MaxListLimit))
	for d.More() {
		if len(invs) == maxInvitations {
			return nil, fmt.Errorf("it has more than %d", maxInvitations)
		}
		var inv Invitation
		if err := d.Decode(&inv); err != nil {
			return nil, fmt.Errorf("element %d: %w", len(invs), err)
		}
		if inv.ID == "" {
			return nil, fmt.Errorf("element %d has no id", len(invs))
		}
		invs = append(invs, inv)
	}
	return invs, expect(d, ']')
}

func expect(d *json.Decoder, delim json.Delim) error {
	token, err := d.Token()
	if err == nil && token != delim {
		err = fmt.Errorf("it has no %q", delim)
	}
	return err
}

// atEnd refuses what follows the list.
func atEnd(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows it", errNoInvitations)
	}
	return nil
}

func decodeDeleted(body []byte) (*DeletedObject, error) {
	var deleted DeletedObject
	if err := json.Unmarshal(body, &deleted); err != nil || deleted.ID == "" || !deleted.Deleted {
		return nil, fmt.Errorf("%w: it confirms no deletion", errMismatch)
	}
	return &deleted, nil
}
