package fakeserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A server serves one fake.
type server struct {
	fake *clerktest.Fake
}

// An endpoint is one operation of the control API. It responds in JSON, or redirects
// a browser that submitted a form.
type endpoint struct {
	handle   func(*http.Request) (any, error)
	redirect string // "back" returns to the page with the form; empty for none
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	result, err := e.handle(r)
	switch {
	case err != nil && e.redirect != "" && wantsHTML(r):
		text := textOf(err)
		renderMessage(w, r, statusOf(err), "That did not work", strings.ToUpper(text[:1])+text[1:]+".")
	case err != nil:
		writeJSON(w, statusOf(err), map[string]string{"error": textOf(err)})
	case e.redirect == "back" && wantsHTML(r):
		http.Redirect(w, r, back(r), http.StatusSeeOther)
	case e.redirect != "" && wantsHTML(r):
		http.Redirect(w, r, e.redirect, http.StatusSeeOther)
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, result)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(indented(body), '\n')) // the client may be gone
}

// indented indents JSON for readers, unless that makes it much larger: metadata that
// is nested 10,000 levels deep would become megabytes of spaces.
func indented(body []byte) []byte {
	const affordable = 1 << 18
	depth, spaces, inText := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			depth++
			spaces += 2 * depth
		case c == '}' || c == ']':
			depth--
			spaces += 2 * depth
		case c == ',':
			spaces += 2 * depth
		}
	}
	if spaces > 2*len(body)+affordable {
		return body
	}
	var readable bytes.Buffer
	if err := json.Indent(&readable, body, "", "  "); err != nil {
		return body
	}
	return readable.Bytes()
}

// statusError is an error with a status other than 400.
type statusError struct {
	status int
	text   string
}

func (e statusError) Error() string { return e.text }

func notFound(text string) error { return statusError{http.StatusNotFound, text} }

func statusOf(err error) int {
	failed, ok := errors.AsType[statusError](err)
	switch {
	case ok:
		return failed.status
	case errors.Is(err, clerktest.ErrUnknownTicket):
		return http.StatusNotFound
	case errors.Is(err, clerktest.ErrNotPending):
		return http.StatusConflict
	case errors.Is(err, clerktest.ErrNotStored):
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func textOf(err error) string { return strings.TrimPrefix(err.Error(), "clerktest: ") }
