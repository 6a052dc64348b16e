package fakeserver

import (
	"embed"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

//go:embed assets
var assets embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"clock":   func(t time.Time) string { return t.Local().Format(time.TimeOnly) },
	"day":     func(m clerk.UnixMilli) string { return m.Time().Local().Format("2 Jan, 15:04") },
	"left":    left,
	"follow":  clerktest.CanFollow,
	"percent": func(share float64) float64 { return share * 100 },
	"wait":    func(d time.Duration) string { return short(d.Round(time.Second)) },
	"short":   short,
}).ParseFS(assets, "assets/*.html"))

// short is a duration without its zero parts: 1h for 1h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// A signUpData is what the sign-up page shows.
type signUpData struct {
	Heading, Text string
	Ticket        string // empty without a form
	RedirectURL   string // one that is not followed
}

func renderMessage(w http.ResponseWriter, status int, heading, text string) {
	render(w, status, "sign-up.html", signUpData{Heading: heading, Text: text})
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
