package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A tracing is a transport that logs a record for every attempt, including failed ones;
// examples/otel starts a span instead. It uses the route, never the URL, whose query may
// contain an address, and the type of an error, never its text, which may contain a URL.
type tracing struct {
	next   http.RoundTripper
	logger *slog.Logger
}

// RoundTrip implements http.RoundTripper.
func (t *tracing) RoundTrip(req *http.Request) (*http.Response, error) {
	info, _ := clerk.RequestInfoFromContext(req.Context())
	attrs := []any{"operation", info.Operation, "route", info.Route, "attempt", info.Attempt}
	started := time.Now()
	resp, err := t.next.RoundTrip(req)
	attrs = append(attrs, "duration", time.Since(started))
	level := slog.LevelDebug
	switch {
	case err != nil:
		level, attrs = slog.LevelWarn, append(attrs, "error", fmt.Sprintf("%T", err))
	case resp.StatusCode >= http.StatusBadRequest:
		level, attrs = slog.LevelWarn, append(attrs, "status", resp.StatusCode)
	default:
		attrs = append(attrs, "status", resp.StatusCode)
	}
	t.logger.Log(req.Context(), level, "attempt", attrs...)
	return resp, err
}
