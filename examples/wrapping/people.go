package main

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// People is the internal SDK. None of its exported methods uses a type of package clerk, so
// its users do not depend on that package, and it can be replaced.
type People struct {
	client *clerk.Client
	logger *slog.Logger
}

// An Invitation holds the fields that users of the SDK need.
type Invitation struct {
	ID        string
	Address   string
	ExpiresAt time.Time
}

// LogValue returns the id, not the address.
func (i Invitation) LogValue() slog.Value { return slog.GroupValue(slog.String("id", i.ID)) }

// The reasons of an Error, for errors.Is.
var (
	ErrKnown   = errors.New("people: the address has an invitation or an account")
	ErrInvalid = errors.New("people: the request is invalid")
	ErrBusy    = errors.New("people: too many invitations, try again later")
	ErrUnknown = errors.New("people: the person may have been invited, or not")
	ErrDown    = errors.New("people: inviting does not work")
)

// An Error is the error of every method. It wraps a reason, but not the error of package
// clerk. It keeps only that error's text, which contains no address.
type Error struct {
	Reason     error
	Text       string
	RetryAfter time.Duration // 0 if it is not known
}

// Error returns the reason and the text.
func (e *Error) Error() string { return e.Reason.Error() + ": " + e.Text }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

// NewPeople returns the SDK. Requests go through transport, nil for the default.
func NewPeople(secretKey string, transport http.RoundTripper, logger *slog.Logger) (*People, error) {
	if transport == nil {
		transport = http.DefaultTransport
	}
	client, err := clerk.NewClient(secretKey,
		clerk.WithAppName("people-sdk/2.1"),
		clerk.WithHTTPClient(&http.Client{Transport: &tracing{transport, logger}}),
		clerk.WithRetry(clerk.RetryConfig{Backoff: clerk.BackoffStrategy{MaxElapsedTime: 20 * time.Second}}),
	)
	if err != nil {
		return nil, wrapError(err)
	}
	return &People{client: client, logger: logger}, nil
}

// Invite invites an address.
func (p *People) Invite(ctx context.Context, address string) (Invitation, error) {
	inv, err := p.client.Invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: address})
	if err != nil {
		return Invitation{}, p.failed(ctx, err)
	}
	return invitationOf(inv), nil
}

// InviteAll invites everybody, for as long as it takes, and yields each address. The error is
// nil if the person has an invitation or an account. An error without an address comes last
// and means that the run ended early.
func (p *People) InviteAll(ctx context.Context, addresses iter.Seq[string]) iter.Seq2[string, error] {
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for address := range addresses {
			if !yield(clerk.CreateInvitationRequest{EmailAddress: address}) {
				return
			}
		}
	}
	return func(yield func(string, error) bool) {
		wait := clerk.WithProgress(func(progress clerk.Progress) {
			if !progress.WaitUntil.IsZero() {
				p.logger.InfoContext(ctx, "waiting", "until", progress.WaitUntil, "done", progress.Done())
			}
		})
		for result, err := range p.client.Invitations.CreateAll(ctx, requests, wait) {
			if err == nil {
				err = result.Err
			}
			if err != nil {
				err = p.failed(ctx, err)
			}
			if !yield(result.Request.EmailAddress, err) {
				return
			}
		}
	}
}

// failed logs an error of package clerk, and returns the SDK's error for it.
func (p *People) failed(ctx context.Context, err error) error {
	p.logger.WarnContext(ctx, "call failed", "error", err)
	return wrapError(err)
}

// wrapError returns the SDK's error for one of package clerk. The order matters, as an
// error can match several sentinels.
func wrapError(err error) error {
	reason := ErrDown
	switch {
	case errors.Is(err, clerk.ErrOutcomeUnknown):
		reason = ErrUnknown
	case errors.Is(err, clerk.ErrNotSent):
	case errors.Is(err, clerk.ErrDuplicateInvitation), errors.Is(err, clerk.ErrUserExists):
		reason = ErrKnown
	case errors.Is(err, clerk.ErrRateLimited):
		reason = ErrBusy
	case errors.Is(err, clerk.ErrInvalidRequest):
		reason = ErrInvalid
	}
	meta, _ := clerk.MetaFromError(err)
	return &Error{Reason: reason, Text: err.Error(), RetryAfter: meta.RetryAfter}
}

func invitationOf(inv *clerk.Invitation) Invitation {
	return Invitation{ID: inv.ID, Address: inv.EmailAddress, ExpiresAt: inv.ExpiresAt.Time()}
}
