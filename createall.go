package clerk

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"time"
)

// CreateAll makes an invitation for each of requests, however many, as fast as
// Clerk's hourly limits allow and for as long as it takes: by default 340 an hour,
// ten to a request where it can, one to a request besides (see [Share]). It gives a
// [CreateResult] for every request, as soon as it is known, which is not quite the
// order of the requests. An error is given once, last, with a zero CreateResult, and
// tells what has ended the run early.
//
// Before it sends anything, it lists the invitations that stand, and skips the
// addresses that have a pending or accepted one. So a run that ended early, for
// whatever reason, goes on when it is called again with the same requests. That also
// holds for requests with IgnoreExisting, unless [WithSkipSince] or [WithSkipNone]
// says otherwise.
//
// It reads requests as they are needed, in a goroutine of its own: where they come
// slowly, what has come goes out within a second or so, when no limit is in the way.
// The sequence is ended with the run, but one that blocks then only when it goes on. So
// let it watch a context, and share no variables with what follows the loop. Requests
// that were taken from it and have no result when the run ends early are lost for a
// source that cannot be read again. What a request holds must not change once it was
// given.
//
// No request to Clerk is spent on an address that can never be right, on metadata
// that cannot be JSON, or on an ExpiresInDays outside of 1 to 365; nor on an address
// that comes again: it has the outcome of the first, or OutcomeAlreadyInvited where
// that was created, and is tried itself only where the first was refused. In memory
// the run keeps some twenty requests, up to a hundred that repeat their addresses,
// and 16 bytes and a map's overhead for each address that it has been given or has
// listed.
//
// A bulk that Clerk refuses is taken apart until the request that is to blame is
// found, and the others go out. A write that may have happened is looked up, as in
// Create, and no result is given until its outcome is certain. The client's retries are
// those of one request, with its lookups; RetryNone and RetryConnectionErrors do not
// apply. An outage that is longer is waited out, but for one that lasts from the first
// request on. A request whose outcome stays unknown while others go through is tried
// again later, and ends the run with [ErrOutcomeUnknown] if that does not help.
//
// For an address that belongs to a user, IgnoreExisting works in single creates, but
// perhaps not in bulks (Clerk's document says both): where a run sends such a request in
// a bulk, its outcome can be OutcomeAlreadyUser.
//
// Breaking out of the loop ends the run at once; what the last request has made beyond
// the results that were given is not reported. When ctx ends, no further request is
// begun, but the one under way is given the attempt timeout to end in, and then its
// results come before the error: to stop without losing any, end ctx and let the loop
// go on. A wait that would not end before ctx's deadline is not begun.
//
// What else ends a run: a secret key that is not accepted, a refusal that is not about
// one request but about the instance (such as quota_exceeded) or has no reason that can
// be read, options that cannot be right, and what [WithSourceError] tells.
func (s *InvitationsService) CreateAll(ctx context.Context, requests iter.Seq[CreateInvitationRequest], opts ...CallOption) iter.Seq2[CreateResult, error] {
	cfg := *s.client.forCall(opts)
	return func(yield func(CreateResult, error) bool) {
		r := newRun(s, cfg, yield)
		if err := r.start(ctx, requests); err != nil && !r.stopped {
			yield(CreateResult{}, err)
		}
	}
}

// A CreateResult is what came of one request to CreateAll.
//
// Formatted with package fmt, or logged by itself with log/slog, it shows neither
// address nor ticket URL.
type CreateResult struct {
	// Index is the request's place among the requests, from 0 on.
	Index int
	// Request is the request.
	Request CreateInvitationRequest
	// Outcome is what came of it.
	Outcome Outcome
	// Invitation is the invitation that was made; nil unless Outcome is
	// OutcomeCreated. FindPending gives one that stood before.
	Invitation *Invitation
	// Err is why Clerk, or the library, refused the request; nil unless Outcome is
	// OutcomeRefused. It is as Create returns it.
	Err error
}

