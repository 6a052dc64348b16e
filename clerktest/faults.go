package clerktest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// A Fault is something that goes wrong with a request. Faults whose names end in
// After happen when the request has been carried out; with the others it is not.
type Fault string

// The faults.
const (
	// FaultDropBefore breaks the connection.
	FaultDropBefore Fault = "drop before"
	// FaultDropAfter breaks the connection before the response.
	FaultDropAfter Fault = "drop after"
	// FaultErrorBefore responds with 500 internal_clerk_error.
	FaultErrorBefore Fault = "error before"
	// FaultErrorAfter responds with 500 internal_clerk_error.
	FaultErrorAfter Fault = "error after"
	// FaultBadGatewayAfter responds with 502 and HTML, as a proxy in between may.
	FaultBadGatewayAfter Fault = "bad gateway after"
	// FaultTruncateAfter breaks the connection in the middle of the response.
	FaultTruncateAfter Fault = "truncate after"
	// FaultSlowAfter responds after 20 seconds only, which is longer than a client
	// waits by default.
	FaultSlowAfter Fault = "slow after"
	// FaultRateLimit responds with 429 and a Retry-After of one second.
	FaultRateLimit Fault = "rate limit"
	// FaultHideAfter breaks the connection before the response, and lists what was
	// changed as it was before, for two seconds.
	FaultHideAfter Fault = "hide after"
)

const (
	slowness = 20 * time.Second
	hiding   = 2 * time.Second
)

// AllFaults returns every fault.
func AllFaults() []Fault {
	return []Fault{
		FaultDropBefore, FaultDropAfter, FaultErrorBefore, FaultErrorAfter, FaultBadGatewayAfter,
		FaultTruncateAfter, FaultSlowAfter, FaultRateLimit, FaultHideAfter,
	}
}

// A FaultMix makes a share of the requests fail.
type FaultMix struct {
	// Share is how many of the requests fail, from 0 to 1.
	Share float64
	// Seed makes the choice repeatable, for requests that come in the same order.
	Seed uint64
	// Faults is what happens to them, each as likely as the others; all faults
	// when empty.
	Faults []Fault
	// Operations is which operations it happens to; all when empty.
	Operations []clerk.Operation
}

// WithFaults makes a share of the requests fail.
func WithFaults(mix FaultMix) Option {
	if len(mix.Faults) == 0 {
		mix.Faults = AllFaults()
	}
	return func(o *options) {
		o.faults, o.random = mix, rand.New(rand.NewPCG(mix.Seed, 0)) //nolint:gosec // repeatable, not secret
	}
}

// Fail makes the coming requests for an operation fail: the first with the first
// fault, and so on. With an empty Fault a request does not fail. They come ahead of
// the faults of [WithFaults]. It panics on a fault that does not exist.
func (f *Fake) Fail(op clerk.Operation, faults ...Fault) {
	for _, fault := range faults {
		if fault != "" && !slices.Contains(AllFaults(), fault) {
			panic("clerktest: there is no fault " + string(fault))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned[op] = append(f.planned[op], faults...)
}

// fault chooses what goes wrong with a request; usually nothing.
func (f *Fake) fault(op clerk.Operation) Fault {
	if planned := f.planned[op]; len(planned) > 0 {
		f.planned[op] = planned[1:]
		return planned[0]
	}
	concerned := len(f.faults.Operations) == 0 || slices.Contains(f.faults.Operations, op)
	if f.random == nil || !concerned || f.random.Float64() >= f.faults.Share {
		return ""
	}
	return f.faults.Faults[f.random.IntN(len(f.faults.Faults))]
}

// before is the refusal of a request that is not to be carried out; nil when it is.
func (fault Fault) before() *apiError {
	switch fault {
	case FaultDropBefore, FaultErrorBefore:
		return errInternal
	case FaultRateLimit:
		return errTooManyRequests(time.Second)
	}
	return nil
}

// after makes of the right answer the one that is given.
func (fault Fault) after(a answer) answer {
	switch fault {
	case FaultDropBefore, FaultDropAfter, FaultHideAfter:
		return answer{broken: true}
	case FaultErrorAfter:
		return errInternal.answer()
	case FaultBadGatewayAfter:
		return answer{status: http.StatusBadGateway, contentType: "text/html", body: []byte("<html>Bad gateway</html>")}
	case FaultTruncateAfter:
		a.broken = true
	case FaultSlowAfter:
		a.delay = slowness
	}
	return a
}

// sleep waits for d, or until ctx ends, and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// hidden is an invitation that is listed as it was, until a time.
type hidden struct {
	was   *clerk.Invitation // nil when there was none
	until time.Time
}

// snapshot is the invitation as it is, for a request that is to hide what it
// changes; nil when there is none.
func (f *Fake) snapshot(fault Fault, id string) *clerk.Invitation {
	if fault != FaultHideAfter {
		return nil
	}
	if inv := f.find(id); inv != nil {
		return new(*inv)
	}
	return nil
}

// hide keeps what an operation made or changed from being listed for a while.
func (f *Fake) hide(fault Fault, result any, was *clerk.Invitation) {
	if fault != FaultHideAfter {
		return
	}
	until := time.Now().Add(hiding)
	switch changed := result.(type) {
	case *clerk.Invitation:
		f.hidden[changed.ID] = hidden{was, until}
	case []*clerk.Invitation:
		for _, inv := range changed {
			f.hidden[inv.ID] = hidden{nil, until}
		}
	}
}

// listed is an invitation as a list shows it; nil when it does not.
func (f *Fake) listed(inv *clerk.Invitation) *clerk.Invitation {
	if h, ok := f.hidden[inv.ID]; ok && time.Now().Before(h.until) {
		return h.was
	}
	return f.refresh(inv)
}
