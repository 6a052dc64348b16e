package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/clerk-invitations/clerk-go"
)

// A watch is a transport that tells the display which request is sent, and how it failed. The
// library does not report that for single requests.
type watch struct {
	next    http.RoundTripper
	display *display
}

// RoundTrip implements http.RoundTripper.
func (w *watch) RoundTrip(req *http.Request) (*http.Response, error) {
	info, _ := clerk.RequestInfoFromContext(req.Context())
	w.display.sending(info.Operation)
	resp, err := w.next.RoundTrip(req)
	switch {
	case errors.Is(err, context.Canceled): // stopped, not failed
	case errors.Is(err, context.DeadlineExceeded):
		w.display.failed(info.Operation, "Clerk does not answer")
	case err != nil:
		w.display.failed(info.Operation, "Clerk cannot be reached")
	case resp.StatusCode >= http.StatusInternalServerError:
		w.display.failed(info.Operation, fmt.Sprintf("Clerk has a problem (status %d)", resp.StatusCode))
	default:
		w.display.failed(info.Operation, "")
	}
	return resp, err
}
