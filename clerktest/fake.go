package clerktest

import (
	"fmt"
	"io"
	"time"
)

// SecretKey is the secret key, a dummy, that a [Fake] accepts by default.
const SecretKey = "sk_test_clerktest"

// A Fake is a fake Clerk instance. Create one with [New] or [NewClient]. It is safe
// for concurrent use.
type Fake struct {
	options

	initial   options // as New applied them
	mu        mutex
	clock     clock
	ids       ids
	store     store
	users     map[string]*User // by the key of their address
	failures  failurePlan
	journal   journal
	log       requestLog
	limiter   limiter
	emails    emailCount
	hideUntil time.Time // until when lists hide changes of the current request; zero for not at all
}

// New returns a fake instance without invitations and users.
func New(opts ...Option) *Fake {
	f := &Fake{options: options{secretKey: SecretKey, slowness: defaultSlowness, linkBase: defaultLinkBase, logSize: defaultLogSize}}
	for _, opt := range opts {
		opt(&f.options)
	}
	f.mu.clock = &f.clock
	f.ids = newIDs(f.randomIDs, f.seed)
	f.log.size = f.logSize
	f.initial = f.options
	f.begin()
	return f
}

// begin makes the fake what its options describe. Its links lead where they did.
func (f *Fake) begin() {
	f.behavior, f.latency = f.initial.behavior, f.initial.latency
	f.clock.ahead = 0
	f.failures.setMix(f.faults, f.seed)
	f.limiter.set(f.limits, f.behavior)
	f.clear()
}

// clear removes invitations, users, planned failures, requests and counts.
func (f *Fake) clear() {
	f.store = newStore()
	f.store.keepTickets = f.behavior.DeletedLinksWork
	f.users = map[string]*User{}
	f.failures.clear()
	f.log.clear()
	f.emails = emailCount{}
	f.clock.events = nil
	f.limiter.reset()
}

func (f *Fake) now() time.Time { return f.clock.now() }

// SecretKey returns the secret key that the fake accepts.
func (f *Fake) SecretKey() string { return f.secretKey }

// Format writes nothing of the state, whatever the verb.
func (f *Fake) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "clerktest.Fake") }
