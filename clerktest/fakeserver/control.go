package fakeserver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// addControl adds the control API to a mux.
func (s *server) addControl(mux *http.ServeMux) {
	get := func(path string, handle func(*http.Request) (any, error)) {
		mux.Handle("GET "+controlPath+path, endpoint{handle, ""})
	}
	post := func(path string, handle func(*http.Request) (any, error)) {
		mux.Handle("POST "+controlPath+path, endpoint{handle, "/"})
	}
	get("healthz", func(*http.Request) (any, error) { return map[string]string{"status": "ok"}, nil })
	get("state", s.state)
	get("emails", s.emails)
	get("requests", s.requests)
	post("reset", s.does(s.fake.Reset))
	post("invitations/{id}/{change}", s.changeInvitation)
	mux.Handle("POST "+controlPath+"sign-up", endpoint{s.signUp, clerktest.SignUpPath + "?link=signed-up"})
	post("users", s.addUser)
	post("users/remove", s.removeUser)
	post("faults", s.planFault)
	post("faults/share", s.setShare)
	post("faults/clear", s.does(s.fake.ClearFaults))
	post("latency", s.setLatency)
	post("limits", s.setLimits)
	post("limits/reset", s.does(s.fake.ResetRateLimits))
}

// An endpoint is one operation of the control API. It responds in JSON, or redirects
// a browser that submitted a form.
type endpoint struct {
	handle   func(*http.Request) (any, error)
	redirect string // empty for none
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	result, err := e.handle(r)
	switch {
	case err != nil && e.redirect != "" && wantsHTML(r):
		text := textOf(err)
		renderMessage(w, statusOf(err), "That did not work", strings.ToUpper(text[:1])+text[1:]+".")
	case err != nil:
		writeJSON(w, statusOf(err), map[string]string{"error": textOf(err)})
	case e.redirect != "" && wantsHTML(r):
		http.Redirect(w, r, e.redirect, http.StatusSeeOther)
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, result)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

// statusError is an error with a status other than 400.
type statusError struct {
	status int
	text   string
}

func (e statusError) Error() string { return e.text }

func statusOf(err error) int {
	failed, ok := errors.AsType[statusError](err)
	switch {
	case ok:
		return failed.status
	case errors.Is(err, clerktest.ErrUnknownTicket):
		return http.StatusNotFound
	case errors.Is(err, clerktest.ErrNotPending):
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

func textOf(err error) string { return strings.TrimPrefix(err.Error(), "clerktest: ") }

func (s *server) does(do func()) func(*http.Request) (any, error) {
	return func(*http.Request) (any, error) {
		do()
		return nil, nil
	}
}

// limit is how many items of a kind a response has.
func limit(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n < 0 {
		return 50
	}
	return n
}

func (s *server) state(r *http.Request) (any, error) {
	filter := clerktest.Filter{Query: r.URL.Query().Get("query"), Limit: limit(r)}
	return stateJSON(s.fake.State(filter)), nil
}

func (s *server) emails(r *http.Request) (any, error) {
	to, most := r.URL.Query().Get("to"), limit(r)
	found := []clerktest.Email{}
	filter := clerktest.Filter{Query: to, Limit: math.MaxInt}
	for _, inv := range s.fake.State(filter).Invitations {
		if len(found) < most && inv.Emailed && (to == "" || strings.EqualFold(inv.EmailAddress, to)) {
			found = append(found, inv.Email)
		}
	}
	return found, nil
}

func (s *server) requests(r *http.Request) (any, error) {
	return requestsJSON(s.fake.State(clerktest.Filter{Limit: limit(r)}).Requests), nil
}

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

func (s *server) planFault(r *http.Request) (any, error) {
	in := nextFault{Count: 1}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Count < 1 || in.Count > 1000 {
		return nil, errors.New("count is not between 1 and 1000")
	}
	response, isResponse := in.response()
	if isResponse == (in.Fault != "") {
		return nil, errors.New("give either a fault, or a response: status, code, body, delay")
	}
	check := clerktest.FaultMix{Operations: []clerk.Operation{in.Operation}}
	if isResponse {
		check.Responses = []clerktest.Response{response}
	} else {
		check.Faults = []clerktest.Fault{in.Fault}
	}
	if err := check.Validate(); err != nil {
		return nil, err
	}
	for range in.Count {
		if isResponse {
			s.fake.Respond(in.Operation, response)
		} else {
			s.fake.Fail(in.Operation, in.Fault)
		}
	}
	return nil, nil
}

func (s *server) setShare(r *http.Request) (any, error) {
	var in faultShare
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	mix := clerktest.FaultMix{Share: in.Share, Seed: in.Seed, Faults: in.Faults, Operations: in.Operations}
	if response, ok := in.response(); ok {
		mix.Responses = []clerktest.Response{response}
	}
	if err := mix.Validate(); err != nil {
		return nil, err
	}
	s.fake.SetFaults(mix)
	return nil, nil
}

func (s *server) setLatency(r *http.Request) (any, error) {
	var in struct{ Latency duration }
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Latency < 0 {
		return nil, errors.New("latency is negative")
	}
	s.fake.SetLatency(time.Duration(in.Latency))
	return nil, nil
}

func (s *server) setLimits(r *http.Request) (any, error) {
	var in rateLimits
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	limits, err := in.limits()
	if err := cmp.Or(err, limits.Validate()); err != nil {
		return nil, err
	}
	s.fake.SetRateLimits(limits)
	return nil, nil
}

// presets are the names that Limits knows.
var presets = []string{"off", "development", "production"}

// Limits returns the rate limits with a name: those that Clerk documents for
// "development" and "production", or "off".
func Limits(name string) (clerktest.RateLimits, error) {
	switch name {
	case "off":
		return clerktest.RateLimits{}, nil
	case "development":
		return clerktest.DevelopmentRateLimits(), nil
	case "production":
		return clerktest.ProductionRateLimits(), nil
	}
	return clerktest.RateLimits{}, fmt.Errorf("limits %q is none of off, development, production", name)
}
