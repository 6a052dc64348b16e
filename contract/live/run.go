package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxRequests = 60
	maxAsking   = 6 * time.Minute
	listing     = 2 // list requests of cleaning up
)

// A stage is the state of an invitation that the run created.
type stage int

const (
	pending stage = iota
	revoked
	gone
	kept // revoked, and Clerk does not delete it
)

// A run asks the questions and cleans up.
type run struct {
	client
	name  string
	begun time.Time
	start time.Time // of its first request; zero for a run that returns to another run's invitations
	users bool      // ask about users
	leave bool      // leave an invitation for another run, a day later
	only  bool      // report only the questions of this run; another run has asked the rest
	left  string    // the id of the invitation that cleaning up keeps

	made    map[string]stage // by id
	written time.Time        // when the last write ended; zero if there was none
	lost    bool             // the outcome of a write is unknown
	lag     time.Duration    // after which lists show changes
	lags    []lagOf          // what was measured, by kind of change
	late    bool             // lists show changes later than the run can wait

	refusal reply // of a deletion
	err     error // why the run ended early
	answers map[string]answer
}

func newRun(c client, name string, start time.Time) *run {
	return &run{client: c, name: name, begun: time.Now(), start: start, made: map[string]stage{}, answers: map[string]answer{}}
}

// marker returns a text that is in every address of the run, in whatever spelling Clerk keeps
// the address.
func (r *run) marker() string { return "live" + r.name }

// address returns an address of the run. Clerk sends no email to +clerk_test. The capital
// letters and the dot show whether Clerk changes the spelling.
func (r *run) address(name string) string {
	return "Live" + r.name + "." + name + "+clerk_test@example.com"
}

func (r *run) isOwn(inv invitation) bool {
	return strings.Contains(strings.ToLower(inv.EmailAddress), r.marker())
}

// nameOf returns the name of an invitation's address, in whatever spelling Clerk keeps it.
func (r *run) nameOf(inv invitation) string {
	local, _, _ := strings.Cut(strings.ToLower(inv.EmailAddress), "@")
	local, _, _ = strings.Cut(local, "+")
	return strings.TrimPrefix(strings.ReplaceAll(local, ".", ""), r.marker())
}

// do sends a request, unless the run has ended. In that case the reply is empty, and answers
// from it are ignored. It records what the run has created.
func (r *run) do(ctx context.Context, method, path string, body any) reply {
	return r.doVersion(ctx, apiVersion, method, path, body)
}

func (r *run) doVersion(ctx context.Context, version, method, path string, body any) reply {
	got := r.request(ctx, method, "/invitations"+path, version, body)
	if r.err == nil {
		r.account(method, path, got)
	}
	return got
}

func (r *run) request(ctx context.Context, method, path, version string, body any) reply {
	if !r.mayAsk(ctx, body) {
		return reply{}
	}
	var text []byte
	if body != nil {
		text, r.err = json.Marshal(body)
	}
	got := r.send(ctx, method, path, version, string(text))
	if method != http.MethodGet {
		r.written = time.Now()
	}
	if err := got.failure(); err != nil {
		r.err = err
		if method != http.MethodGet && !got.limited() {
			r.lost = true
			r.err = fmt.Errorf("%w; -cleanup %s in an hour makes certain that nothing is left", err, r.name)
		}
	}
	return got
}

