package fakeserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// A detailData holds the content of the page about an invitation, an email or a request.
type detailData struct {
	Invitation *clerktest.InvitationState
	Email      *clerktest.Email
	Request    *clerktest.Request
	Metadata   string
	Curl       string
	Back       string
}

func (s *server) invitationPage(w http.ResponseWriter, r *http.Request) {
	inv, ok := s.fake.Invitation(r.PathValue("id"))
	if !ok {
		renderMessage(w, r, http.StatusNotFound, "There is no such invitation", "It may have been deleted.")
		return
	}
	metadata := string(inv.PublicMetadata)
	if json.Valid(inv.PublicMetadata) {
		metadata = string(indented(inv.PublicMetadata))
	}
	render(w, http.StatusOK, "invitation.html", detailData{Invitation: &inv, Metadata: metadata, Back: back(r)})
}

// emailPage shows an email as its recipient sees it.
func (s *server) emailPage(w http.ResponseWriter, r *http.Request) {
	inv, ok := s.fake.Invitation(r.PathValue("id"))
	if !ok || !inv.Emailed {
		renderMessage(w, r, http.StatusNotFound, "There is no such email", "Its invitation may have been deleted.")
		return
	}
	render(w, http.StatusOK, "email.html", detailData{Email: &inv.Email, Back: back(r)})
}

func (s *server) requestPage(w http.ResponseWriter, r *http.Request) {
	req, ok := s.fake.Request(number(r.PathValue("number"), 0))
	if !ok {
		renderMessage(w, r, http.StatusNotFound, "There is no such request", "Only the last requests are remembered.")
		return
	}
	text := curl(req, "http://"+r.Host, s.fake.SecretKey())
	render(w, http.StatusOK, "request.html", detailData{Request: &req, Curl: text, Back: back(r)})
}

// curl returns the command that sends a request again.
func curl(req clerktest.Request, root, key string) string {
	target := root + req.Path
	if len(req.Query) > 0 {
		target += "?" + req.Query.Encode()
	}
	var command strings.Builder
	fmt.Fprintf(&command, "curl -X %s %s", quoted(req.Method), quoted(target))
	fmt.Fprintf(&command, " \\\n  -H %s", quoted("Authorization: Bearer "+key))
	own := []string{"Accept-Encoding", "Connection", "Content-Length", "Transfer-Encoding", "Traceparent"} // headers of the connection
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		if slices.Contains(own, name) {
			continue
		}
		for _, value := range req.Header[name] {
			fmt.Fprintf(&command, " \\\n  -H %s", quoted(name+": "+value))
		}
	}
	if len(req.Body) > 0 {
		fmt.Fprintf(&command, " \\\n  --data-raw %s", quoted(string(bytes.TrimSpace(req.Body))))
	}
	return command.String()
}

// quoted quotes a text for a POSIX shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