// String returns the result without the address.
func (r CreateResult) String() string {
	s := fmt.Sprintf("clerk.CreateResult{%d %s", r.Index, r.Outcome)
	if r.Invitation != nil {
		s += " " + r.Invitation.ID
	}
	if r.Err != nil {
		s += " " + oneLine(r.Err.Error())
	}
	return s + "}"
}

// Format writes String, whatever the verb.
func (r CreateResult) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, r.String()) }

// LogValue makes log/slog log String.
func (r CreateResult) LogValue() slog.Value { return slog.StringValue(r.String()) }

// An Outcome is what came of a request to CreateAll.
type Outcome uint8

const (
	// OutcomeCreated says that the invitation was made, by this run.
	OutcomeCreated Outcome = iota + 1
	// OutcomeAlreadyInvited says that a pending or accepted invitation for the address stood
	// before, or an earlier request of the run had the same address.
	OutcomeAlreadyInvited
	// OutcomeAlreadyUser says that the address belongs to a user.
	OutcomeAlreadyUser
	// OutcomeRefused says that the request cannot be right, or Clerk refused it; the result's
	// Err says why.
	OutcomeRefused
)

// String returns "created", "already invited", "already a user" or "refused".
func (o Outcome) String() string {
	switch o {
	case OutcomeCreated:
		return "created"
	case OutcomeAlreadyInvited:
		return "already invited"
	case OutcomeAlreadyUser:
		return "already a user"
	case OutcomeRefused:
		return "refused"
	}
	return "unknown"
}

// A Share is how much of Clerk's limits on creating a run of CreateAll takes. Clerk
// takes 100 single creates and 25 bulk creates an hour from an instance (its "Rate
// limits" page), so 350 invitations at the most.
//
// The default is all 25 bulks and 90 of the single creates, so 340 invitations an
// hour; the rest is left to others, such as a request handler that invites one person
// at a time. A run makes no more than its share in any hour, whenever that begins. So
// it is as fast as its share allows, and within it, whether Clerk counts by fixed hours
// or by the last 60 minutes, which is not documented. Where others have used up what is
// in the share, Clerk refuses a request with status 429, and the run waits for as long
// as the response says.
type Share struct {
	// Creates is how many single creates a run makes in each Per, Bulks how many bulk
	// creates. One of them may be 0, and such requests are then not made.
	Creates, Bulks int
	// Per is the time that the limits are for; an hour when 0.
	Per time.Duration
}

// defaultShare is all bulks, and nine tenths of the single creates.
var defaultShare = Share{Creates: 90, Bulks: 25, Per: time.Hour}

// WithShare sets how much of Clerk's limits a run of
// [InvitationsService.CreateAll] takes. Other operations refuse it.
func WithShare(share Share) CallOption {
	setDefault(&share.Per, time.Hour)
	return onlyFor("CreateAll", func(c *config) error {
		switch {
		case share.Creates < 0 || share.Bulks < 0 || share.Per < 0:
			return fieldError{"share", "is negative"}
		case share.Creates == 0 && share.Bulks == 0:
			return fieldError{"share", "has neither creates nor bulks"}
		}
		c.run.share = share
		return nil
	})
}

// WithSkipSince has [InvitationsService.CreateAll] skip only those addresses that have
// an invitation made at since or later, by Clerk's clock. For requests with
// IgnoreExisting it tells the invitations of the same campaign, begun at since, from
// older ones. Other operations refuse it.
func WithSkipSince(since time.Time) CallOption {
	return onlyFor("CreateAll", func(c *config) error {
		c.run.skipSince, c.run.skipNone = since, false
		return nil
	})
}

// WithSkipNone has [InvitationsService.CreateAll] list nothing and skip no address for
// what was made before. A run that is repeated then asks Clerk again for every
// request, and for those with IgnoreExisting makes a second invitation. Of WithSkipNone
// and [WithSkipSince] the last one counts. Other operations refuse it.
func WithSkipNone() CallOption {
	return onlyFor("CreateAll", func(c *config) error {
		c.run.skipNone = true
		return nil
	})
}

