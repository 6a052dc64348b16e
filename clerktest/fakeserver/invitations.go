package fakeserver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

func (s *server) getInvitation(r *http.Request) (any, error) {
	inv, ok := s.fake.Invitation(r.PathValue("id"))
	if !ok {
		return nil, notFound(fmt.Sprintf("no invitation %q", r.PathValue("id")))
	}
	return invitationJSON(inv), nil
}

// invite creates an invitation like any client of the API: faults, latency and limits
// apply.
func (s *server) invite(r *http.Request) (any, error) {
	var in struct {
		EmailAddress   string           `json:"email_address"`
		RedirectURL    string           `json:"redirect_url,omitempty"`
		PublicMetadata *json.RawMessage `json:"public_metadata,omitempty"`
		ExpiresInDays  int              `json:"expires_in_days,omitempty"`
		Notify         *bool            `json:"notify,omitempty"`
		IgnoreExisting bool             `json:"ignore_existing,omitempty"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, errors.New("public_metadata is not JSON")
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://localhost/v1/invitations", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.fake.SecretKey())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "fakeclerk")
	resp, err := s.fake.RoundTrip(req)
	if err != nil {
		return nil, statusError{http.StatusBadGateway, "the request met a fault: " + err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	id, err := createdID(resp)
	if err != nil {
		return nil, err
	}
	inv, _ := s.fake.Invitation(id)
	return invitationJSON(inv), nil
}

// createdID returns the id in the response to a create.
func createdID(resp *http.Response) (string, error) {
	var out struct {
		ID     string `json:"id"`
		Errors []struct {
			Message     string `json:"message"`
			LongMessage string `json:"long_message"`
		} `json:"errors"`
	}
	switch err := json.NewDecoder(resp.Body).Decode(&out); {
	case len(out.Errors) > 0:
		return "", statusError{resp.StatusCode, strings.TrimSuffix(cmp.Or(out.Errors[0].LongMessage, out.Errors[0].Message), ".")}
	case err != nil || resp.StatusCode != http.StatusOK:
		return "", statusError{http.StatusBadGateway, "the request met a fault: the response has status " + resp.Status}
	}
	return out.ID, nil
}

func (s *server) changeInvitation(r *http.Request) (any, error) {
	change, ok := map[string]func(string) error{
		"accept": s.fake.Accept, "expire": s.fake.Expire, "revoke": s.fake.Revoke, "delete": s.fake.Delete,
	}[r.PathValue("change")]
	if !ok {
		return nil, notFound("an invitation has accept, expire, revoke and delete only")
	}
	id := r.PathValue("id")
	if _, ok := s.fake.Invitation(id); !ok {
		return nil, notFound(fmt.Sprintf("no invitation %q", id))
	}
	err := change(id)
	if errors.Is(err, clerktest.ErrNotStored) {
		return nil, err
	}
	if err != nil {
		return nil, statusError{http.StatusConflict, textOf(err)}
	}
	inv, ok := s.fake.Invitation(id)
	if !ok { // it is deleted
		return nil, nil
	}
	return invitationJSON(inv), nil
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
	return nil, s.fake.AddUser(in.EmailAddress)
}

func (s *server) removeUser(r *http.Request) (any, error) {
	var in address
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if s.fake.RemoveUser(in.EmailAddress) {
		return nil, nil
	}
	for _, user := range s.fake.Users() {
		if strings.EqualFold(user.EmailAddress, in.EmailAddress) {
			return nil, clerktest.ErrNotStored
		}
	}
	return nil, notFound("no user has this address")
}
