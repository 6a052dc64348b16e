package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/clerk-invitations/clerk-go"
)

// A transport records a span and a duration for each attempt: a request to Clerk,
// including retries and lookups. It uses the request's route, never its URL, whose query
// may contain an address.
type transport struct {
	next     http.RoundTripper
	tracer   trace.Tracer
	duration metric.Float64Histogram
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	info, ok := clerk.RequestInfoFromContext(req.Context())
	if !ok {
		return t.next.RoundTrip(req)
	}
	attrs := []attribute.KeyValue{
		attribute.String("clerk.operation", string(info.Operation)),
		attribute.String("clerk.route", info.Route),
	}
	started := time.Now()
	ctx, span := t.tracer.Start(req.Context(), info.Route, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attrs...), trace.WithAttributes(attribute.Int("clerk.attempt", info.Attempt)))
	end := func(status int, err error) {
		if status != 0 {
			attrs = append(attrs, attribute.Int("http.response.status_code", status))
		}
		if kind := attemptError(status, err); kind != "" {
			attrs = append(attrs, attribute.String("error.type", kind))
			span.SetStatus(codes.Error, kind)
		}
		span.SetAttributes(attrs...)
		span.End()
		t.duration.Record(ctx, time.Since(started).Seconds(), metric.WithAttributes(attrs...))
	}
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		end(0, err)
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, end: func(err error) { end(resp.StatusCode, err) }}
	return resp, nil
}

// attemptError returns the type of an attempt's failure, "" for a success. It is the type
// of err, not its text, which may contain a URL.
func attemptError(status int, err error) string {
	switch {
	case err != nil:
		return fmt.Sprintf("%T", err)
	case status >= http.StatusBadRequest:
		return strconv.Itoa(status)
	}
	return ""
}

// A body calls end with the error of reading it when it is closed.
type body struct {
	io.ReadCloser

	end func(error)
	err error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func (b *body) Close() error {
	if b.end != nil {
		b.end(b.err)
		b.end = nil
	}
	return b.ReadCloser.Close()
}
