package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/clerk-invitations/clerk-go"
)

// A dryRun is a transport that passes on reads, and answers writes itself, as if they were
// carried out.
type dryRun struct {
	next http.RoundTripper
	made int
}

func (d *dryRun) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return d.next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var invited any
	switch {
	case strings.HasSuffix(req.URL.Path, "/invitations/bulk"):
		var all []clerk.Invitation // a request has some of an invitation's fields
		err = json.Unmarshal(body, &all)
		for i := range all {
			d.invite(&all[i])
		}
		invited = all
	case strings.HasSuffix(req.URL.Path, "/invitations"):
		var one clerk.Invitation
		err = json.Unmarshal(body, &one)
		d.invite(&one)
		invited = one
	default:
		err = errors.New("a dry run makes no such request")
	}
	if err != nil {
		return nil, err
	}
	answer, err := json.Marshal(invited)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)), Request: req,
	}, nil
}

// invite sets the fields of an invitation that Clerk would add.
func (d *dryRun) invite(inv *clerk.Invitation) {
	d.made++
	inv.Object, inv.ID, inv.Status = "invitation", fmt.Sprintf("inv_dry_run_%d", d.made), clerk.InvitationStatusPending
}
