package main

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/clerk-invitations/clerk-go"
)

// Invitations provides the operations of a client, and records a span and a duration for each
// call. The spans of the call's attempts are its children.
type Invitations struct {
	service  *clerk.InvitationsService
	tracer   trace.Tracer
	duration metric.Float64Histogram
	results  metric.Int64Counter
}

// NewInvitations returns the operations of a new client. The options must not include
// clerk.WithHTTPClient: requests go through next, nil for the default.
func NewInvitations(secretKey string, next http.RoundTripper, tracers trace.TracerProvider, meters metric.MeterProvider, opts ...clerk.Option) (*Invitations, error) {
	if next == nil {
		next = http.DefaultTransport
	}
	const scope = "github.com/clerk-invitations/clerk-go/examples/otel"
	tracer, meter := tracers.Tracer(scope), meters.Meter(scope)
	attempts, err := meter.Float64Histogram("clerk.attempt.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of requests to Clerk, including retries and lookups."))
	if err != nil {
		return nil, err
	}
	calls, err := meter.Float64Histogram("clerk.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of calls, including waits."))
	if err != nil {
		return nil, err
	}
	results, err := meter.Int64Counter("clerk.create_all.results", metric.WithDescription("Results of CreateAll by outcome."))
	if err != nil {
		return nil, err
	}
	attempt := &transport{next, tracer, attempts}
	client, err := clerk.NewClient(secretKey, append(opts, clerk.WithHTTPClient(&http.Client{Transport: attempt}))...)
	if err != nil {
		return nil, err
	}
	return &Invitations{client.Invitations, tracer, calls, results}, nil
}

// Create creates an invitation.
func (s *Invitations) Create(ctx context.Context, req clerk.CreateInvitationRequest) (*clerk.Invitation, error) {
	return observe(ctx, s, "Create", func(ctx context.Context, meta clerk.CallOption) (*clerk.Invitation, error) {
		return s.service.Create(ctx, req, meta)
	})
}

// FindPending returns the pending invitation of an address.
func (s *Invitations) FindPending(ctx context.Context, emailAddress string) (*clerk.Invitation, error) {
	return observe(ctx, s, "FindPending", func(ctx context.Context, meta clerk.CallOption) (*clerk.Invitation, error) {
		return s.service.FindPending(ctx, emailAddress, meta)
	})
}

// Revoke revokes an invitation. The other operations are wrapped in the same way.
func (s *Invitations) Revoke(ctx context.Context, id string) (*clerk.Invitation, error) {
	return observe(ctx, s, "Revoke", func(ctx context.Context, meta clerk.CallOption) (*clerk.Invitation, error) {
		return s.service.Revoke(ctx, id, meta)
	})
}

// CreateAll invites many, and counts the results. A run can take days, so it has no span of
// its own: the spans of its attempts are children of the caller's span.
func (s *Invitations) CreateAll(ctx context.Context, requests iter.Seq[clerk.CreateInvitationRequest], opts ...clerk.CreateAllOption) iter.Seq2[clerk.CreateResult, error] {
	return func(yield func(clerk.CreateResult, error) bool) {
		for result, err := range s.service.CreateAll(ctx, requests, opts...) {
			if err == nil {
				s.results.Add(ctx, 1, metric.WithAttributes(attribute.String("clerk.outcome", result.Outcome.String())))
			}
			if !yield(result, err) {
				return
			}
		}
	}
}

// observe records a span and a duration for a call.
func observe[T any](ctx context.Context, s *Invitations, name string, call func(context.Context, clerk.CallOption) (T, error)) (T, error) {
	started := time.Now()
	ctx, span := s.tracer.Start(ctx, "clerk.Invitations."+name)
	defer span.End()
	var meta clerk.ResponseMeta
	result, err := call(ctx, clerk.WithResponse(&meta))
	attrs := []attribute.KeyValue{attribute.String("clerk.method", name)}
	if err != nil {
		attrs = append(attrs, attribute.String("error.type", callError(err)))
		span.SetStatus(codes.Error, callError(err))
	}
	s.duration.Record(ctx, time.Since(started).Seconds(), metric.WithAttributes(attrs...))
	span.SetAttributes(append(attrs, attribute.Int("clerk.attempts", meta.Attempts), attribute.String("clerk.trace_id", meta.TraceID))...)
	return result, err
}

// sentinels are the errors that have a type of their own. An error can match several, so those
// that say how certain the outcome is come first.
var sentinels = []struct {
	err  error
	kind string
}{
	{clerk.ErrOutcomeUnknown, "outcome_unknown"},
	{clerk.ErrNotSent, "not_sent"},
	{clerk.ErrInvalidRequest, "invalid_request"},
	{clerk.ErrDuplicateInvitation, "duplicate_invitation"},
	{clerk.ErrUserExists, "user_exists"},
	{clerk.ErrNotFound, "not_found"},
	{clerk.ErrAlreadyRevoked, "already_revoked"},
	{clerk.ErrAlreadyAccepted, "already_accepted"},
	{clerk.ErrRateLimited, "rate_limited"},
	{clerk.ErrUnauthorized, "unauthorized"},
}

// callError returns the type of a call's error, from a small set, as metrics need.
func callError(err error) string {
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel.err) {
			return sentinel.kind
		}
	}
	return "other"
}
