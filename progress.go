package clerk

import (
	"fmt"
	"io"
	"time"

	"github.com/clerk-invitations/clerk-go/internal/redact"
)

// A Progress describes how far a run of CreateAll is.
type Progress struct {
	// Listed counts the existing invitations that were read.
	Listed int
	// Taken counts the requests that were read.
	Taken int
	// Created, AlreadyInvited, UserExists, Rejected, Repeated and Unknown count the results
	// by their outcome.
	Created, AlreadyInvited, UserExists, Rejected, Repeated, Unknown int
	// WaitUntil is the end of the wait that has begun; zero if there is none.
	WaitUntil time.Time
	// WaitFor is the operation whose limit is waited for, OperationCreate or
	// OperationBulkCreate, whichever is available first. It is empty for other waits.
	WaitFor Operation
	// Cause is the failure after which the run waits; nil for other waits.
	Cause error

	at        time.Time // of this progress
	available int       // invitations that can be created now
	renewed   time.Time // when there are more
	budget    Budget
}

// counter returns the count of an outcome.
func (p *Progress) counter(outcome Outcome) *int {
	return [...]*int{
		OutcomeCreated: &p.Created, OutcomeAlreadyInvited: &p.AlreadyInvited, OutcomeUserExists: &p.UserExists,
		OutcomeRejected: &p.Rejected, OutcomeRepeated: &p.Repeated, OutcomeUnknown: &p.Unknown,
	}[outcome]
}

// Done returns how many requests have a result.
func (p Progress) Done() int {
	return p.Created + p.AlreadyInvited + p.UserExists + p.Rejected + p.Repeated + p.Unknown
}

// EstimateEnd returns about when a run of total requests ends, if no more of them are
// skipped, none fails, and nobody else uses the limits. For a resumed run it is too late
// until the addresses that were invited before have passed.
func (p Progress) EstimateEnd(total int) time.Time {
	rest, each := total-p.Done()-p.available, p.budget.BulkCreates*MaxBulkInvitations+p.budget.Creates
	if rest <= 0 || each == 0 {
		return p.at
	}
	windows := (rest + each - 1) / each
	return p.renewed.Add(time.Duration(windows-1) * p.budget.Window)
}

// Format writes the counts and the wait for every verb.
func (p Progress) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "clerk.Progress{listed=%d taken=%d created=%d already_invited=%d user_exists=%d rejected=%d repeated=%d unknown=%d",
		p.Listed, p.Taken, p.Created, p.AlreadyInvited, p.UserExists, p.Rejected, p.Repeated, p.Unknown)
	if !p.WaitUntil.IsZero() {
		_, _ = fmt.Fprintf(s, " wait_until=%s wait_for=%s", p.WaitUntil.UTC().Format(time.RFC3339), p.WaitFor)
	}
	if p.Cause != nil {
		_, _ = fmt.Fprintf(s, " cause=%q", redact.Line(p.Cause.Error()))
	}
	_, _ = io.WriteString(s, "}")
}
