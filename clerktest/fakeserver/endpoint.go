package fakeserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// controlPath is the path under which the control API is served.
const controlPath = "/_fake/"

// A server serves one fake.
type server struct {
	fake *clerktest.Fake
}

// wantsHTML reports whether a request comes from a browser's page.
func wantsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

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