// mayAsk reports whether the run may send a request and still has enough left for cleaning up.
func (r *run) mayAsk(ctx context.Context, body any) bool {
	if r.err == nil && ctx.Err() != nil {
		r.err = fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	if r.err == nil && r.sent+r.toClean(body) >= maxRequests {
		r.err = errors.New("no requests are left")
	}
	return r.err == nil
}

// toClean returns the number of requests that cleaning up needs after a request.
func (r *run) toClean(body any) int {
	n := listing
	switch body := body.(type) {
	case item:
		n += int(gone - pending)
	case []item:
		n += int(gone-pending) * len(body)
	}
	if r.users {
		n += 2
	}
	for _, stage := range r.made {
		n += max(0, int(gone-stage))
	}
	return n
}

func (r *run) account(method, path string, got reply) {
	id, revokes := strings.CutSuffix(strings.TrimPrefix(path, "/"), "/revoke")
	switch {
	case !got.ok():
	case method == http.MethodDelete:
		r.made[id] = gone
	case method == http.MethodPost && revokes:
		r.made[id] = max(r.made[id], revoked)
	case method == http.MethodPost:
		created := got.page().data
		if id != "bulk" {
			created = []invitation{got.invitation()}
		}
		for _, inv := range created {
			if inv.ID != "" {
				r.made[inv.ID] = max(r.made[inv.ID], pending)
			}
		}
	}
}

// An item is the request for an invitation.
type item map[string]any

// item returns a request for an address, without an email and with more fields.
func (r *run) item(name string, more ...any) item {
	it := item{"email_address": r.address(name), "notify": false}
	for pair := range slices.Chunk(more, 2) {
		it[fmt.Sprint(pair[0])] = pair[1]
	}
	return it
}

func (r *run) create(ctx context.Context, it item) reply {
	return r.do(ctx, http.MethodPost, "", it)
}

func (r *run) bulk(ctx context.Context, items ...item) reply {
	if items == nil {
		items = []item{} // not null in JSON
	}
	return r.do(ctx, http.MethodPost, "/bulk", items)
}

func (r *run) revoke(ctx context.Context, id string) reply {
	return r.do(ctx, http.MethodPost, "/"+url.PathEscape(id)+"/revoke", nil)
}

func (r *run) remove(ctx context.Context, id string) reply {
	return r.do(ctx, http.MethodDelete, "/"+url.PathEscape(id), nil)
}

// list lists invitations, newest first.
func (r *run) list(ctx context.Context, query string) reply {
	return r.do(ctx, http.MethodGet, "?"+query, nil)
}

// link opens the link of an invitation. Its failure does not end the run.
func (r *run) link(ctx context.Context, inv invitation) reply {
	if inv.URL == "" || !r.mayAsk(ctx, nil) {
		return reply{}
	}
	return r.open(ctx, inv.URL)
}

// own lists invitations of the run, once lists show all changes, by id.
func (r *run) own(ctx context.Context, query string) map[string]invitation {
	r.settle(ctx)
	return r.ownNow(ctx, query)
}

func (r *run) ownNow(ctx context.Context, query string) map[string]invitation {
	found := map[string]invitation{}
	for _, inv := range r.list(ctx, "paginated=true&limit=500"+query).page().data {
		if r.isOwn(inv) {
			found[inv.ID] = inv
			r.made[inv.ID] = max(r.made[inv.ID], pending)
		}
	}
	return found
}

// settle waits until lists show all changes.
func (r *run) settle(ctx context.Context) { sleep(ctx, time.Until(r.written.Add(r.lag))) }

// measure returns the time after which seen first reports true, as exactly as it can without
// asking often. After a minute it gives up and sets r.late.
func (r *run) measure(ctx context.Context, seen func() bool) time.Duration {
	begin, after := time.Now(), []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}
	for _, d := range after {
		if d > 0 && d < r.lag {
			continue // to save requests
		}
		sleep(ctx, time.Until(begin.Add(d)))
		if seen() || r.err != nil {
			r.lag = max(r.lag, d)
			return d
		}
	}
	r.late, r.lag = true, time.Minute
	return time.Minute
}

// An answer says what was seen.
type answer struct {
	flip  string // the text form of the clerktest.Behavior; empty if as assumed
	other string // an answer that is neither assumed nor a flip
	none  string // why there is no answer
}

// saw answers a question with a flip or, if that is empty, with the assumption.
func (r *run) saw(key, flip string) { r.set(key, answer{flip: flip}) }

// other answers a question with an answer that has no flip.
func (r *run) other(key, text string) { r.set(key, answer{other: text}) }

// unclear says why a question has no answer.
func (r *run) unclear(key, why string) { r.set(key, answer{none: why}) }

func (r *run) set(key string, a answer) {
	if r.err == nil {
		r.answers[key] = a
	}
}

// sawIf answers with a flip if holds is true, and otherwise with the assumption.
func (r *run) sawIf(holds bool, key, flip string) {
	if !holds {
		flip = ""
	}
	r.saw(key, flip)
}

// sawRefusal answers a question whose assumed answer is a refusal with code, or with any
// if that is empty, and whose flip is success.
func (r *run) sawRefusal(got reply, code, key, flip string) {
	if !got.ok() && (got.code() == "" || code != "" && got.code() != code) {
		r.other(key, got.String())
		return
	}
	r.sawIf(got.ok(), key, flip)
}

// A lagOf is the time after which lists show a kind of change.
type lagOf struct {
	kind string
	lag  time.Duration
}

func (l lagOf) String() string { return fmt.Sprintf("list-lag=%s,list-lag-of=%s", l.lag, l.kind) }