// WithSourceError has [InvitationsService.CreateAll] ask failure, once its requests
// have come to an end, whether they have failed, as bufio.Scanner's or sql.Rows' Err
// tells. Its error ends the run, after the requests that came before it have their
// results. Other operations refuse it.
func WithSourceError(failure func() error) CallOption {
	return onlyFor("CreateAll", func(c *config) error {
		if failure == nil {
			return fieldError{"source error", "is nil"}
		}
		c.run.sourceError = failure
		return nil
	})
}

// WithObserver has [InvitationsService.CreateAll] call observe whenever there is
// something new: before each result is given, when it begins to wait, and for each page
// of invitations listed. It is called in the goroutine of the loop and holds up the
// run. Of several observers each is called. Other operations refuse it.
func WithObserver(observe func(Progress)) CallOption {
	return onlyFor("CreateAll", func(c *config) error {
		if observe == nil {
			return fieldError{"observer", "is nil"}
		}
		if before := c.run.observe; before != nil {
			c.run.observe = func(p Progress) { before(p); observe(p) }
		} else {
			c.run.observe = observe
		}
		return nil
	})
}

// runOptions is what the options of CreateAll set.
type runOptions struct {
	share       Share // zero for the default
	skipSince   time.Time
	skipNone    bool
	sourceError func() error   // may be nil
	observe     func(Progress) // may be nil
}

// A Progress is how far a run of CreateAll has got.
type Progress struct {
	// Listed is how many invitations that stood before have been looked at.
	Listed int
	// Taken is how many requests have been taken from the source.
	Taken int
	// Created, AlreadyInvited, AlreadyUser and Refused are how many results there are
	// of each outcome.
	Created, AlreadyInvited, AlreadyUser, Refused int
	// WaitUntil is the end of the wait that has begun; zero when there is none.
	WaitUntil time.Time
	// WaitFor is the operation whose limit the run waits for: OperationCreate, or
	// OperationBulkCreate, whichever is free first. It is empty when there is no wait,
	// and when it is for Cause.
	WaitFor Operation
	// Cause is the failure after which the run waits before it goes on; nil when
	// there is no wait, and when it is for a limit.
	Cause error

	at      time.Time     // of this
	free    int           // how many invitations can be made now
	renewed time.Time     // when there are more
	share   int           // how many more, at most
	per     time.Duration // and how often
}

// count takes in a result.
func (p *Progress) count(outcome Outcome) {
	switch outcome {
	case OutcomeCreated:
		p.Created++
	case OutcomeAlreadyInvited:
		p.AlreadyInvited++
	case OutcomeAlreadyUser:
		p.AlreadyUser++
	case OutcomeRefused:
		p.Refused++
	}
}

// Done is how many requests have a result.
func (p Progress) Done() int { return p.Created + p.AlreadyInvited + p.AlreadyUser + p.Refused }

// EstimateEnd is about when a run of total requests comes to its end, if no further
// one is skipped, none fails, and nobody else, nor an earlier run, has used the limits
// that its share is of. In a run that goes on it is too late until those that were
// invited before have passed.
func (p Progress) EstimateEnd(total int) time.Time {
	rest := total - p.Done() - p.free
	if rest <= 0 || p.share == 0 {
		return p.at
	}
	windows := (rest + p.share - 1) / p.share
	return p.renewed.Add(time.Duration(windows-1) * p.per)
}

// Format writes the counts and the wait, whatever the verb.
func (p Progress) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerk.Progress{listed=%d taken=%d created=%d already_invited=%d already_user=%d refused=%d",
		p.Listed, p.Taken, p.Created, p.AlreadyInvited, p.AlreadyUser, p.Refused)
	if !p.WaitUntil.IsZero() {
		_, _ = fmt.Fprintf(s, " wait_until=%s wait_for=%s", p.WaitUntil.UTC().Format(time.RFC3339), p.WaitFor)
	}
	if p.Cause != nil {
		_, _ = fmt.Fprintf(s, " cause=%q", oneLine(p.Cause.Error()))
	}
	_, _ = io.WriteString(s, "}")
}
