package fakeserver

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// control returns the handler of the control API.
func (s *server) control() http.Handler {
	mux := http.NewServeMux()
	var patterns []string
	handle := func(pattern string, e endpoint) {
		patterns = append(patterns, pattern)
		mux.Handle(pattern, e)
	}
	get := func(path string, do func(*http.Request) (any, error)) {
		handle("GET "+controlPath+path, endpoint{do, ""})
	}
	post := func(path string, do func(*http.Request) (any, error)) {
		handle("POST "+controlPath+path, endpoint{do, "back"})
	}
	index := endpoint{func(*http.Request) (any, error) { return object{"paths": patterns}, nil }, ""}
	mux.Handle("GET "+controlPath+"{$}", index)
	mux.Handle("GET "+strings.TrimSuffix(controlPath, "/"), index)
	get("healthz", func(*http.Request) (any, error) { return map[string]string{"status": "ok"}, nil })
	get("state", s.selects(func(state clerktest.State) any { return stateJSON(state) }))
	get("emails", s.emails)
	get("emails/{id}", s.email)
	get("requests", s.selects(func(state clerktest.State) any { return requestsJSON(state.Requests) }))
	get("requests/{number}", s.request)
	post("reset", func(*http.Request) (any, error) { return nil, s.fake.TryReset() })
	get("invitations", s.selects(func(state clerktest.State) any { return invitationsJSON(state.Invitations) }))
	get("invitations/{id}", s.getInvitation)
	post("invitations", s.invite)
	post("invitations/{id}/{change}", s.changeInvitation)
	handle("POST "+controlPath+"sign-up", endpoint{s.signUp, clerktest.SignUpPath + "?link=signed-up"})
	get("users", s.selects(func(state clerktest.State) any { return state.Users }))
	post("users", s.addUser)
	post("users/remove", s.removeUser)
	get("faults", s.faults)
	post("faults", s.planFault)
	post("faults/share", s.setShare)
	post("faults/clear", s.does(s.fake.ClearFaults))
	get("latency", s.selects(func(state clerktest.State) any { return object{"latency": state.Latency.String()} }))
	post("latency", s.setLatency)
	get("time", s.time)
	post("time", s.advance)
	get("behavior", s.behavior)
	post("behavior", s.setBehavior)
	get("limits", s.selects(func(state clerktest.State) any { return limitsJSON(state.Limits) }))
	post("limits", s.setLimits)
	post("limits/reset", s.does(s.fake.ResetRateLimits))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler, pattern := mux.Handler(r); pattern == "" && wantsHTML(r) {
			refuse(w, r, handler)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refuse responds with the status of handler, which refuses a path or method, and a page that
// leads back.
func refuse(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	refusal := statusWriter{header: w.Header()}
	handler.ServeHTTP(&refusal, r)
	text := "The control API does not have this path."
	if refusal.status == http.StatusMethodNotAllowed {
		text = "The control API has this path only for the method " + w.Header().Get("Allow") + "."
	}
	renderMessage(w, r, refusal.status, "That did not work", text)
}

// A statusWriter keeps the status of a response and drops its body.
type statusWriter struct {
	header http.Header
	status int
}

func (s *statusWriter) Header() http.Header               { return s.header }
func (s *statusWriter) WriteHeader(status int)            { s.status = status }
func (s *statusWriter) Write(content []byte) (int, error) { return len(content), nil }

func (s *server) does(do func()) func(*http.Request) (any, error) {
	return func(*http.Request) (any, error) {
		do()
		return nil, nil
	}
}

// selects returns a function that returns a part of the state selected by a request.
func (s *server) selects(part func(clerktest.State) any) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		selected, err := filter(r)
		if err != nil {
			return nil, err
		}
		return part(s.fake.State(selected)), nil
	}
}

// filter returns the filter in a request for a part of the state.
func filter(r *http.Request) (clerktest.Filter, error) {
	query := r.URL.Query()
	status := statusNamed(query.Get("status"))
	if name := query.Get("status"); status == "" && name != "" {
		return clerktest.Filter{}, fmt.Errorf("status %q is none of pending, accepted, expired, revoked", name)
	}
	for _, name := range []string{"limit", "offset"} {
		if text := query.Get(name); text != "" && number(text, -1) < 0 {
			return clerktest.Filter{}, fmt.Errorf("%s %q is not a number of at least 0", name, text)
		}
	}
	offset := number(query.Get("offset"), 0)
	return clerktest.Filter{
		Query: query.Get("query"), Status: status, Limit: number(query.Get("limit"), 50),
		Skip: clerktest.Skip{Invitations: offset, Emails: offset, Users: offset, Requests: offset},
	}, nil
}

// number returns a number in a query, or otherwise if text is not a number.
func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return n
	}
	return otherwise
}

func (s *server) emails(r *http.Request) (any, error) {
	selected, err := filter(r)
	if err != nil {
		return nil, err
	}
	to := r.URL.Query().Get("to")
	if to == "" {
		return s.fake.State(selected).Emails, nil
	}
	sent := s.fake.SentTo(to)
	slices.Reverse(sent)
	sent = sent[min(selected.Skip.Emails, len(sent)):]
	return sent[:min(selected.Limit, len(sent))], nil
}

func (s *server) email(r *http.Request) (any, error) {
	inv, ok := s.fake.Invitation(r.PathValue("id"))
	if !ok || !inv.Emailed {
		return nil, notFound("no email belongs to an invitation " + r.PathValue("id"))
	}
	return inv.Email, nil
}

func (s *server) request(r *http.Request) (any, error) {
	req, ok := s.fake.Request(number(r.PathValue("number"), 0))
	if !ok {
		return nil, notFound("no request " + r.PathValue("number") + " is remembered")
	}
	return requestJSON(req), nil
}
