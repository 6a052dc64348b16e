// Command service is a small web application that invites people. compose.yaml runs
// it beside fakeclerk.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

const addr = ":3000"

func main() {
	client, err := clerk.NewClient(os.Getenv("CLERK_SECRET_KEY"), clerk.WithBaseURL(os.Getenv("CLERK_BASE_URL")),
		clerk.WithInsecurePlaintextHTTP()) // fakeclerk is another container
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: addr, Handler: handler(client, "http://localhost:3000"), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// handler serves the application at a URL to which the links of invitations lead.
func handler(client *clerk.Client, url string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		page(w, http.StatusOK, `<form method="post" action="/invite"><label>Address <input type="email" name="email"></label> <button>Invite</button></form>`)
	})
	mux.HandleFunc("POST /invite", func(w http.ResponseWriter, r *http.Request) {
		// Do not use the request's context alone: it ends when the browser disconnects.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
		defer cancel()
		inv, err := client.Invitations.Create(ctx, clerk.CreateInvitationRequest{
			EmailAddress: r.PostFormValue("email"),
			RedirectURL:  url + "/welcome",
		})
		switch {
		case errors.Is(err, clerk.ErrOutcomeUnknown): // first, as the others may match, too
			log.Print(err)
			page(w, http.StatusGatewayTimeout, "Perhaps the invitation was sent. Look again in a minute.")
		case errors.Is(err, clerk.ErrDuplicateInvitation), errors.Is(err, clerk.ErrUserExists):
			page(w, http.StatusOK, "This address is invited already.")
		case err != nil:
			log.Print(err)
			page(w, http.StatusBadGateway, "The invitation failed.")
		default:
			page(w, http.StatusOK, "Invitation "+inv.ID+" was sent.")
		}
	})
	// A real application shows Clerk's sign-up component here, which reads the ticket. With
	// fakeclerk, use the button of its page, or POST /_fake/sign-up, to sign up.
	mux.HandleFunc("GET /welcome", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("__clerk_ticket") == "" {
			page(w, http.StatusBadRequest, "The link has no ticket.")
			return
		}
		page(w, http.StatusOK, "Welcome! The address of this page has the ticket to sign up with.")
	})
	return mux
}

func page(w http.ResponseWriter, status int, content string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html><title>Service</title><p>%s</p>\n", content)
}
