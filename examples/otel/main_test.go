package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// The name contains letters that no hexadecimal id contains.
var ada = clerk.CreateInvitationRequest{EmailAddress: "lovelace@example.com", PublicMetadata: map[string]any{"name": "lovelace"}}

// A telemetry keeps the exported data.
type telemetry struct {
	spans   *tracetest.InMemoryExporter
	reader  *sdkmetric.ManualReader
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
}

func newTelemetry() *telemetry {
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	return &telemetry{
		spans, reader,
		sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	}
}

func (o *telemetry) connect(t *testing.T, next http.RoundTripper, opts ...clerk.Option) *Invitations {
	t.Helper()
	invitations, err := NewInvitations(clerktest.SecretKey, next, o.tracers, o.meters, opts...)
	require.NoError(t, err)
	return invitations
}

// exported returns all exported data as text.
func (o *telemetry) exported(t *testing.T) string {
	t.Helper()
	var metrics metricdata.ResourceMetrics
	require.NoError(t, o.reader.Collect(t.Context(), &metrics))
	spans, err := json.Marshal(o.spans.GetSpans())
	require.NoError(t, err)
	points, err := json.Marshal(metrics)
	require.NoError(t, err)
	return string(spans) + string(points) + fmt.Sprintf("%+v %+v", o.spans.GetSpans(), metrics)
}

func TestAttemptsAreChildrenOfTheirCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := clerktest.New(), newTelemetry()
		fake.Fail(clerk.OperationCreate, clerktest.FaultTruncateAfter)
		fake.Fail(clerk.OperationList, clerktest.FaultErrorBefore)
		_, err := o.connect(t, fake).Create(t.Context(), ada)
		require.NoError(t, err)
		spans := o.spans.GetSpans()
		require.Len(t, spans, 4)
		call := spans[3]
		require.Equal(t, "clerk.Invitations.Create", call.Name)
		require.Contains(t, call.Attributes, attribute.Int("clerk.attempts", 3))
		for i, want := range []struct {
			name          string
			attempt, code int
			status        codes.Code
		}{
			{"POST /invitations", 1, 200, codes.Error}, // the body is cut off
			{"GET /invitations", 1, 500, codes.Error},
			{"GET /invitations", 2, 200, codes.Unset},
		} {
			require.Equal(t, want.name, spans[i].Name)
			require.Equal(t, call.SpanContext.SpanID(), spans[i].Parent.SpanID())
			require.Contains(t, spans[i].Attributes, attribute.Int("clerk.attempt", want.attempt))
			require.Contains(t, spans[i].Attributes, attribute.Int("http.response.status_code", want.code))
			require.Equal(t, want.status, spans[i].Status.Code)
		}
	})
}

// failing is a transport whose error contains all secrets.
type failing struct{}

func (failing) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Err: errors.New(req.URL.String() + req.Header.Get("Authorization") + "ada@example.com")}
}

// TestNothingSecretIsExported: writes and lookups meet every fault, and errors of every kind.
func TestNothingSecretIsExported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTelemetry()
		for _, fault := range clerktest.AllFaults() {
			for _, operation := range []clerk.Operation{clerk.OperationCreate, clerk.OperationList, clerk.OperationRevoke, clerk.OperationBulkCreate} {
				fake := clerktest.New()
				fake.Fail(operation, fault, fault)
				useAll(t.Context(), o.connect(t, fake))
			}
		}
		useAll(t.Context(), o.connect(t, failing{}))
		useAll(t.Context(), o.connect(t, clerktest.New(clerktest.WithSecretKey("sk_test_another"))))
		withUser := clerktest.New()
		withUser.AddUser(ada.EmailAddress)
		useAll(t.Context(), o.connect(t, withUser))
		unknown := clerktest.New()
		unknown.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		useAll(t.Context(), o.connect(t, unknown, clerk.WithRetry(clerk.RetryConfig{Strategy: clerk.RetryNone})))

		exported := o.exported(t)
		expected := []string{
			"outcome_unknown", "not_sent", "invalid_request", "duplicate_invitation", "user_exists", "not_found", "already_revoked",
			"unauthorized", "GET /invitations", "POST /invitations/bulk", "POST /invitations/{invitation_id}/revoke",
		}
		require.Equal(t, expected, found(exported, expected...))
		require.Empty(t, found(exported, "lovelace", "@", "%40", "example.com", "query", "sk_", "Bearer", "ticket", "://", "inv_"))
	})
}

// found returns which of the texts are in s, which is too long to print.
func found(s string, texts ...string) []string {
	return slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return !strings.Contains(s, text) })
}

// useAll makes all calls. Whether they succeed depends on the transport, so their results do
// not matter.
func useAll(ctx context.Context, s *Invitations) {
	if inv, err := s.Create(ctx, ada); err == nil {
		_, _ = s.Revoke(ctx, inv.ID)
		_, _ = s.Revoke(ctx, inv.ID)
	}
	_, _ = s.Create(ctx, ada)
	_, _ = s.Create(ctx, ada) // a duplicate
	_, _ = s.Create(ctx, clerk.CreateInvitationRequest{})
	_, _ = s.FindPending(ctx, ada.EmailAddress)
	_, _ = s.FindPending(ctx, "nobody@example.com")
	_, _ = s.Revoke(ctx, "inv_nobody")
	tagged := clerk.CreateInvitationRequest{EmailAddress: "lovelace+tag@example.com"}
	for result, err := range s.CreateAll(ctx, slices.Values([]clerk.CreateInvitationRequest{ada, tagged, tagged})) {
		_, _ = result, err
	}
}

// TestOtelhttpExportsTheAddress shows why URLs are not recorded: with plain otelhttp, the
// lookup after a lost response exports the address.
func TestOtelhttpExportsTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := clerktest.New(), newTelemetry()
		fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
		plain := otelhttp.NewTransport(fake, otelhttp.WithTracerProvider(o.tracers), otelhttp.WithMeterProvider(o.meters))
		client, err := fake.Client(clerk.WithHTTPClient(&http.Client{Transport: plain}))
		require.NoError(t, err)
		_, err = client.Invitations.Create(t.Context(), ada)
		require.NoError(t, err)
		var urls []string
		for _, span := range o.spans.GetSpans() {
			for _, attr := range span.Attributes {
				if attr.Key == "url.full" {
					urls = append(urls, attr.Value.AsString())
				}
			}
		}
		require.Contains(t, strings.Join(urls, "\n"), "query=lovelace%40example.com")
	})
}

func TestOtherRequestsAreNotRecorded(t *testing.T) {
	o := newTelemetry()
	attempts, err := o.meters.Meter("").Float64Histogram("clerk.attempt.duration")
	require.NoError(t, err)
	client := &http.Client{Transport: &transport{clerktest.New(), o.tracers.Tracer(""), attempts}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/invitations?query=ada", http.NoBody)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Empty(t, o.spans.GetSpans())
}

func TestResultsAreCountedByOutcome(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	for _, line := range []string{
		`metric clerk.create_all.results 1 clerk.outcome="created"`,
		`metric clerk.create_all.results 1 clerk.outcome="already invited"`,
		`metric clerk.call.duration 1 clerk.method="Create"`,
	} {
		require.Contains(t, out.String(), line+"\n")
	}
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "$ go run -C examples/otel .\n"+out.String()+"```\n")
}
