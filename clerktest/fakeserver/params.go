package fakeserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
	"github.com/clerk-invitations/clerk-go/clerktest"
)

// decode reads the parameters of a request, JSON or a form, into v.
func decode(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return errors.New("the request body is incomplete or too large")
	}
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] != '{' {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return errors.New("the request body is neither a JSON object nor a form")
		}
		if body, err = marshalForm(fromForm(form)); err != nil {
			return err
		}
	}
	if len(body) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("the request body is invalid: %w", err)
	}
	return nil
}

// fromForm makes a JSON object from a form. Fields that are empty become null, which sets
// nothing, except the behavior, whose empty text means the one that is assumed.
func fromForm(form url.Values) map[string]any {
	object := map[string]any{}
	for name, values := range form {
		switch {
		case values[0] == "" && name != "behavior":
			object[name] = nil
		case name == "faults" || name == "operations" || name == "email_addresses":
			object[name] = values
		case name == "share" || name == "seed" || name == "status" || name == "count" || name == "expires_in_days":
			object[name] = json.Number(values[0])
		case name == "public_metadata":
			object[name] = json.RawMessage(values[0])
		case name == "after" || name == "empty_body" || name == "sliding" || name == "notify" || name == "ignore_existing":
			object[name] = values[0] != "false"
		default:
			object[name] = values[0]
		}
	}
	return object
}

// marshalForm returns the JSON of an object from a form. Its error names the first field that
// has none.
func marshalForm(object map[string]any) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, err := json.Marshal(object[name]); err == nil {
			continue
		}
		if _, ok := object[name].(json.Number); ok {
			return nil, fmt.Errorf("the field %s is not a number", name)
		}
		return nil, fmt.Errorf("the field %s is not JSON", name)
	}
	return json.Marshal(object)
}

// A duration is a time.Duration, in JSON a text such as "1.5s".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 1.5s", text)
	}
	*d = duration(parsed)
	return nil
}

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// A responseParams is a clerktest.Response in JSON.
type responseParams struct {
	Status      int               `json:"status"`
	Code        clerk.ErrorCode   `json:"code"`
	ContentType string            `json:"content_type"`
	Body        string            `json:"body"`
	EmptyBody   bool              `json:"empty_body"`
	Headers     map[string]string `json:"headers"`
	RetryAfter  duration          `json:"retry_after"`
	Delay       duration          `json:"delay"`
	After       bool              `json:"after"`
}

// response returns the given response, and reports whether any was given.
func (r responseParams) response() (clerktest.Response, bool) {
	response := clerktest.Response{
		Status: r.Status, Code: r.Code, ContentType: r.ContentType, Body: r.Body, EmptyBody: r.EmptyBody,
		RetryAfter: time.Duration(r.RetryAfter), Delay: time.Duration(r.Delay), After: r.After,
	}
	if len(r.Headers) > 0 {
		response.Header = http.Header{}
	}
	for name, value := range r.Headers {
		response.Header.Set(name, value)
	}
	return response, !reflect.ValueOf(r).IsZero()
}

// A nextFault plans the failure of the next requests.
type nextFault struct {
	responseParams

	Operation    clerk.Operation `json:"operation"`
	EmailAddress string          `json:"email_address"` // empty for any
	Fault        clerktest.Fault `json:"fault"`
	Count        int             `json:"count"`
}

// A faultShare is a clerktest.FaultMix in JSON.
type faultShare struct {
	responseParams

	Share          *float64          `json:"share"`
	Seed           uint64            `json:"seed"`
	Faults         []clerktest.Fault `json:"faults"`
	Operations     []clerk.Operation `json:"operations"`
	EmailAddresses []string          `json:"email_addresses"`
}

// A rateLimit is a clerktest.Limit in JSON.
type rateLimit struct {
	Requests int      `json:"requests"`
	Per      duration `json:"per"`
}

// A rateLimits is a preset or clerktest.RateLimits in JSON.
type rateLimits struct {
	Preset   string    `json:"preset"`
	Creates  rateLimit `json:"creates"`
	Bulks    rateLimit `json:"bulks"`
	Requests rateLimit `json:"requests"`
	Sliding  bool      `json:"sliding"`
}

func (l rateLimits) limits() (clerktest.RateLimits, error) {
	if l.Preset != "" {
		limits, err := Limits(l.Preset)
		limits.Sliding = l.Sliding
		return limits, err
	}
	if l.Creates == (rateLimit{}) && l.Bulks == (rateLimit{}) && l.Requests == (rateLimit{}) {
		return clerktest.RateLimits{}, errors.New("give either a preset, or limits: creates, bulks, requests")
	}
	limit := func(l rateLimit) clerktest.Limit {
		return clerktest.Limit{Requests: l.Requests, Per: time.Duration(l.Per)}
	}
	return clerktest.RateLimits{
		Creates: limit(l.Creates), Bulks: limit(l.Bulks), Requests: limit(l.Requests), Sliding: l.Sliding,
	}, nil
}
