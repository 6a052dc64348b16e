package fakeserver

import (
	"math"
	"net/http"
	"strconv"
	"strings"

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
