package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	maxCleaning = 3 * time.Minute
	passes      = 6
	pageSize    = 500
	grace       = 10 * time.Second // in which a request without a response may take effect
)

// cleanup revokes and deletes everything that the run created. It finds invitations that it
// does not know of by the run's marker, once lists must show them.
func (r *run) cleanup(ctx context.Context) error {
	if r.written.IsZero() && !r.start.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCleaning)
	defer cancel()
	if r.lost {
		sleep(ctx, grace)
		r.written = time.Now()
		if r.lags == nil {
			r.lag = time.Minute // it was not measured
		}
	}
	r.settle(ctx)
	wait, err := r.clean(ctx)
	for pass := 1; err != nil && pass < passes; pass++ {
		sleep(ctx, max(wait, time.Second<<pass))
		if ctx.Err() != nil {
			break
		}
		wait, err = r.clean(ctx)
	}
	if err != nil {
		return fmt.Errorf("cleaning up: %w: run it again with -cleanup %s", err, r.name)
	}
	if r.refusal.status != 0 {
		return fmt.Errorf("cleaning up: invitations are revoked, but Clerk does not delete them: %s", r.refusal)
	}
	if r.late && r.lost {
		return fmt.Errorf("lists are late by more than %s: run it again with -cleanup %s in an hour", r.lag, r.name)
	}
	return nil
}

// clean finds, revokes and deletes once. After an error it returns the time to wait.
func (r *run) clean(ctx context.Context) (wait time.Duration, err error) {
	for _, status := range []string{"", "&status=revoked"} {
		if wait, err = r.find(ctx, status); err != nil {
			return wait, err
		}
	}
	if r.users {
		if got := r.removeUsers(ctx); got.failure() != nil {
			return got.wait(), got.failure()
		}
	}
	for _, step := range []func(context.Context, string) reply{r.endLink, r.erase} {
		for _, id := range slices.Sorted(maps.Keys(r.made)) {
			if id == r.left {
				continue
			}
			got := step(ctx, id)
			if err := got.failure(); err != nil {
				return got.wait(), err
			}
		}
	}
	return 0, nil
}

// find adds the run's invitations that are listed, newest first, until they are older
// than the run.
func (r *run) find(ctx context.Context, status string) (time.Duration, error) {
	seen := map[string]bool{}
	for {
		query := fmt.Sprintf("/invitations?paginated=true&limit=%d&offset=%d%s", pageSize, len(seen), status)
		got := r.send(ctx, http.MethodGet, query, apiVersion, "")
		if err := got.failure(); err != nil {
			return got.wait(), err
		}
		if !got.ok() {
			return got.wait(), fmt.Errorf("list: %s", got)
		}
		before, data := len(seen), got.page().data
		for _, inv := range data {
			seen[inv.ID] = true
			if r.isOwn(inv) {
				r.made[inv.ID] = max(r.made[inv.ID], pending)
			}
		}
		if len(seen) == before || r.isBefore(data) {
			return 0, nil
		}
	}
}

// isBefore reports whether no later page can have an invitation of the run, because this page
// reaches back to before the run, or is shorter than any cap that a page may have.
func (r *run) isBefore(data []invitation) bool {
	const clocks = 10 * time.Minute // the most that two clocks may differ
	oldest := data[len(data)-1].created()
	return !r.start.IsZero() && (oldest.Before(r.start.Add(-clocks)) || len(data) < pageSize/10)
}

// endLink revokes an invitation that may be pending, as it is one of the questions whether
// deleting an invitation ends its link.
func (r *run) endLink(ctx context.Context, id string) reply {
	if r.made[id] != pending {
		return reply{}
	}
	got := r.send(ctx, http.MethodPost, "/invitations/"+url.PathEscape(id)+"/revoke", apiVersion, "")
	if got.failure() == nil {
		r.made[id] = revoked // or refused, as it is no longer pending
	}
	return got
}

func (r *run) erase(ctx context.Context, id string) reply {
	if r.made[id] != revoked {
		return reply{}
	}
	got := r.send(ctx, http.MethodDelete, "/invitations/"+url.PathEscape(id), apiVersion, "")
	switch {
	case got.failure() != nil:
	case got.ok() || got.status == http.StatusNotFound || got.code() == "resource_not_found":
		r.made[id] = gone
	default:
		r.made[id] = kept
		r.refusal = got
	}
	return got
}
