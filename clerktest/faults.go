package clerktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A Fault is something that goes wrong with a request. With faults whose names end
// in After the request is performed first; with the others it is not performed.
type Fault string

// The faults.
const (
	// FaultRefuse refuses the connection. Over HTTP it resets the connection, which
	// has been accepted by then.
	FaultRefuse Fault = "refuse"
	// FaultDropBefore breaks the connection.
	FaultDropBefore Fault = "drop before"
	// FaultDropAfter breaks the connection before the response.
	FaultDropAfter Fault = "drop after"
	// FaultErrorBefore responds with 500 internal_clerk_error.
	FaultErrorBefore Fault = "error before"
	// FaultErrorAfter responds with 500 internal_clerk_error.
	FaultErrorAfter Fault = "error after"
	// FaultBadGatewayAfter responds with 502 and HTML, as a proxy may.
	FaultBadGatewayAfter Fault = "bad gateway after"
	// FaultTruncateAfter breaks the connection in the middle of the response.
	FaultTruncateAfter Fault = "truncate after"
	// FaultSlowAfter delays the response by 20 seconds, longer than a client waits by
	// default, or by what [WithSlowDelay] sets.
	FaultSlowAfter Fault = "slow after"
	// FaultRateLimit responds with 429 and a Retry-After of one second.
	FaultRateLimit Fault = "rate limit"
	// FaultHideAfter breaks the connection before the response, and for two seconds
	// lists what the request changed as it was before.
	FaultHideAfter Fault = "hide after"

	// FaultResponse is a [Response], in the log of requests. [Fake.Respond] sets it.
	FaultResponse Fault = "response"
)

const (
	defaultSlowness = 20 * time.Second
	hiding          = 2 * time.Second
)

// AllFaults returns the faults that [Fake.Fail] and [WithFaults] accept.
func AllFaults() []Fault {
	return []Fault{
		FaultRefuse, FaultDropBefore, FaultDropAfter, FaultErrorBefore, FaultErrorAfter, FaultBadGatewayAfter,
		FaultTruncateAfter, FaultSlowAfter, FaultRateLimit, FaultHideAfter,
	}
}

// A Response replaces the response to a request.
type Response struct {
	// Status is the HTTP status, 200 to 599. 0 means that of Code in Clerk's error
	// catalogue, or, when Code is empty too, the request's own response.
	Status int
	// Code is the error's code. Those of [Codes] have the catalogue's texts, others
	// their own name as text. Empty means no error envelope.
	Code clerk.ErrorCode
	// ContentType and Body replace the response's own when Body is not empty.
	ContentType, Body string
	// RetryAfter sets the Retry-After header, rounded up to seconds.
	RetryAfter time.Duration
	// Delay is how long to wait before responding.
	Delay time.Duration
	// After performs the request first. A response with neither Status, Code nor Body
	// always does.
	After bool
}

// Validate reports what is wrong with a response.
func (r Response) Validate() error {
	switch {
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return fmt.Errorf("clerktest: status %d is not between 200 and 599", r.Status)
	case r.Status == 0 && r.Code != "" && known(r.Code) == nil:
		return fmt.Errorf("clerktest: code %q is not in Clerk's catalogue and needs a status", r.Code)
	case r.RetryAfter < 0 || r.Delay < 0:
		return errors.New("clerktest: a response has a negative duration")
	}
	return nil
}

// keeps reports whether the request's own response is only delayed.
func (r Response) keeps() bool { return r.Status == 0 && r.Code == "" && r.Body == "" }

// answer makes the answer of a response.
func (r Response) answer() answer {
	refusal := &apiError{status: cmp.Or(r.Status, http.StatusOK)}
	if r.Code != "" {
		refusal = known(r.Code)
		if refusal == nil {
			text := string(r.Code)
			refusal = &apiError{errors: []entry{{Code: r.Code, Message: text, LongMessage: text}}}
		}
		refusal.status = cmp.Or(r.Status, refusal.status)
	}
	a := refusal.answer()
	if r.Body != "" {
		a.body, a.contentType = []byte(r.Body), r.ContentType
	}
	return a
}

