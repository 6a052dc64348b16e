package fakeserver

import (
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// addPages adds the pages and what they load to a mux.
func (s *server) addPages(mux *http.ServeMux) {
	for name, contentType := range map[string]string{
		"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8",
	} {
		mux.HandleFunc("GET "+controlPath+name, func(w http.ResponseWriter, _ *http.Request) {
			content, err := assets.ReadFile("assets/" + name)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(content) // the client may be gone
		})
	}
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET "+clerktest.SignUpPath, s.signUpPage)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		renderMessage(w, http.StatusNotFound, "There is no such page",
			"If a redirect URL led here, it is a path. With an absolute URL it leads to your application.")
	})
}

// A pageData is what the page shows.
type pageData struct {
	clerktest.State

	Query      string
	Paused     bool
	BaseURL    string
	SecretKey  string
	Shown      int
	Statuses   []clerk.InvitationStatus
	Operations []clerk.Operation
	AllFaults  []clerktest.Fault
	Codes      []clerk.ErrorCode
	Limited    []namedUsage
	Presets    []string
	Preset     string // the preset in force; empty for other limits
	Shares     []float64
	Latencies  []time.Duration
}

// A namedUsage is how much of a limit is used, with the limit's name.
type namedUsage struct {
	Name string
	clerktest.LimitUsage
}

// shown is how many items of a kind the page shows.
const shown = 25

func (s *server) page(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("query")
	state := s.fake.State(clerktest.Filter{Query: query, Limit: shown})
	render(w, http.StatusOK, "page.html", pageData{
		State: state, Query: query, Paused: r.URL.Query().Get("refresh") == "off",
		BaseURL: "http://" + r.Host + "/v1", SecretKey: s.fake.SecretKey(), Shown: shown,
		Statuses: statuses, Operations: clerktest.Operations(), AllFaults: clerktest.AllFaults(), Codes: clerktest.Codes(),
		Limited: []namedUsage{
			{"Creates", state.Limits.Creates}, {"Bulk creates", state.Limits.Bulks}, {"All requests", state.Limits.Requests},
		},
		Presets: presets, Preset: presetOf(state.Limits), Shares: []float64{0, 0.05, 0.2, 0.5, 1},
		Latencies: []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 10 * time.Second},
	})
}

// presetOf returns the name of the limits in force.
func presetOf(usage clerktest.RateLimitUsage) string {
	for _, name := range presets {
		limits, err := Limits(name)
		if err == nil && limits.Creates == usage.Creates.Limit && limits.Bulks == usage.Bulks.Limit && limits.Requests == usage.Requests.Limit {
			return name
		}
	}
	return ""
}

// linkTexts explain why a link leads to the sign-up page without a ticket.
var linkTexts = map[string]signUpData{
	"expired":   {Heading: "This invitation has expired", Text: "Its link no longer signs anybody up. Ask for a new invitation."},
	"revoked":   {Heading: "This invitation was revoked", Text: "Its link no longer signs anybody up."},
	"accepted":  {Heading: "This invitation is already accepted", Text: "Sign in instead."},
	"unknown":   {Heading: "This link belongs to no invitation", Text: "The invitation may have been deleted."},
	"signed-up": {Heading: "Signed up", Text: "The invitation is accepted, and its address belongs to a user now."},
}

func (s *server) signUpPage(w http.ResponseWriter, r *http.Request) {
	data, ok := linkTexts[r.URL.Query().Get("link")]
	ticket := r.URL.Query().Get("__clerk_ticket")
	switch inv, email, err := s.fake.InvitationForTicket(ticket); {
	case ok || ticket == "":
	case err != nil:
		data, ok = linkTexts["unknown"], true
	case inv.Status != clerk.InvitationStatusPending:
		data, ok = linkTexts[string(inv.Status)]
	default:
		data, ok = signUpData{Heading: "You are invited", Text: inv.EmailAddress, Ticket: ticket}, true
		if email.RedirectURL != "" && !clerktest.CanFollow(email.RedirectURL) {
			data.RedirectURL = email.RedirectURL
		}
	}
	if !ok {
		data = signUpData{Heading: "Sign up", Text: "Open the link of an invitation to sign up with it."}
	}
	render(w, http.StatusOK, "sign-up.html", data)
}
