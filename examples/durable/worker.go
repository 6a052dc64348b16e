package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/clerk-invitations/clerk-go"
)

// A worker carries out jobs: it invites those of a batch who have no result yet. It may be
// killed at any time, and the job is then run again: CreateAll finds what stands.
type worker struct {
	river.WorkerDefaults[batch]

	store  *store
	clerk  *clerk.Client
	timing timing
	log    *slog.Logger
}

// Work carries out a job, or what is left of it. Where a limit is in the way, the job is
// snoozed, and where Clerk fails, River tries it again, later and later. A refusal that is
// about the instance, such as that of a key, stops all jobs.
func (w *worker) Work(ctx context.Context, running *river.Job[batch]) error {
	begun := time.Now()
	places, err := w.store.limit.look(ctx)
	if err != nil {
		return err
	}
	if wait := w.store.limit.wait(places); wait > 0 {
		return river.JobSnooze(wait)
	}
	j, err := decode(running.JobRow)
	if err != nil {
		return river.JobCancel(err)
	}
	wait, failure := w.invite(ctx, &j)
	passed := time.Now().Round(0).Sub(begun.Round(0)) // also while the machine was asleep
	if passed > w.timing.job || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the job took %s, and may be another worker's by now", passed.Round(time.Second))
	}
	if errors.Is(failure, clerk.ErrOutcomeUnknown) {
		for _, r := range j.unsettled() {
			j.results[r.Line] = result{Line: r.Line, Outcome: inDoubt, Problem: failure.Error()}
		}
	}
	results := slices.SortedFunc(maps.Values(j.results), func(a, b result) int { return a.Line - b.Line })
	if err := river.RecordOutput(ctx, results); err != nil {
		return err
	}
	return w.verdict(ctx, &j, wait, failure)
}

// verdict is what River is to do with a job that has come to an end.
func (w *worker) verdict(ctx context.Context, j *job, wait clerk.Progress, failure error) error {
	longest := w.store.limit.share.Window
	refusal, _ := errors.AsType[*clerk.SDKError](failure)
	switch {
	case failure == nil:
		return nil
	case errors.Is(failure, clerk.ErrOutcomeUnknown): // soon, to find it out
	case !wait.WaitUntil.IsZero() && wait.Cause == nil: // for a limit
		return river.JobSnooze(min(max(0, time.Until(wait.WaitUntil)), longest))
	case refusal != nil && errors.Is(failure, clerk.ErrRateLimited): // of listing
		return river.JobSnooze(min(max(refusal.RetryAfter, time.Second), longest))
	case refusal != nil && isRefusal(refusal.StatusCode):
		return w.stop(ctx, failure)
	}
	failure = cmp.Or(wait.Cause, failure)
	w.log.Warn("not all of a job could be sent; it is tried again later",
		"campaign", j.Campaign, "line", j.Line, "attempt", j.row.Attempt, "error", failure)
	return failure
}

// isRefusal reports whether a status is about the request, so that the same one will meet
// it again. CreateAll ends with one that is about no row, but all of them.
func isRefusal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// stop stops all jobs. This one goes on when they do.
func (w *worker) stop(ctx context.Context, refusal error) error {
	reason := fmt.Sprintf("Clerk refuses all requests: %s", refusal)
	if errors.Is(refusal, clerk.ErrUnauthorized) {
		reason = "Clerk does not take the secret key: " + refusal.Error()
	}
	w.log.Error("stopped, for all workers, until \"durable resume\"", "reason", reason)
	if err := w.store.stop(ctx, reason); err != nil {
		return errors.Join(refusal, err)
	}
	return river.JobSnooze(time.Second)
}