// A FaultMix makes a share of the requests fail.
type FaultMix struct {
	// Share is how many of the requests fail, from 0 to 1.
	Share float64
	// Seed makes the choice repeatable for requests in the same order.
	Seed uint64
	// Faults and Responses are what happens to them, each with the same probability.
	// When both are empty it is any fault.
	Faults    []Fault
	Responses []Response
	// Operations are the operations that fail; all when empty.
	Operations []clerk.Operation
}

// Validate reports what is wrong with a mix.
func (m FaultMix) Validate() error {
	if inRange := m.Share >= 0 && m.Share <= 1; !inRange { // also for NaN
		return fmt.Errorf("clerktest: share %v is not between 0 and 1", m.Share)
	}
	for _, fault := range m.Faults {
		if !slices.Contains(AllFaults(), fault) {
			return fmt.Errorf("clerktest: unknown fault %q", string(fault))
		}
	}
	for _, op := range m.Operations {
		if !slices.Contains(Operations(), op) {
			return fmt.Errorf("clerktest: unknown operation %q", op)
		}
	}
	for _, response := range m.Responses {
		if err := response.Validate(); err != nil {
			return err
		}
	}
	return nil
}

func (m FaultMix) failures() []failure {
	faults := m.Faults
	if len(m.Faults)+len(m.Responses) == 0 {
		faults = AllFaults()
	}
	return append(ofFaults(faults), ofResponses(m.Responses)...)
}

// WithFaults makes a share of the requests fail. It panics when mix is invalid.
func WithFaults(mix FaultMix) Option {
	mustBeValid(mix.Validate())
	return func(o *options) { o.faults = mix }
}

func mustBeValid(err error) {
	if err != nil {
		panic(err)
	}
}

// SetFaults replaces the mix of [WithFaults]; the zero mix ends it. It panics when
// mix is invalid.
func (f *Fake) SetFaults(mix FaultMix) {
	mustBeValid(mix.Validate())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setFaults(mix)
}

func (f *Fake) setFaults(mix FaultMix) {
	f.faults, f.random = mix, nil
	if mix.Share > 0 {
		f.random = rand.New(rand.NewPCG(mix.Seed, 0)) //nolint:gosec // repeatable, not secret
	}
}

// SetLatency changes the delay of [WithLatency].
func (f *Fake) SetLatency(latency time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = latency
}

// Fail makes the next requests for an operation fail: the first with the first
// fault, and so on. An empty Fault lets a request succeed. Planned failures precede
// those of [WithFaults]. It panics on unknown operations and faults.
func (f *Fake) Fail(op clerk.Operation, faults ...Fault) {
	for _, fault := range faults {
		if fault != "" {
			mustBeValid(FaultMix{Faults: []Fault{fault}}.Validate())
		}
	}
	f.plan(op, ofFaults(faults))
}

// Respond makes the fake respond to the next requests for an operation with the
// given responses, like [Fake.Fail]. It panics on unknown operations and invalid
// responses.
func (f *Fake) Respond(op clerk.Operation, responses ...Response) {
	mustBeValid(FaultMix{Responses: responses}.Validate())
	f.plan(op, ofResponses(responses))
}

func (f *Fake) plan(op clerk.Operation, failures []failure) {
	mustBeValid(FaultMix{Operations: []clerk.Operation{op}}.Validate())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned[op] = append(f.planned[op], failures...)
}

// Planned describes the failures of [Fake.Fail] and [Fake.Respond] that no request
// has met yet, such as "CreateInvitation: drop after".
func (f *Fake) Planned() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stillPlanned()
}

func (f *Fake) stillPlanned() []string {
	left := []string{}
	for _, op := range Operations() {
		for _, failure := range f.planned[op] {
			left = append(left, fmt.Sprintf("%s: %s", op, failure))
		}
	}
	return left
}

// ClearFaults drops the planned failures and the mix of [WithFaults].
func (f *Fake) ClearFaults() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.planned)
	f.setFaults(FaultMix{})
}

// sleep waits for d, or returns the error of ctx when it ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
