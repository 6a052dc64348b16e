// Package handler has HTTP handlers that invite one person, list and revoke invitations, and
// maps their errors to HTTP statuses.
package handler

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// timeout is the time for a call. The server's WriteTimeout must be longer.
const timeout = 10 * time.Second

// Routes returns the handlers. Who may use them is up to the service.
func Routes(client *clerk.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /invitations", Invite(client))
	mux.HandleFunc("GET /invitations", List(client))
	mux.HandleFunc("DELETE /invitations/{id}", Revoke(client))
	return mux
}

// Invite handles {"email_address": "ada@example.com"}.
func Invite(client *clerk.Client) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			EmailAddress string `json:"email_address"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&body); err != nil {
			http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
			return
		}
		// The context of the request ends when its client disconnects. That would abandon an
		// invitation whose outcome is not known yet.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeout)
		defer cancel()
		_, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: body.EmailAddress})
		if err != nil {
			writeError(w, r, err)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}
}

// List returns a page of invitations, newest first, and how many there are. It begins at the
// parameter offset. Clerk's JSON would also contain the links that accept them.
func List(client *clerk.Client) http.HandlerFunc {
	type invitation struct {
		ID           string                 `json:"id"`
		EmailAddress string                 `json:"email_address"`
		Status       clerk.InvitationStatus `json:"status"`
	}
	type page struct {
		Invitations []invitation `json:"invitations"`
		TotalCount  int          `json:"total_count"`
	}
	return func(w http.ResponseWriter, r *http.Request) {
		offset, err := strconv.ParseUint(cmp.Or(r.FormValue("offset"), "0"), 10, 31)
		if err != nil {
			http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout) // reading may end with the request
		defer cancel()
		list, err := client.Invitations.List(ctx, clerk.ListInvitationsRequest{
			Limit: 50, Offset: int(offset), OrderBy: clerk.OrderByCreatedAtDesc,
		})
		if err != nil {
			writeError(w, r, err)
			return
		}
		answer := page{Invitations: []invitation{}, TotalCount: list.TotalCount}
		for _, inv := range list.Data {
			answer.Invitations = append(answer.Invitations, invitation{inv.ID, inv.EmailAddress, inv.Status})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // it fails only if the client has disconnected
	}
}

// Revoke revokes the invitation whose id is in the path.
func Revoke(client *clerk.Client) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeout)
		defer cancel()
		if _, err := client.Invitations.Revoke(ctx, r.PathValue("id")); err != nil {
			writeError(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