// invite invites the people of a job who have no result, and adds theirs. It does not
// wait: it ends where CreateAll begins to, and gives that wait.
func (w *worker) invite(ctx context.Context, j *job) (wait clerk.Progress, failure error) {
	rows := j.unsettled()
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for _, r := range rows {
			if !yield(r.Request) {
				return
			}
		}
	}
	sending, end := withoutDeadline(ctx)
	defer end()
	observe := func(p clerk.Progress) {
		if !p.WaitUntil.IsZero() {
			wait = p
			end()
		}
	}
	for made, err := range w.clerk.Invitations.CreateAll(sending, requests, clerk.WithBudget(w.store.limit.share), clerk.WithProgress(observe)) {
		if err != nil {
			return wait, err
		}
		r, err := w.resultOf(ctx, rows[made.Index].Line, j, made)
		if err != nil { // the others have results all the same, and it is no reason to stop
			failure = errors.New("an invitation stands, but could not be looked up: " + err.Error())
			continue
		}
		j.results[r.Line] = r
	}
	return wait, failure
}

// withoutDeadline is a context that ends with ctx, but does not tell when that is: a run of
// CreateAll does not begin a wait that its deadline does not hold, and tells its observer of
// none.
func withoutDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	other, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return other, func() { stop(); cancel() }
}

// resultOf is the result of a row. Where the job was begun before, and failed or was lost,
// an invitation that stands is its own if it is younger than the job.
func (w *worker) resultOf(ctx context.Context, line int, j *job, made clerk.CreateResult) (result, error) {
	r := result{Line: line, Outcome: made.Outcome.String()}
	switch {
	case made.Invitation != nil:
		r.InvitationID = made.Invitation.ID
	case made.Err != nil:
		r.Problem = made.Err.Error()
	case made.Outcome == clerk.OutcomeAlreadyInvited:
		wasSent := len(j.row.Errors) > 0 || j.results[line].Outcome == inDoubt
		inv, err := w.standing(ctx, made.Request.EmailAddress)
		switch {
		case inv == nil && wasSent: // it depends on its age what is reported
			return r, cmp.Or(err, errors.New("it is not listed"))
		case inv == nil:
			return r, nil
		}
		r.InvitationID = inv.ID
		if wasSent && inv.CreatedAt >= clerk.UnixMilli(j.row.CreatedAt.UnixMilli()) {
			r.Outcome = clerk.OutcomeCreated.String()
		}
	}
	return r, nil
}

// standing is the newest invitation of an address; nil when none is found.
func (w *worker) standing(ctx context.Context, address string) (*clerk.Invitation, error) {
	all := w.clerk.Invitations.All(ctx, clerk.ListInvitationsRequest{Query: address, OrderBy: clerk.OrderByCreatedAtDesc})
	for inv, err := range all {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(inv.EmailAddress, address) {
			return &inv, nil
		}
	}
	return nil, nil
}

// A timing is how long jobs may take. A worker that is killed leaves its jobs behind; River
// gives them to another once they have run for rescueAfter.
type timing struct {
	job, rescueAfter time.Duration
	retry            river.ClientRetryPolicy // nil for River's own
}

var usualTiming = timing{job: 2 * time.Minute, rescueAfter: 5 * time.Minute}

// usualShare leaves a tenth of the single creates to others.
var usualShare = clerk.Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}

// newClient makes a client that keeps within the limit, and leaves it to River to wait for
// a Clerk that fails.
func newClient(secretKey string, l *limit, opts ...clerk.Option) (*clerk.Client, error) {
	return clerk.NewClient(secretKey, append([]clerk.Option{
		clerk.WithAppName("durable"),
		clerk.WithHTTPClient(&http.Client{Transport: l}),
		clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 20 * time.Second}}),
	}, opts...)...)
}

// newWorker makes a River client that works on the campaigns of the store.
func newWorker(s *store, client *clerk.Client, t timing, logger *slog.Logger) (jobClient, error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{store: s, clerk: client, timing: t, log: logger}); err != nil {
		return nil, err
	}
	return s.db.newClient(&river.Config{
		Logger:               logger,
		Workers:              workers,
		Queues:               map[string]river.QueueConfig{s.instance: {MaxWorkers: 4}},
		JobTimeout:           t.job,
		RescueStuckJobsAfter: t.rescueAfter,
		RetryPolicy:          t.retry,
		// What is known of a campaign is kept, for its report and so that it is not sent again.
		CompletedJobRetentionPeriod: -1,
		CancelledJobRetentionPeriod: -1,
		DiscardedJobRetentionPeriod: -1,
	})
}
