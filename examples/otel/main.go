// Command otel records spans and metrics of calls and attempts with OpenTelemetry. It
// runs against the fake of package clerktest, and prints what it would export.
//
// A call has a span, and each of its attempts has a child span. Spans and metrics contain the
// operation, the route and the attempt, and no URL: the query of a lookup contains an address,
// so an instrumentation that records URLs, such as otelhttp, exports it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "otel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	// A service sets up exporters here, such as those for OTLP.
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))

	fake := clerktest.New()
	invitations, err := NewInvitations(fake.SecretKey(), fake, tracers, meters)
	if err != nil {
		return err
	}
	// The first response is lost: the library looks up what the request did.
	fake.Fail(clerk.OperationCreate, clerktest.FaultDropAfter)
	if _, err := invitations.Create(ctx, clerk.CreateInvitationRequest{EmailAddress: "ada@example.com"}); err != nil {
		return err
	}
	team := []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}, {EmailAddress: "grace@example.com"}}
	for _, err := range invitations.CreateAll(ctx, slices.Values(team)) {
		if err != nil {
			return err
		}
	}
	for _, span := range spans.GetSpans() {
		fmt.Fprintln(out, "span  ", span.Name, span.Status.Code, text(span.Attributes))
	}
	return printMetrics(ctx, out, reader)
}

func printMetrics(ctx context.Context, out io.Writer, reader sdkmetric.Reader) error {
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &metrics); err != nil {
		return err
	}
	var lines []string
	for _, metric := range metrics.ScopeMetrics[0].Metrics {
		switch data := metric.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				lines = append(lines, fmt.Sprintln("metric", metric.Name, point.Count, text(point.Attributes.ToSlice())))
			}
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				lines = append(lines, fmt.Sprintln("metric", metric.Name, point.Value, text(point.Attributes.ToSlice())))
			}
		}
	}
	slices.Sort(lines) // OpenTelemetry's order is not defined
	_, err := io.WriteString(out, strings.Join(lines, ""))
	return err
}

// text returns attributes in one line.
func text(attrs []attribute.KeyValue) string {
	var texts []string
	for _, attr := range attrs {
		texts = append(texts, fmt.Sprintf("%s=%q", attr.Key, attr.Value.String()))
	}
	return strings.Join(texts, " ")
}
