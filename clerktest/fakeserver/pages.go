package fakeserver

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// pages returns the handler of the pages and their assets.
func (s *server) pages() *http.ServeMux {
	mux := http.NewServeMux()
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
	mux.HandleFunc("GET "+controlPath+"invitations/{id}", s.invitationPage)
	mux.HandleFunc("GET "+controlPath+"emails/{id}", s.emailPage)
	mux.HandleFunc("GET "+controlPath+"requests/{number}", s.requestPage)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		renderMessage(w, r, http.StatusNotFound, "There is no such page",
			"If a redirect URL led here, it is a path. With an absolute URL it leads to your application.")
	})
	return mux
}

// A pageData holds the content of the page.
type pageData struct {
	clerktest.State

	address    url.Values // the parameters in the page's address
	BaseURL    string
	SecretKey  string
	Statuses   []clerk.InvitationStatus
	Operations []clerk.Operation
	AllFaults  []clerktest.Fault
	FaultTexts map[clerktest.Fault]string
	Codes      []clerk.ErrorCode
	Limited    []namedUsage
	Presets    []string
	Shares     []float64
	Latencies  []time.Duration
	Waits      []time.Duration // the values of a Retry-After
	Steps      []time.Duration // the steps by which the clock can be moved
	Behaviors  []string
	More       map[string]bool // the lists that have more items
}

// A namedUsage is the usage of a limit, with the limit's name.
type namedUsage struct {
	Name string
	clerktest.LimitUsage
}

// shown is the number of items that the page shows of each list.
const shown = 25

// Get returns a parameter in the page's address.
func (p pageData) Get(name string) string { return p.address.Get(name) }

// With returns the page's address with another value of a parameter; an empty one
// removes it.
func (p pageData) With(name, value string) string {
	changed := maps.Clone(p.address)
	changed.Set(name, value)
	if value == "" {
		changed.Del(name)
	}
	return (&url.URL{Path: "/", RawQuery: changed.Encode()}).String()
}

// Skipped returns the number of newer items of a list that the page leaves out.
func (p pageData) Skipped(list string) int { return number(p.Get(list), 0) }

// A pager holds the addresses of the neighboring pages of a list; empty if there is none.
type pager struct{ List, Newer, Older string }

// Pager returns the pager of a list.
func (p pageData) Pager(list string) pager {
	at := p.Skipped(list)
	links := pager{List: list}
	switch {
	case at > shown:
		links.Newer = p.With(list, strconv.Itoa(at-shown))
	case at > 0:
		links.Newer = p.With(list, "")
	}
	if p.More[list] {
		links.Older = p.With(list, strconv.Itoa(at+shown))
	}
	return links
}

// firstItems returns up to shown items, and reports whether there are more.
func firstItems[T any](items []T) ([]T, bool) {
	return items[:min(shown, len(items))], len(items) > shown
}

func (s *server) page(w http.ResponseWriter, r *http.Request) {
	p := pageData{
		address: r.URL.Query(), More: map[string]bool{},
		BaseURL: "http://" + r.Host + "/v1", SecretKey: s.fake.SecretKey(),
		Statuses: statuses, Operations: clerktest.Operations(), AllFaults: clerktest.AllFaults(),
		FaultTexts: faultTexts, Codes: clerktest.Codes(), Presets: presets, Shares: []float64{0, 0.05, 0.2, 0.5, 1},
		Steps: []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}, Behaviors: alternatives(),
		Latencies: []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 10 * time.Second},
		Waits:     []time.Duration{time.Second, 30 * time.Second, 5 * time.Minute, time.Hour},
	}
	p.State = s.fake.State(clerktest.Filter{
		Query: p.Get("query"), Status: statusNamed(p.Get("status")), Limit: shown + 1,
		Skip: clerktest.Skip{
			Invitations: p.Skipped("invitations"), Emails: p.Skipped("emails"),
			Users: p.Skipped("users"), Requests: p.Skipped("requests"),
		},
	})
	p.Invitations, p.More["invitations"] = firstItems(p.Invitations)
	p.Emails, p.More["emails"] = firstItems(p.Emails)
	p.Users, p.More["users"] = firstItems(p.Users)
	p.Requests, p.More["requests"] = firstItems(p.Requests)
	p.Limited = []namedUsage{
		{"Creates", p.Limits.Creates}, {"Bulk creates", p.Limits.Bulks}, {"All requests", p.Limits.Requests},
	}
	render(w, http.StatusOK, "page.html", p)
}

// linkTexts says why a link leads to the sign-up page without a ticket.
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
	data.Back = "/"
	render(w, http.StatusOK, "sign-up.html", data)
}
