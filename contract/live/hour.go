package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	bulksAnHour = 25               // that Clerk documents
	firstPause  = 10 * time.Minute // after the first bulk
	extraBulks  = 5                // in addition to those of a window
	near        = time.Minute      // times that differ by less count as equal
)

// askHour asks about the limit of bulks. Its bulks are empty, so that they create
// nothing. It takes 70 minutes. Other bulks in the hour before it would disturb it.
func (r *run) askHour(ctx context.Context) {
	first := time.Now()
	empty := r.emptyBulk(ctx)
	sleep(ctx, firstPause)
	limited := empty
	for range bulksAnHour + extraBulks {
		if limited = r.emptyBulk(ctx); limited.limited() {
			break
		}
	}
	switch {
	case r.err != nil:
		return
	case !limited.limited() && empty.ok():
		r.unclear("refusals-uncounted", "an empty bulk is not refused, and there was no limit")
		return
	case !limited.limited():
		r.saw("refusals-uncounted", "refusals-uncounted")
		return
	case !empty.ok():
		r.saw("refusals-uncounted", "")
	}
	r.answerLimited(limited)
	r.askWindow(ctx, first, limited.wait())
}

// emptyBulk sends a bulk that creates nothing. Unlike other requests it may be limited.
func (r *run) emptyBulk(ctx context.Context) reply {
	if !r.mayAsk(ctx, nil) {
		return reply{}
	}
	got := r.send(ctx, http.MethodPost, "/invitations/bulk", apiVersion, "[]")
	if !got.limited() {
		r.err = got.failure()
	}
	return got
}

func (r *run) answerLimited(got reply) {
	r.sawIf(got.status != http.StatusTooManyRequests, "rate-limit-status", fmt.Sprintf("rate-limit-status=%d", got.status))
	text := strings.TrimSpace(string(got.body))
	switch {
	case got.code() == "too_many_requests":
		r.saw("rate-limit-body", "")
	case text == "":
		r.saw("rate-limit-body", "rate-limit-body=none")
	case strings.HasPrefix(text, "<"):
		r.saw("rate-limit-body", "rate-limit-body=html")
	case !json.Valid(got.body):
		r.saw("rate-limit-body", "rate-limit-body=text")
	case got.code() == "" && strings.Contains(text, `"errors"`):
		r.saw("rate-limit-body", "rate-limit-body=empty-errors")
	default:
		r.other("rate-limit-body", "JSON with code "+got.code())
	}
}

// askWindow waits until a bulk is accepted again. A fixed window then accepts many. A sliding
// window accepts as many as were sent first, which is one.
func (r *run) askWindow(ctx context.Context, first time.Time, wait time.Duration) {
	again := time.Now().Add(wait)
	end, hour := first.Add(time.Hour), time.Now().Truncate(time.Hour).Add(time.Hour)
	switch {
	case wait == 0:
		r.unclear("windows", "there is no Retry-After")
		return
	case wait <= time.Hour/bulksAnHour:
		r.saw("windows", "windows=token-bucket")
		return
	case end.Sub(hour).Abs() <= 2*near:
		r.unclear("windows", "the run began at a full hour")
		return
	case again.Sub(hour).Abs() <= near:
		r.saw("windows", "windows=clock")
		return
	case again.Sub(end).Abs() > near:
		r.unclear("windows", "there were other bulks in the hour before")
		return
	}
	sleep(ctx, wait+time.Second)
	for range extraBulks {
		if r.emptyBulk(ctx).limited() {
			r.saw("windows", "windows=sliding")
			return
		}
	}
	r.saw("windows", "")
}
