package clerktest

import (
	"time"

	"github.com/clerk-invitations/clerk-go"
)

// Fail makes the next requests for an operation fail: the first with the first
// fault, and so on. An empty Fault lets a request succeed. Planned failures take precedence
// over those of [WithFaults]. It panics on unknown operations and faults.
func (f *Fake) Fail(op clerk.Operation, faults ...Fault) {
	mustBeFaults(faults)
	f.plan(op, "", ofFaults(faults))
}

// FailFor makes the next requests for an operation that concern an email address fail, like
// [Fake.Fail]. [FaultMix].Addresses says which requests these are.
func (f *Fake) FailFor(emailAddress string, op clerk.Operation, faults ...Fault) {
	mustBeFaults(faults)
	f.plan(op, emailAddress, ofFaults(faults))
}

// Respond makes the fake respond to the next requests for an operation with the
// given responses, like [Fake.Fail]. It panics on unknown operations and invalid
// responses.
func (f *Fake) Respond(op clerk.Operation, responses ...Response) {
	mustBeValid(FaultMix{Responses: responses}.Validate())
	f.plan(op, "", ofResponses(responses))
}

// RespondFor makes the fake respond to the next requests for an operation that concern
// an email address with the given responses, like [Fake.FailFor].
func (f *Fake) RespondFor(emailAddress string, op clerk.Operation, responses ...Response) {
	mustBeValid(FaultMix{Responses: responses}.Validate())
	f.plan(op, emailAddress, ofResponses(responses))
}

// mustBeFaults panics on unknown faults. An empty one means success.
func mustBeFaults(faults []Fault) {
	for _, fault := range faults {
		if fault != "" {
			mustBeValid(FaultMix{Faults: []Fault{fault}}.Validate())
		}
	}
}

func (f *Fake) plan(op clerk.Operation, address string, failures []failure) {
	mustBeValid(FaultMix{Operations: []clerk.Operation{op}}.Validate())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures.add(op, address, failures)
}

// Planned describes the failures of [Fake.Fail] and [Fake.Respond] that no request
// has met yet, such as "CreateInvitation: drop after".
func (f *Fake) Planned() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failures.texts()
}

// SetFaults replaces the mix of [WithFaults]; the zero mix turns it off. It panics if mix is
// invalid.
func (f *Fake) SetFaults(mix FaultMix) {
	mustBeValid(mix.Validate())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures.setMix(mix, f.seed)
}

// ClearFaults drops the planned failures and the mix of [WithFaults].
func (f *Fake) ClearFaults() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures.clear()
	f.failures.setMix(FaultMix{}, f.seed)
}

// SetBehavior replaces the behavior of [WithBehavior], starting with the next request. It
// panics if behavior is invalid.
func (f *Fake) SetBehavior(behavior Behavior) {
	mustBeValid(behavior.Validate())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behavior = behavior
	f.limiter.set(f.limiter.limits, behavior)
	f.store.keepTickets = behavior.DeletedLinksWork
	users := f.users
	f.users = map[string]*User{}
	for _, user := range users {
		f.users[behavior.key(user.EmailAddress)] = user
	}
}

// SetLatency changes the delay of [WithLatency].
func (f *Fake) SetLatency(latency time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = latency
}

// SetLinkBase changes where the links of invitations lead; see [WithLinkBase].
func (f *Fake) SetLinkBase(baseURL string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.linkBase = baseURL
}

// SetRateLimits replaces the limits of [WithRateLimits]. Requests that were counted stay
// counted. It panics if a limit has Requests but no Per.
func (f *Fake) SetRateLimits(limits RateLimits) {
	mustBeValid(limits.Validate())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limiter.set(limits, f.behavior)
}

// ResetRateLimits restarts the windows of the limits, as if the hour were over.
func (f *Fake) ResetRateLimits() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limiter.reset()
}

// RateLimitUsage returns how much of the limits is used now.
func (f *Fake) RateLimitUsage() RateLimitUsage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limiter.usage(f.now())
}
