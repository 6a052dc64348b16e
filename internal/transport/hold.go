package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/outage"
)

const (
	// restForRead and restForWrite are the least time that is left before the deadline when an
	// attempt that was held back is sent. It is enough for a response to arrive, and for
	// looking up what a write did. It is at most a third of the time.
	restForRead  = 3 * time.Second
	restForWrite = 10 * time.Second
	// patience is how long an attempt must have waited for a response before its timeout says
	// something about the server rather than the caller.
	patience = 2 * time.Second
)

// enter waits until the gate lets the next attempt pass. It returns an *outage.Error if no
// time for the attempt would be left.
func (l *Loop) enter(ctx context.Context) (outage.Ticket, error) {
	r := &l.request
	if r.Gate == nil {
		return outage.Ticket{}, nil
	}
	ticket := r.Gate.Enter(outage.Request{
		Operation: r.Operation, IsRead: !r.IsWrite(), Call: r.Call,
		IsRepeat: r.Pass > 0 || l.Attempts > 0, NeverWaits: !r.Policy.Retry,
	})
	if logger := l.client.Logger; ticket.Outage != "" && logger != nil {
		attrs := append(r.attrs(), slog.Int("attempt", l.Attempts+1), slog.String("error", ticket.Outage))
		logger.LogAttrs(ctx, slog.LevelWarn, "clerk request held back", attrs...)
	}
	until, rest := l.end(ctx), restForRead
	if r.IsWrite() {
		rest = restForWrite
	}
	if !until.IsZero() {
		until = until.Add(-min(rest, time.Until(until)/3))
	}
	return ticket, ticket.Wait(ctx, until)
}

// leave tells the gate what the attempt says about the server.
func (l *Loop) leave(ticket outage.Ticket, a *Attempt) {
	if l.request.Gate != nil {
		ticket.Done(a.result())
	}
}

// result returns what the attempt says about the server and, if the server may be down, why.
func (a *Attempt) result() (outage.Result, outage.Failure) {
	f := outage.Failure{RetryAfter: a.RetryAfter}
	switch {
	case a.Class == Succeeded, a.Class == Refused, a.Class == RateLimited:
		return outage.Answered, f
	case a.Status >= 500, a.Status == http.StatusRequestTimeout:
		f.Cause = strconv.Itoa(a.Status) + " " + http.StatusText(a.Status)
	case a.Status > 0, IsPermanent(a.Err), errors.Is(a.Err, context.Canceled), errors.Is(a.Err, ErrNotSent):
		return outage.Unclear, f
	case errors.Is(a.Err, context.DeadlineExceeded) && time.Since(a.Began) < patience:
		return outage.Unclear, f
	case a.Class == NotSent:
		f.Cause = "no connection"
	default:
		f.Cause = "no response"
	}
	return outage.Failed, f
}
