package clerk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
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
// have a pending or accepted one. So an interrupted run is resumed by calling CreateAll
// again with the same requests; see [WithSkipSince] for requests with IgnoreExisting.
// Two runs at the same time with the same addresses are not safe with IgnoreExisting.
//
// It reads requests as needed, in another goroutine, a few ahead of their results. Do not
// modify a request after it was yielded.
//
// When ctx ends, no further request is started. The one under way gets the attempt
// timeout to finish, and its results are yielded before the error: to stop without
// losing results, cancel ctx and let the loop finish. break discards them. The error
// matches [ErrOutcomeUnknown] if the outcome of a request is unknown. A wait that would
// outlast ctx's deadline is not started.
//
// A request that keeps failing while others succeed does not hold them up; it ends with
// [OutcomeRejected] or [OutcomeUnknown]. An outage is waited out, for up to a day,
// unless it lasts from the start. The run ends when Clerk does not accept the secret key, refuses
// everything (such as quota_exceeded), or reading the requests fails; see
// [WithSourceError]. RetryNone and RetryConnectionErrors do not apply.
//
// docs/inviting-many.md in the repository explains batching, limits and deployment.
func (s *InvitationsService) CreateAll(ctx context.Context, requests iter.Seq[CreateInvitationRequest], opts ...CreateAllOption) iter.Seq2[CreateResult, error] {
	c, cfg, err := s.beginCreateAll(requests, opts)
	return func(yield func(CreateResult, error) bool) {
		if err != nil {
			yield(CreateResult{}, invalid("", err))
			return
		}
		r := newRun(new(*c), cfg, requests, yield)
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
	c := s.begin("")
	cfg := createAllConfig{callConfig: &c.callConfig, budget: defaultBudget, sourceError: func() error { return nil }}
	err := applyAll(opts, func(o CreateAllOption) error { return o.applyToCreateAll(&cfg) })
	if err == nil && requests == nil {
		err = &InputError{"requests", "is nil"}
	}
	c.retry.Strategy, c.retry.RetryConnectionErrors, c.keepLimits = RetryBackoff, new(true), true
	return c, cfg, c.configured(err)
}

// A CreateResult is the result of one request to CreateAll. Formatted by package fmt or
// logged by log/slog, it shows neither address nor ticket URL.
type CreateResult struct {
	// Index is the position of the request, from 0.
	Index int
	// Request is the request.
	Request CreateInvitationRequest
	// Outcome says how it ended.
	Outcome Outcome
	// Invitation is the invitation that the run created; nil unless Outcome is
	// OutcomeCreated.
	Invitation *Invitation
	// Existing is the invitation that the address has already, for OutcomeAlreadyInvited
	// and OutcomeRepeated; nil if it is not known.
	Existing *ExistingInvitation
	// Err is the reason for OutcomeRejected and OutcomeUnknown, the error of the operation
	// that was called; nil for the others.
	Err error
}

// An ExistingInvitation is an invitation that a run has found.
type ExistingInvitation struct {
	// ID is the invitation's id, "inv_...".
	ID string
	// Status is its status when it was found, InvitationStatusPending or
	// InvitationStatusAccepted. After a duplicate_record it may be another one.
	Status InvitationStatus
}

// existing returns the invitation that the address has now; nil if it is not known.
func (r CreateResult) existing() *ExistingInvitation {
	if r.Invitation != nil {
		return &ExistingInvitation{r.Invitation.ID, r.Invitation.Status}
	}
	return r.Existing
}

// String returns what LogValue does, so without the address.
func (r CreateResult) String() string { return "clerk.CreateResult" + r.LogValue().String() }

// Format writes String for every verb.
func (r CreateResult) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue returns a group with index and outcome and, if set, invitation_id, status and
// error.
func (r CreateResult) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int("index", r.Index), slog.String("outcome", r.Outcome.String())}
	if inv := r.existing(); inv != nil {
		attrs = append(attrs, slog.String("invitation_id", inv.ID), slog.String("status", string(inv.Status)))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.String("error", redact.Line(r.Err.Error())))
	}
	return slog.GroupValue(attrs...)
}

// An Outcome says how a request to CreateAll ended.
type Outcome uint8

