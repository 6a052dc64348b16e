package clerk

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/check"
	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// CreateAll creates an invitation for each request, as fast as Clerk's hourly limits
// allow and for as long as it takes: by default 340 an hour; see [WithBudget]. It yields
// a [CreateResult] for every request as soon as its outcome is known, not quite in the
// order of the requests. If the run ends early, it yields an error last.
//
// Before it sends anything, it lists the existing invitations and skips addresses that
// have a pending or accepted one. So to resume an interrupted run, call CreateAll again with
// the same requests; see [WithSkipSince] for requests with IgnoreExisting. With
// IgnoreExisting, do not run the same addresses twice at the same time.
//
// It reads requests as needed, in another goroutine, a few ahead of their results. Do not
// modify a request after it was yielded.
//
// When ctx ends, no further request is started. The request under way may take up to the
// attempt timeout, and its results are yielded before the error. To stop without losing
// results, cancel ctx and let the loop finish; break discards them. The error matches
// [ErrOutcomeUnknown] if the outcome of a request is unknown. A wait that would outlast ctx's
// deadline is not started.
//
// A request that keeps failing while others succeed does not hold them up; it ends with
// [OutcomeRejected] or [OutcomeUnknown]. An outage is waited out for up to a day; single
// creates test whether it is over. If Clerk is unavailable from the start, the run ends. It
// also ends if Clerk does not accept the secret key or refuses everything (as with
// quota_exceeded), or if reading the requests fails; see [WithSourceError]. RetryNone and
// RetryConnectionErrors do not apply.
//
// An open report says that bulks can lose metadata. If one does, the results of its requests
// have an [ErrMetadataLost], and from then on the run sends requests with metadata singly.
//
// docs/inviting-many.md in the repository explains batching, limits and deployment.
func (s *InvitationsService) CreateAll(ctx context.Context, requests iter.Seq[CreateInvitationRequest], opts ...CreateAllOption) iter.Seq2[CreateResult, error] {
	c, cfg, err := s.beginCreateAll(requests, opts)
	return func(yield func(CreateResult, error) bool) {
		if err != nil {
			yield(CreateResult{}, invalid("", err))
			return
		}
		r := newRun(c.anew(), cfg, requests, yield)
		err := r.loop(ctx)
		switch {
		case errors.Is(err, errStopped):
		case err != nil:
			yield(CreateResult{}, r.ended(err))
		default:
			if err := cfg.sourceError(); err != nil {
				yield(CreateResult{}, &SDKError{Message: "reading the requests failed: " + redact.Line(err.Error()), Err: err})
			}
		}
	}
}

func (s *InvitationsService) beginCreateAll(requests iter.Seq[CreateInvitationRequest], opts []CreateAllOption) (*call, createAllConfig, error) {
	c := newCall(s.config(), "")
	cfg := createAllConfig{callConfig: &c.callConfig, budget: defaultBudget, sourceError: func() error { return nil }}
	err := applyAll(opts, func(o CreateAllOption) error { return o.applyToCreateAll(&cfg) })
	if err == nil && requests == nil {
		err = &InputError{"requests", "is nil"}
	}
	c.retry.Strategy, c.retry.RetryConnectionErrors, c.keepLimits = RetryBackoff, new(true), true
	return c, cfg, c.configured(err)
}

// WithBudget sets how many of Clerk's hourly requests the run uses.
func WithBudget(budget Budget) CreateAllOption {
	budget.Window = cmp.Or(budget.Window, time.Hour)
	problem := ""
	switch {
	case budget.Creates < 0 || budget.BulkCreates < 0 || budget.Window < 0:
		problem = "is negative"
	case budget.Creates == 0 && budget.BulkCreates == 0:
		problem = "has neither creates nor bulk creates"
	}
	return createAllOption(setting("WithBudget", problem, func(c *createAllConfig) { c.budget = budget }))
}

// WithSkipSince skips only addresses that have an invitation created at since or later,
// by Clerk's clock. For requests with IgnoreExisting, set it to the time at which the
// campaign started, so that a resumed run recognizes its own invitations.
func WithSkipSince(since time.Time) CreateAllOption {
	return createAllOption(setting("WithSkipSince", "", func(c *createAllConfig) { c.skipSince, c.skipNone = since, false }))
}

// WithSkipNone lists nothing and skips no address. A run that is called again then sends
// every request again and, for those with IgnoreExisting, creates a second invitation.
// The last of WithSkipNone and [WithSkipSince] applies.
func WithSkipNone() CreateAllOption {
	return createAllOption(setting("WithSkipNone", "", func(c *createAllConfig) { c.skipNone = true }))
}

// WithSourceError reports read errors: when the requests have ended, the run calls failure,
// for example the Err method of a bufio.Scanner or an sql.Rows. If it returns an error, the
// run yields the results of all requests and then that error.
func WithSourceError(failure func() error) CreateAllOption {
	return createAllOption(setting("WithSourceError", check.NotNil(failure != nil), func(c *createAllConfig) { c.sourceError = failure }))
}

// WithProgress calls report before each result, when a wait begins, and after each page
// of existing invitations. It is called in the loop's goroutine and should return soon. If the
// option is given several times, each report is called.
func WithProgress(report func(Progress)) CreateAllOption {
	return createAllOption(setting("WithProgress", check.NotNil(report != nil), func(c *createAllConfig) {
		c.progress = append(c.progress, report)
	}))
}
