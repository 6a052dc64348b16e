package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// A watch is a transport that reports whether the last request failed, and in which way;
// "" if it did not. The library retries within a call without reporting it.
type watch struct {
	next   http.RoundTripper
	report func(failure string)
}

// RoundTrip implements http.RoundTripper.
func (w *watch) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	switch {
	case errors.Is(err, context.Canceled): // stopped, not failed
	case errors.Is(err, context.DeadlineExceeded):
		w.report("Clerk does not answer")
	case err != nil:
		w.report("Clerk cannot be reached")
	case resp.StatusCode >= http.StatusInternalServerError:
		w.report(fmt.Sprintf("Clerk has a problem (status %d)", resp.StatusCode))
	default:
		w.report("")
	}
	return resp, err
}