const (
	// OutcomeCreated means that this run created the invitation.
	OutcomeCreated Outcome = iota + 1
	// OutcomeAlreadyInvited means that the address had an invitation before, usually a
	// pending or an accepted one: see Existing.
	OutcomeAlreadyInvited
	// OutcomeUserExists means that the address belongs to a user.
	OutcomeUserExists
	// OutcomeRejected means that the request is invalid, or Clerk refused it; see Err.
	OutcomeRejected
	// OutcomeRepeated means that an earlier request of the same run has the address, and
	// its invitation was created.
	OutcomeRepeated
	// OutcomeUnknown means that the invitation may have been created. Its request kept
	// failing ambiguously while others succeeded; see Err.
	OutcomeUnknown
)

var outcomeTexts = map[Outcome]string{
	OutcomeCreated: "created", OutcomeAlreadyInvited: "already invited", OutcomeUserExists: "user exists",
	OutcomeRejected: "rejected", OutcomeRepeated: "repeated", OutcomeUnknown: "unknown",
}

// String returns the outcome in words, such as "already invited".
func (o Outcome) String() string {
	if text, ok := outcomeTexts[o]; ok {
		return text
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// A Budget is how many of Clerk's hourly requests a run of CreateAll uses.
//
// Clerk allows 100 creates and 25 bulk creates an hour for an instance (its "Rate
// limits" page), so 350 invitations. The default is 90 creates and 25 bulk creates, so
// 340 invitations; the rest is left to others, such as a request handler. The budget
// holds in any period of length Window, as Clerk does not document whether its hours are
// fixed or sliding. If others have used up the limit, Clerk returns status 429, and the
// run waits as long as Retry-After says.
type Budget struct {
	// Creates and BulkCreates are the requests in each Window. If one of them is 0, the
	// run makes no such requests.
	Creates, BulkCreates int
	// Window is the time that the limits apply to; an hour if 0.
	Window time.Duration
}

var defaultBudget = Budget{Creates: 90, BulkCreates: 25, Window: time.Hour}

// createAllConfig is the configuration of one run of CreateAll.
type createAllConfig struct {
	*callConfig

	budget      Budget
	skipSince   time.Time
	skipNone    bool
	sourceError func() error
	progress    []func(Progress)
}

// WithBudget sets how many of Clerk's hourly requests the run uses.
func WithBudget(budget Budget) CreateAllOption {
	budget.Window = cmp.Or(budget.Window, time.Hour)
	return createAllOption(func(c *createAllConfig) error {
		switch {
		case budget.Creates < 0 || budget.BulkCreates < 0 || budget.Window < 0:
			return &InputError{"WithBudget", "is negative"}
		case budget.Creates == 0 && budget.BulkCreates == 0:
			return &InputError{"WithBudget", "has neither creates nor bulk creates"}
		}
		c.budget = budget
		return nil
	})
}

// WithSkipSince skips only addresses that have an invitation created at since or later,
// by Clerk's clock. For requests with IgnoreExisting, set it to the time at which the
// campaign started, so that a resumed run recognizes its own invitations.
func WithSkipSince(since time.Time) CreateAllOption {
	return createAllOption(func(c *createAllConfig) error {
		c.skipSince, c.skipNone = since, false
		return nil
	})
}

// WithSkipNone lists nothing and skips no address. A run that is called again then sends
// every request again and, for those with IgnoreExisting, creates a second invitation.
// The last of WithSkipNone and [WithSkipSince] applies.
func WithSkipNone() CreateAllOption {
	return createAllOption(func(c *createAllConfig) error {
		c.skipNone = true
		return nil
	})
}

// WithSourceError reports read errors: when the requests have ended, the run calls
// failure, for example the Err method of a bufio.Scanner or an sql.Rows. An error ends
// the run after the results of all requests.
func WithSourceError(failure func() error) CreateAllOption {
	return createAllOption(func(c *createAllConfig) error {
		c.sourceError = failure
		return inputError("WithSourceError", check.NotNil(failure != nil))
	})
}

// WithProgress calls report before each result, when a wait begins, and after each page
// of existing invitations. It is called in the loop's goroutine and should return soon.
// Given several times, each report is called.
func WithProgress(report func(Progress)) CreateAllOption {
	return createAllOption(func(c *createAllConfig) error {
		c.progress = append(c.progress, report)
		return inputError("WithProgress", check.NotNil(report != nil))
	})
}
