package fakeserver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func (s *server) changeInvitation(r *http.Request) (any, error) {
	change, ok := map[string]func(string) error{
		"accept": s.fake.Accept, "expire": s.fake.Expire, "revoke": s.fake.Revoke, "delete": s.fake.Delete,
	}[r.PathValue("change")]
	if !ok {
		return nil, statusError{http.StatusNotFound, "an invitation has accept, expire, revoke and delete only"}
	}
	id := r.PathValue("id")
	if _, ok := s.invitation(id); !ok {
		return nil, statusError{http.StatusNotFound, fmt.Sprintf("no invitation %q", id)}
	}
	if err := change(id); err != nil {
		return nil, statusError{http.StatusConflict, err.Error()}
	}
	inv, ok := s.invitation(id)
	if !ok { // it is deleted
		return nil, nil
	}
	return invitationJSON(inv), nil
}

func (s *server) invitation(id string) (clerktest.InvitationState, bool) {
	found := s.fake.State(clerktest.Filter{Query: id, Limit: 1}).Invitations
	if len(found) == 0 || found[0].ID != id {
		return clerktest.InvitationState{}, false
	}
	return found[0], true
}

func (s *server) signUp(r *http.Request) (any, error) {
	var in struct{ Ticket string }
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return s.fake.SignUp(in.Ticket)
}

// An address is the input of the operations on users.
type address struct {
	EmailAddress string `json:"email_address"`
}

func (s *server) addUser(r *http.Request) (any, error) {
	var in address
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if !strings.Contains(in.EmailAddress, "@") {
		return nil, errors.New("email_address is missing or has no @")
	}
	s.fake.AddUser(in.EmailAddress)
	return nil, nil
}

func (s *server) removeUser(r *http.Request) (any, error) {
	var in address
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if !s.fake.RemoveUser(in.EmailAddress) {
		return nil, statusError{http.StatusNotFound, "no user has this address"}
	}
	return nil, nil
}
