package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// documented is the error statuses in Clerk's OpenAPI document and, for Delete, its
// reference.
var documented = map[Operation]map[int]bool{
	OperationCreate:     {400: true, 422: true},
	OperationBulkCreate: {400: true, 422: true},
	OperationRevoke:     {400: true, 404: true},
	OperationDelete:     {400: true, 404: true},
}

// isDocumented reports whether the last attempt is a documented refusal of Clerk's.
func (l *requestLoop) isDocumented() bool {
	a := &l.last
	return a.refusal != nil && a.class == classRefused && documented[l.request.operation][a.status]
}

// failure is the error of a request whose last attempt did not succeed.
func (l *requestLoop) failure() error {
	a, meta := &l.last, l.meta()
	if a.refusal != nil {
		a.refusal.ResponseMeta, a.refusal.class, a.refusal.Body = meta.ResponseMeta, a.class, a.body
		if l.isDocumented() {
			return a.refusal
		}
	}
	err := a.err
	if a.refusal != nil {
		err = a.refusal
	}
	if l.stopped != nil {
		err = errors.Join(err, l.stopped)
	}
	return &SDKError{ResponseMeta: meta.ResponseMeta, Message: l.describe(), Err: err, Body: a.body, class: a.class}
}

// describe says what failed, for the one line of an SDKError.
func (l *requestLoop) describe() string {
	a := &l.last
	var text string
	switch {
	case a.refusal != nil:
		text = a.refusal.summary()
	case a.class == classNotSent:
		text = "nothing sent: " + l.reason(a.err)
	case a.status == 0:
		text = "no response: " + l.reason(a.err)
	case isSuccess(a.status):
		text = "unusable response (" + a.shape() + "): " + l.reason(a.err)
	case a.status >= 300 && a.status < 400:
		text = "redirect" + a.redirectHost() + " refused: requests go to the base URL only"
	default:
		text = http.StatusText(a.status) + " (no Clerk error, but " + a.shape() + ")"
	}
	if l.stopped != nil {
		text += "; stopped before another attempt: " + l.reason(l.stopped)
	}
	return strings.TrimSpace(text)
}

// reason is the text of an error. A deadline's own text does not say whose it was.
func (l *requestLoop) reason(err error) string {
	timedOut := errors.Is(err, context.DeadlineExceeded)
	limit, most := l.attemptLimit(l.isWrite()), l.retry.Backoff.MaxElapsedTime
	switch {
	case timedOut && !l.last.began.IsZero() && l.stopped == nil && time.Since(l.last.began) >= limit:
		return "the attempt took longer than " + limit.String()
	case timedOut && !l.deadline.IsZero() && !time.Now().Before(l.deadline):
		return "the call took longer than MaxElapsedTime, " + most.String()
	}
	return redact.Line(err.Error())
}

func (a *attempt) redirectHost() string {
	location, err := url.Parse(a.header.Get("Location"))
	if err != nil || location.Host == "" {
		return ""
	}
	return " to " + redact.Line(location.Host)
}

// shape is what can be shown of a body that is not understood.
func (a *attempt) shape() string {
	if a.size == 0 {
		return "an empty body"
	}
	return fmt.Sprintf("%s, %d bytes", redact.Line(cmp.Or(a.contentType(), "no content type")), a.size)
}

// log writes the attempt's record. It has the operation and the route, but no address,
// query or body.
func (l *requestLoop) log(ctx context.Context, logger *slog.Logger) {
	a := &l.last
	level := slog.LevelWarn
	if a.class == classSucceeded || l.isDocumented() {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("operation", string(l.request.operation)),
		slog.String("route", l.route()),
		slog.Int("attempt", l.attempts),
		slog.Duration("duration", time.Since(a.began)),
	}
	if a.status != 0 {
		attrs = append(attrs, slog.Int("status", a.status))
	}
	if l.again {
		attrs = append(attrs, slog.Duration("wait", l.wait))
	}
	if a.traceID != "" {
		attrs = append(attrs, slog.String("trace_id", a.traceID))
	}
	if a.err != nil {
		attrs = append(attrs, slog.String("error", redact.Line(a.err.Error())))
	}
	logger.LogAttrs(ctx, level, "clerk request", attrs...)
}
