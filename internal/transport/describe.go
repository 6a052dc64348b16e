package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/outage"
	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// IsDocumented reports whether the response is an error that the API documents for the
// operation.
func (l *Loop) IsDocumented() bool {
	return l.Refusal != nil && l.Class == Refused && l.client.IsDocumented(l.request.Operation, l.Status)
}

// Describe returns a line that says what failed. refusal is the text of l.Refusal, or
// empty if there is none. maxElapsed is the time limit that set Policy.Deadline.
func (l *Loop) Describe(refusal string, maxElapsed time.Duration) string {
	var text string
	switch {
	case l.Refusal != nil:
		text = refusal
	case l.Class == NotSent:
		text = "nothing sent: " + l.reason(l.Err, maxElapsed)
	case l.Status == 0:
		text = "no response: " + l.reason(l.Err, maxElapsed)
	case isSuccess(l.Status):
		text = "unusable response (" + l.shape() + "): " + l.reason(l.Err, maxElapsed)
	case l.Status >= 300 && l.Status < 400:
		text = "redirect" + l.redirectHost() + " refused: requests go to the base URL only"
	default:
		text = http.StatusText(l.Status) + " (no Clerk error, but " + l.shape() + ")"
	}
	if l.Stopped != nil {
		text += "; stopped before another attempt: " + l.reason(l.Stopped, maxElapsed)
	}
	return strings.TrimSpace(text)
}

// reason returns the text of an error. For a timeout, it names the exceeded limit.
func (l *Loop) reason(err error, maxElapsed time.Duration) string {
	if held, ok := errors.AsType[*outage.Error](err); ok {
		return held.Error()
	}
	timedOut, p := errors.Is(err, context.DeadlineExceeded), &l.request.Policy
	switch {
	case timedOut && !l.Began.IsZero() && l.Stopped == nil && time.Since(l.Began) >= p.AttemptTimeout:
		return "the attempt took longer than " + p.AttemptTimeout.String()
	case timedOut && !p.Deadline.IsZero() && !time.Now().Before(p.Deadline):
		return "the call took longer than MaxElapsedTime, " + maxElapsed.String()
	}
	return line(err)
}

// goAway matches net/http's error for a connection that the server has closed.
var goAway = regexp.MustCompile(`\bLastStreamID=(\d+), ErrCode=(\w+), debug=`)

// line returns the text of an error without secrets. redact.Line alone would redact all of a
// GOAWAY, as it looks like a URL's query.
func line(err error) string {
	return redact.Line(goAway.ReplaceAllString(err.Error(), "last stream $1, $2, debug data "))
}

func (a *Attempt) redirectHost() string {
	location, err := url.Parse(a.Header.Get("Location"))
	if err != nil || location.Host == "" {
		return ""
	}
	return " to " + redact.Line(location.Host)
}

// shape describes a body that was not understood, without showing it.
func (a *Attempt) shape() string {
	if a.size == 0 {
		return "an empty body"
	}
	return fmt.Sprintf("%s, %d bytes", redact.Line(cmp.Or(a.contentType(), "no content type")), a.size)
}

// attrs returns the attributes of the request's records.
func (r *Request) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("operation", r.Operation), slog.String("route", r.Route()), slog.Uint64("call", r.CallID),
	}
	if r.Pass > 0 {
		attrs = append(attrs, slog.Int("pass", r.Pass))
	}
	return attrs
}

// log writes the attempt's record. It has the operation and the route, but no address,
// query or body, which may be personal.
func (l *Loop) log(ctx context.Context, logger *slog.Logger) {
	level := slog.LevelWarn
	if l.Class == Succeeded || l.IsDocumented() {
		level = slog.LevelDebug
	}
	attrs := append(l.request.attrs(), slog.Int("attempt", l.Attempts), slog.Duration("duration", time.Since(l.Began)))
	if l.Status != 0 {
		attrs = append(attrs, slog.Int("status", l.Status))
	}
	if l.again {
		attrs = append(attrs, slog.Duration("wait", l.wait))
	}
	if l.TraceID != "" {
		attrs = append(attrs, slog.String("trace_id", l.TraceID))
	}
	if l.Err != nil {
		attrs = append(attrs, slog.String("error", line(l.Err)))
	}
	logger.LogAttrs(ctx, level, "clerk request", attrs...)
}
