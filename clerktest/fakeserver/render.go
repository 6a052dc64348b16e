package fakeserver

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// controlPath is the path under which the control API is served.
const controlPath = "/_fake/"

//go:embed assets
var assets embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"day":     func(m clerk.UnixMilli) template.HTML { return timeTag(m.Time(), "") },
	"moment":  func(t time.Time) template.HTML { return timeTag(t, "") },
	"clock":   func(t time.Time) template.HTML { return timeTag(t, " data-seconds") },
	"left":    left,
	"follow":  clerktest.CanFollow,
	"percent": func(share float64) float64 { return share * 100 },
	"wait":    func(d time.Duration) string { return short(d.Round(time.Second)) },
	"short":   short,
	"brief":   brief,
	"grouped": grouped,
	"text":    func(b []byte) string { return string(b) },
}).ParseFS(assets, "assets/*.html"))

// timeTag returns a time in UTC, which page.js shows in the reader's zone.
func timeTag(t time.Time, attributes string) template.HTML {
	layout := "2 Jan 2006, 15:04 MST"
	if attributes != "" {
		layout = "2 Jan 2006, 15:04:05 MST"
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `"` + attributes + `>` + t.Format(layout) + `</time>`) //nolint:gosec // contains no foreign text
}

// brief returns the beginning of a text for a list.
func brief(text string) string {
	const most = 120
	if cut := []rune(text); len(cut) > most {
		return string(cut[:most]) + "…"
	}
	return text
}

// grouped returns texts with equal neighbors as one, after their number.
func grouped(texts []string) (groups []string) {
	for len(texts) > 0 {
		group, n := texts[0], 1
		for n < len(texts) && texts[n] == group {
			n++
		}
		if texts = texts[n:]; n > 1 {
			group = strconv.Itoa(n) + " × " + group
		}
		groups = append(groups, group)
	}
	return groups
}

// short formats a duration without zero parts, such as 1h for 1h0m0s, and with days.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// wantsHTML reports whether a request comes from a browser's page.
func wantsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// back returns the path and query of the page that a request comes from, with its search,
// filters and pause. It returns the first page if that page is unknown, or is about an
// invitation that the request deleted.
func back(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host || from.Path == r.URL.Path {
		return "/"
	}
	if deleted, ok := strings.CutSuffix(r.URL.Path, "/delete"); ok && from.Path == deleted {
		return "/"
	}
	if from.Path != "/" && !strings.HasPrefix(from.Path, controlPath) {
		return "/"
	}
	return (&url.URL{Path: from.Path, RawQuery: from.RawQuery}).RequestURI()
}

// A signUpData holds the content of the sign-up page.
type signUpData struct {
	Heading, Text string
	Ticket        string // empty without a form
	RedirectURL   string // shown, but not followed
	Back          string // the page to return to
}

func renderMessage(w http.ResponseWriter, r *http.Request, status int, heading, text string) {
	render(w, status, "sign-up.html", signUpData{Heading: heading, Text: text, Back: back(r)})
}

func render(w http.ResponseWriter, status int, name string, data any) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
		"img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "same-origin") // the address can hold a ticket
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = templates.ExecuteTemplate(w, name, data) // the client may be gone
}
