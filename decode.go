package clerk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The decoders copy whatever they keep: their results never alias body, which can
// be a buffer that the next call reuses.
//
// Objects are read by encoding/json's rules: names match in any case, the last of
// several equal names counts, unknown names are skipped, and invalid UTF-8 in a
// string becomes U+FFFD. What differs between Go versions is in jsonReader and
// unmarshal, which decode_v1.go and decode_v2.go define.

var (
	errNoInvitation  = errors.New("the response is not an invitation")
	errNoInvitations = errors.New("the response is not a list of invitations")
	errMismatch      = errors.New("the response is about something else")
)

const (
	// maxInvitations is how many invitations a response may hold. As many real ones
	// need about as much as the default limit of a response.
	maxInvitations = 100_000

	// leastSize is about the least that a real invitation takes in JSON.
	leastSize = 256
)

// decodeInvitation reads one invitation.
func decodeInvitation(body []byte) (*Invitation, error) {
	var inv Invitation
	if err := unmarshal(body, &inv); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitation, err)
	}
	if inv.ID == "" {
		return nil, fmt.Errorf("%w: it has no id", errNoInvitation)
	}
	return &inv, nil
}

// decodeDeleted reads the confirmation of a deletion.
func decodeDeleted(body []byte) (*DeletedObject, error) {
	var deleted DeletedObject
	if err := unmarshal(body, &deleted); err != nil || deleted.ID == "" || !deleted.Deleted {
		return nil, fmt.Errorf("%w: it confirms no deletion", errMismatch)
	}
	return &deleted, nil
}

// decodeInvitations reads a bare array.
func decodeInvitations(body []byte) ([]Invitation, error) {
	r := newJSONReader(body)
	invs, err := decodeArray(r, len(body))
	switch {
	case err == nil && invs == nil:
		err = errors.New("it is null")
	case err == nil:
		err = expectEnd(r)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitations, err)
	}
	return invs, nil
}

// decodeList reads both shapes of a list: the bare array, and the envelope with
// a total count, which is known from Clerk's own SDKs.
func decodeList(body []byte) (*InvitationList, error) {
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		invs, err := decodeInvitations(body)
		if err != nil {
			return nil, err
		}
		return &InvitationList{Data: invs, TotalCount: -1}, nil
	}
	r := newJSONReader(body)
	list, err := decodeEnvelope(r, len(body))
	if err == nil {
		err = expectEnd(r)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoInvitations, err)
	}
	return list, nil
}

// decodeEnvelope reads the object around a list. Of data and total_count one has to
// be there; data may be missing or null only if nothing is to be in it.
func decodeEnvelope(r jsonReader, size int) (*InvitationList, error) {
	if err := expect(r, '{'); err != nil {
		return nil, err
	}
	list := &InvitationList{TotalCount: -1}
	known := false
	for r.more() {
		_, name, err := r.token()
		switch {
		case err != nil:
		case name == "data":
			list.Data, err = decodeArray(r, size)
			known = known || list.Data != nil
		case name == "total_count":
			err = r.decode(&list.TotalCount)
			list.TotalCount = max(list.TotalCount, -1)
			known = known || list.TotalCount >= 0
		default:
			err = r.skip()
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
	return list, expect(r, '}')
}

// decodeArray reads an array of invitations; it returns nil for null. It reads
// element by element and stops at the first that is no invitation, because a short
// "{}" would become a large Invitation. size is that of the whole response, and
// limits the room made in advance.
func decodeArray(r jsonReader, size int) ([]Invitation, error) {
	switch kind, _, err := r.token(); {
	case err != nil:
		return nil, err
	case kind == 'n':
		return nil, nil
	case kind != '[':
		return nil, errors.New("it is no array")
	}
	invs := make([]Invitation, 0, min(1+size/leastSize, MaxListLimit))
	for r.more() {
		if len(invs) == maxInvitations {
			return nil, fmt.Errorf("it has more than %d", maxInvitations)
		}
		invs = append(invs, Invitation{})
		inv := &invs[len(invs)-1]
		if err := r.decode(inv); err != nil {
			return nil, fmt.Errorf("element %d: %w", len(invs)-1, err)
		}
		if inv.ID == "" {
			return nil, fmt.Errorf("element %d has no id", len(invs)-1)
		}
	}
	return invs, expect(r, ']')
}

// expect reads the delimiter that has to come next.
func expect(r jsonReader, delimiter rune) error {
	kind, _, err := r.token()
	if err == nil && kind != delimiter {
		err = fmt.Errorf("it has no %q", delimiter)
	}
	return err
}

// expectEnd refuses what follows the list.
func expectEnd(r jsonReader) error {
	if _, _, err := r.token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}
