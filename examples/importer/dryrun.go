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

// A dryRun is a transport that lets through what reads, and itself answers what
// writes, as if it were done.
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
		var requests []clerk.CreateInvitationRequest
		err = json.Unmarshal(body, &requests)
		all := make([]clerk.Invitation, len(requests))
		for i, request := range requests {
			all[i] = d.invite(request)
		}
		invited = all
	case strings.HasSuffix(req.URL.Path, "/invitations"):
		var request clerk.CreateInvitationRequest
		err = json.Unmarshal(body, &request)
		invited = d.invite(request)
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

func (d *dryRun) invite(request clerk.CreateInvitationRequest) clerk.Invitation {
	d.made++
	return clerk.Invitation{
		Object: "invitation", ID: fmt.Sprintf("inv_dry_run_%d", d.made),
		EmailAddress: request.EmailAddress, Status: clerk.InvitationStatusPending,
	}
}
