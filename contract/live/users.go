package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// askUsers asks about the response for an address of a user. It creates a user whose address
// has a pending invitation from the bulks.
func (r *run) askUsers(ctx context.Context) {
	user := map[string]any{"email_address": []string{r.address("g")}, "skip_password_requirement": true}
	created := r.request(ctx, http.MethodPost, "/users", apiVersion, user)
	if !created.ok() {
		r.unclear("duplicates-first", "no user could be created: "+created.String())
		r.unclear("bulks-ignore-users", "no user could be created: "+created.String())
		return
	}
	switch again := r.create(ctx, r.item("g")); again.code() {
	case "form_identifier_exists":
		r.saw("duplicates-first", "")
	case "duplicate_record":
		r.saw("duplicates-first", "duplicates-first")
	default:
		r.other("duplicates-first", again.String())
	}
	ignoring := r.bulk(ctx, r.item("g", "ignore_existing", true))
	r.sawRefusal(ignoring, "form_identifier_exists", "bulks-ignore-users", "bulks-ignore-users")
}

// removeUsers deletes the users of the run. It finds them by the marker in their addresses.
func (r *run) removeUsers(ctx context.Context) reply {
	got := r.send(ctx, http.MethodGet, "/users?limit=100&query="+url.QueryEscape(r.marker()), apiVersion, "")
	var users []struct {
		ID        string
		Addresses []struct {
			Address string `json:"email_address"`
		} `json:"email_addresses"`
	}
	if got.failure() != nil || json.Unmarshal(got.body, &users) != nil {
		return got
	}
	for _, user := range users {
		for _, address := range user.Addresses {
			if strings.Contains(strings.ToLower(address.Address), r.marker()) {
				got = r.send(ctx, http.MethodDelete, "/users/"+url.PathEscape(user.ID), apiVersion, "")
			}
		}
		if got.failure() != nil {
			return got
		}
	}
	return got
}
